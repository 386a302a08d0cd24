-- +goose Up
-- A record that an add-on writes again under the same key is kept once.
ALTER TABLE audit ADD COLUMN record_key TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX audit_once ON audit (biller_id, addon_id, record_key) WHERE record_key <> '';

-- +goose Down
DROP INDEX audit_once;
ALTER TABLE audit DROP COLUMN record_key;
