-- +goose Up
-- Each biller's audit is a chain: every record holds the hash of the one before,
-- the head tells how many there are. seq is empty for records of programs that
-- know no chain; `billhost migrate` chains them.
ALTER TABLE audit ADD COLUMN seq BIGINT;
ALTER TABLE audit ADD COLUMN prev_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX audit_chain ON audit (biller_id, seq);
CREATE INDEX audit_time ON audit (biller_id, at, id);
CREATE INDEX audit_addon ON audit (biller_id, addon_id, at, id);

CREATE TABLE audit_heads (
	biller_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES billers (biller_id),
	seq BIGINT NOT NULL,
	hash TEXT NOT NULL,
	mac TEXT NOT NULL
);

-- +goose Down
DROP TABLE audit_heads;
DROP INDEX audit_addon;
DROP INDEX audit_time;
DROP INDEX audit_chain;
ALTER TABLE audit DROP COLUMN hash;
ALTER TABLE audit DROP COLUMN prev_hash;
ALTER TABLE audit DROP COLUMN seq;
