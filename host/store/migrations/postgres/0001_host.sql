-- +goose Up
CREATE TABLE installations (
	biller_id TEXT NOT NULL,
	addon_id TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('enabled', 'suspended')),
	permissions TEXT NOT NULL,
	version TEXT NOT NULL,
	installed_by TEXT NOT NULL,
	installed_at TIMESTAMPTZ NOT NULL,
	updated_at TIMESTAMPTZ NOT NULL,
	PRIMARY KEY (biller_id, addon_id)
);
CREATE INDEX installations_addon ON installations (addon_id);

-- What the platform runs, for all billers.
CREATE TABLE addons (
	addon_id TEXT NOT NULL PRIMARY KEY,
	version TEXT NOT NULL,
	digest TEXT NOT NULL,
	updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE mails (
	biller_id TEXT NOT NULL,
	addon_id TEXT NOT NULL,
	idem_key TEXT NOT NULL,
	kind TEXT NOT NULL,
	customer_id TEXT NOT NULL,
	to_hash TEXT NOT NULL,
	message_id TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('reserved', 'accepted', 'failed')),
	response TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	lease_until TIMESTAMPTZ NOT NULL,
	created_at TIMESTAMPTZ NOT NULL,
	updated_at TIMESTAMPTZ NOT NULL,
	accepted_at TIMESTAMPTZ,
	PRIMARY KEY (biller_id, addon_id, idem_key)
);
CREATE INDEX mails_created ON mails (biller_id, addon_id, created_at);
CREATE INDEX mails_customer ON mails (biller_id, customer_id, created_at);

-- +goose Down
DROP TABLE mails;
DROP TABLE addons;
DROP TABLE installations;
