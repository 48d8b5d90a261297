-- +goose Up

-- What agents chose, and a restart must not undo: a pause, and the queues they have logged out of (a list of
-- names as JSON). since is when the pause began, in nanoseconds since 1970 in UTC. An agent who chose nothing
-- has no row.
CREATE TABLE agent_shift (
    agent  TEXT    PRIMARY KEY,
    paused INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    since  INTEGER NOT NULL,
    out    TEXT    NOT NULL
) STRICT;

-- +goose Down
DROP TABLE agent_shift;
