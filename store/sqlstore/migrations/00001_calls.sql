-- +goose Up

-- One row for each call. The columns are what is searched and counted; record is the whole of it.
-- Instants are nanoseconds since 1970 in UTC, wait and talk are seconds, met columns are NULL until
-- there is a verdict, finished turns 1 once and for all.
CREATE TABLE calls (
    id          TEXT    PRIMARY KEY,
    started     INTEGER NOT NULL,
    answered    INTEGER,
    ended       INTEGER,
    updated     INTEGER NOT NULL,
    finished    INTEGER NOT NULL,
    from_number TEXT    NOT NULL,
    to_number   TEXT    NOT NULL,
    queue       TEXT    NOT NULL,
    agent       TEXT    NOT NULL,
    result      TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    released_by TEXT    NOT NULL,
    rings       INTEGER NOT NULL,
    rings_met   INTEGER,
    wait        REAL    NOT NULL,
    talk        REAL    NOT NULL,
    talk_met    INTEGER,
    record      TEXT    NOT NULL
) STRICT;

-- Lists by time, and covers the summary of a day, which is asked for while people watch.
CREATE INDEX calls_by_start ON calls
    (started, id, queue, result, answered, ended, wait, rings_met, talk_met);
CREATE INDEX calls_by_queue ON calls (queue, started, id);
CREATE INDEX calls_by_agent ON calls (agent, started, id);
CREATE INDEX calls_by_result ON calls (result, started, id);
CREATE INDEX calls_by_number ON calls (from_number, started, id);
CREATE INDEX calls_open ON calls (id) WHERE finished = 0;

-- +goose Down
DROP TABLE calls;
