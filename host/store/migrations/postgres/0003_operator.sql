-- +goose Up
-- What the operator lets billers install, where the policy asks for it.
CREATE TABLE approvals (
	addon_id TEXT NOT NULL PRIMARY KEY,
	approved_by TEXT NOT NULL,
	approved_at TIMESTAMPTZ NOT NULL
);

-- What was done to the platform's add-ons, and by whom. It belongs to no biller:
-- subject_biller only says whose data was meant.
CREATE TABLE operations (
	id TEXT NOT NULL PRIMARY KEY,
	at TIMESTAMPTZ NOT NULL,
	staff_id TEXT NOT NULL,
	by_name TEXT NOT NULL,
	action TEXT NOT NULL,
	addon_id TEXT NOT NULL,
	subject_biller TEXT NOT NULL,
	from_version TEXT NOT NULL,
	to_version TEXT NOT NULL
);
CREATE INDEX operations_addon ON operations (addon_id, id);

-- An installation whose data is being deleted, and who wants that.
ALTER TABLE installations DROP CONSTRAINT installations_state_check;
ALTER TABLE installations ADD CONSTRAINT installations_state_check CHECK (state IN ('enabled', 'suspended', 'purging'));
ALTER TABLE installations ADD COLUMN exported_at TIMESTAMPTZ;
ALTER TABLE installations ADD COLUMN purge_staff TEXT NOT NULL DEFAULT '';
ALTER TABLE installations ADD COLUMN purge_by TEXT NOT NULL DEFAULT '';
ALTER TABLE installations ADD COLUMN purge_keep BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE installations ADD COLUMN purge_lease TIMESTAMPTZ;
CREATE INDEX installations_purging ON installations (addon_id, biller_id) WHERE state = 'purging';

-- +goose Down
DROP INDEX installations_purging;
UPDATE installations SET state = 'suspended' WHERE state = 'purging';
ALTER TABLE installations DROP COLUMN purge_lease;
ALTER TABLE installations DROP COLUMN purge_keep;
ALTER TABLE installations DROP COLUMN purge_by;
ALTER TABLE installations DROP COLUMN purge_staff;
ALTER TABLE installations DROP COLUMN exported_at;
ALTER TABLE installations DROP CONSTRAINT installations_state_check;
ALTER TABLE installations ADD CONSTRAINT installations_state_check CHECK (state IN ('enabled', 'suspended'));
DROP TABLE operations;
DROP TABLE approvals;
