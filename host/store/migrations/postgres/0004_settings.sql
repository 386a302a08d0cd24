-- +goose Up
-- What a biller has set for an add-on. Entries is JSON by key; secrets in it are
-- sealed. They outlive the removal of the add-on, as its data does.
CREATE TABLE settings (
	biller_id TEXT NOT NULL,
	addon_id TEXT NOT NULL,
	version BIGINT NOT NULL,
	entries TEXT NOT NULL,
	updated_at TIMESTAMPTZ NOT NULL,
	PRIMARY KEY (biller_id, addon_id)
);
CREATE INDEX settings_addon ON settings (addon_id);

-- +goose Down
DROP TABLE settings;
