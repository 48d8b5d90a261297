-- +goose Up

-- What kind of call it was, '' for an ordinary one: a call that calls somebody back is not counted a second time.
ALTER TABLE calls ADD COLUMN kind TEXT NOT NULL DEFAULT '';
UPDATE calls SET kind = json_extract(record, '$.kind')
    WHERE CASE WHEN json_valid(record) THEN json_extract(record, '$.kind') END IS NOT NULL;

-- Covers the summary of a day, by queue.
DROP INDEX calls_by_start;
CREATE INDEX calls_by_start ON calls
    (started, id, queue, kind, result, answered, ended, wait, rings_met, talk_met);

-- +goose Down
DROP INDEX calls_by_start;
ALTER TABLE calls DROP COLUMN kind;
CREATE INDEX calls_by_start ON calls
    (started, id, queue, result, answered, ended, wait, rings_met, talk_met);
