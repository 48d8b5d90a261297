-- +goose Up

-- Who has logged out of every queue is logged out of those too that they come to serve later.
ALTER TABLE agent_shift ADD COLUMN everywhere INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE agent_shift DROP COLUMN everywhere;
