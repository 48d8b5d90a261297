-- +goose Up

-- What ../00001 to ../00009 make of a SQLite database, see there. Text is compared octet by octet, as SQLite does, so
-- that lists have the same order on both. record is text, and not json: no record is refused for what is in it.
CREATE TABLE calls (
    id          TEXT COLLATE "C" PRIMARY KEY,
    started     BIGINT   NOT NULL,
    answered    BIGINT,
    ended       BIGINT,
    updated     BIGINT   NOT NULL,
    finished    SMALLINT NOT NULL,
    from_number TEXT     NOT NULL,
    to_number   TEXT     NOT NULL,
    queue       TEXT COLLATE "C" NOT NULL,
    agent       TEXT COLLATE "C" NOT NULL,
    result      TEXT     NOT NULL,
    reason      TEXT     NOT NULL,
    released_by TEXT     NOT NULL,
    rings       BIGINT   NOT NULL,
    rings_met   SMALLINT,
    wait        DOUBLE PRECISION NOT NULL,
    talk        DOUBLE PRECISION NOT NULL,
    talk_met    SMALLINT,
    record      TEXT     NOT NULL,
    kind        TEXT     NOT NULL,
    message     SMALLINT NOT NULL,
    node        TEXT     NOT NULL
);
CREATE INDEX calls_by_start ON calls
    (started, id, queue, kind, result, answered, ended, wait, rings_met, talk_met);
CREATE INDEX calls_by_queue ON calls (queue, started, id);
CREATE INDEX calls_by_agent ON calls (agent, started, id);
CREATE INDEX calls_by_result ON calls (result, started, id);
CREATE INDEX calls_by_number ON calls (from_number, started, id);
CREATE INDEX calls_open ON calls (node) WHERE finished = 0;
CREATE INDEX calls_with_message ON calls (started, id) WHERE message = 1;

CREATE TABLE ladders (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call     TEXT   NOT NULL,
    last     BIGINT NOT NULL,
    messages BYTEA  NOT NULL
);
CREATE INDEX ladders_by_call ON ladders (call);
CREATE INDEX ladders_by_age ON ladders (last);

CREATE TABLE outages (
    id     TEXT PRIMARY KEY,
    outage TEXT NOT NULL
);

CREATE TABLE agent_shift (
    agent      TEXT COLLATE "C" PRIMARY KEY,
    paused     SMALLINT NOT NULL,
    reason     TEXT     NOT NULL,
    since      BIGINT   NOT NULL,
    out        TEXT     NOT NULL,
    everywhere SMALLINT NOT NULL,
    updated    BIGINT   NOT NULL
);

CREATE TABLE callbacks (
    id      TEXT   PRIMARY KEY,
    number  TEXT   NOT NULL,
    asked   BIGINT NOT NULL,
    how     TEXT   NOT NULL,
    booking TEXT   NOT NULL,
    node    TEXT   NOT NULL
);
CREATE INDEX callbacks_by_number ON callbacks (number);
CREATE UNIQUE INDEX callbacks_open ON callbacks (number) WHERE how = '';

-- How far the spool of each start of a node has been written: applied is the number of the last entry. It is changed
-- in the transaction that writes the entries, so that each is written once.
CREATE TABLE spools (
    id      TEXT   PRIMARY KEY,
    node    TEXT   NOT NULL,
    began   BIGINT NOT NULL,
    applied BIGINT NOT NULL
);
CREATE INDEX spools_by_node ON spools (node);

-- +goose Down
DROP TABLE spools, callbacks, agent_shift, outages, ladders, calls;
