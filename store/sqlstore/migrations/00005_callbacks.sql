-- +goose Up

-- Callbacks that callers asked for: booking as JSON, with their number. asked is in nanoseconds since 1970 in UTC;
-- how is empty while one is open, of which a number has one at most. Those settled are kept for the day, to be
-- counted.
CREATE TABLE callbacks (
    id      TEXT    PRIMARY KEY,
    number  TEXT    NOT NULL,
    asked   INTEGER NOT NULL,
    how     TEXT    NOT NULL,
    booking TEXT    NOT NULL
) STRICT;

CREATE INDEX callbacks_by_number ON callbacks (number);
CREATE UNIQUE INDEX callbacks_open ON callbacks (number) WHERE how = '';

-- +goose Down
DROP TABLE callbacks;
