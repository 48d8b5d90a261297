-- +goose Up

-- Planned outages that callers are told of: as JSON, by the id that operators give each.
CREATE TABLE outages (
    id     TEXT PRIMARY KEY,
    outage TEXT NOT NULL
) STRICT;

-- +goose Down
DROP TABLE outages;
