-- +goose Up

-- Whether the caller left a message: by a column, so that no list looks into the text of records.
ALTER TABLE calls ADD COLUMN message INTEGER NOT NULL DEFAULT 0;
UPDATE calls SET message = 1
    WHERE CASE WHEN json_valid(record) THEN json_extract(record, '$.message') END IS NOT NULL;
DROP INDEX calls_with_message;
CREATE INDEX calls_with_message ON calls (started, id) WHERE message = 1;

-- Whose call or callback it is, where several nodes write one database; '' where there is one. updated is when an
-- agent's choice was made, in nanoseconds since 1970 in UTC, so that the last one counts whoever writes it.
ALTER TABLE calls ADD COLUMN node TEXT NOT NULL DEFAULT '';
ALTER TABLE callbacks ADD COLUMN node TEXT NOT NULL DEFAULT '';
ALTER TABLE agent_shift ADD COLUMN updated INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE agent_shift DROP COLUMN updated;
ALTER TABLE callbacks DROP COLUMN node;
ALTER TABLE calls DROP COLUMN node;
DROP INDEX calls_with_message;
ALTER TABLE calls DROP COLUMN message;
CREATE INDEX calls_with_message ON calls (started, id) 
    WHERE CASE WHEN json_valid(record) THEN json_extract(record, '$.message') END IS NOT NULL;
