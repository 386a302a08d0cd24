-- +goose Up
-- What the operator lets billers install, where the policy asks for it.
CREATE TABLE approvals (
	addon_id TEXT NOT NULL PRIMARY KEY,
	approved_by TEXT NOT NULL,
	approved_at TIMESTAMP NOT NULL
);

-- What was done to the platform's add-ons, and by whom. It belongs to no biller:
-- subject_biller only says whose data was meant.
CREATE TABLE operations (
	id TEXT NOT NULL PRIMARY KEY,
	at TIMESTAMP NOT NULL,
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
CREATE TABLE installations_next (
	biller_id TEXT NOT NULL,
	addon_id TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('enabled', 'suspended', 'purging')),
	permissions TEXT NOT NULL,
	version TEXT NOT NULL,
	installed_by TEXT NOT NULL,
	installed_at TIMESTAMP NOT NULL,
	updated_at TIMESTAMP NOT NULL,
	exported_at TIMESTAMP,
	purge_staff TEXT NOT NULL DEFAULT '',
	purge_by TEXT NOT NULL DEFAULT '',
	purge_keep BOOLEAN NOT NULL DEFAULT FALSE,
	purge_lease TIMESTAMP,
	PRIMARY KEY (biller_id, addon_id)
);
INSERT INTO installations_next (biller_id, addon_id, state, permissions, version, installed_by, installed_at, updated_at)
SELECT biller_id, addon_id, state, permissions, version, installed_by, installed_at, updated_at
FROM installations;
DROP TABLE installations;
ALTER TABLE installations_next RENAME TO installations;
CREATE INDEX installations_addon ON installations (addon_id);
CREATE INDEX installations_purging ON installations (addon_id, biller_id) WHERE state = 'purging';

-- +goose Down
CREATE TABLE installations_before (
	biller_id TEXT NOT NULL,
	addon_id TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('enabled', 'suspended')),
	permissions TEXT NOT NULL,
	version TEXT NOT NULL,
	installed_by TEXT NOT NULL,
	installed_at TIMESTAMP NOT NULL,
	updated_at TIMESTAMP NOT NULL,
	PRIMARY KEY (biller_id, addon_id)
);
INSERT INTO installations_before (biller_id, addon_id, state, permissions, version, installed_by, installed_at, updated_at)
SELECT biller_id, addon_id, CASE WHEN state = 'purging' THEN 'suspended' ELSE state END, permissions, version, installed_by, installed_at, updated_at
FROM installations;
DROP TABLE installations;
ALTER TABLE installations_before RENAME TO installations;
CREATE INDEX installations_addon ON installations (addon_id);
DROP TABLE operations;
DROP TABLE approvals;
