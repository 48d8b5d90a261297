-- +goose Up

-- The calls whose callers left a message are listed by themselves.
CREATE INDEX calls_with_message ON calls (started, id) 
    WHERE CASE WHEN json_valid(record) THEN json_extract(record, '$.message') END IS NOT NULL;

-- +goose Down
DROP INDEX calls_with_message;
