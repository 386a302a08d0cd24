-- +goose Up
-- Who published a version of the agreement, and when one was withdrawn before it
-- was in force (0: never).
ALTER TABLE agreements ADD COLUMN published_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agreements ADD COLUMN published_by_id TEXT NOT NULL DEFAULT '';
ALTER TABLE agreements ADD COLUMN published_by TEXT NOT NULL DEFAULT '';
ALTER TABLE agreements ADD COLUMN withdrawn_at BIGINT NOT NULL DEFAULT 0;

-- The address that signed in when a version was accepted; empty before this was kept.
ALTER TABLE acceptances ADD COLUMN email TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE acceptances DROP COLUMN email;
ALTER TABLE agreements DROP COLUMN withdrawn_at;
ALTER TABLE agreements DROP COLUMN published_by;
ALTER TABLE agreements DROP COLUMN published_by_id;
ALTER TABLE agreements DROP COLUMN published_at;
