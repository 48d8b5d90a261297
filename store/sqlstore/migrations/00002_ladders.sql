-- +goose Up

-- What calls said by SIP, kept for a while. A row holds the messages that were handed over together, as JSON
-- compressed by DEFLATE (RFC 1951); last is when the last of them was, in nanoseconds since 1970 in UTC. There
-- is no reference to calls: messages may come before the call's row, and go long before it.
CREATE TABLE ladders (
    id       INTEGER PRIMARY KEY,
    call     TEXT    NOT NULL,
    last     INTEGER NOT NULL,
    messages BLOB    NOT NULL
) STRICT;

CREATE INDEX ladders_by_call ON ladders (call);
CREATE INDEX ladders_by_age ON ladders (last);

-- +goose Down
DROP TABLE ladders;
