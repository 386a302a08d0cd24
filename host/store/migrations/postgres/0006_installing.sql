-- +goose Up
-- Installations under way: a row whose updated_at is old belongs to a host that has
-- gone.
CREATE TABLE installing (
	biller_id TEXT NOT NULL,
	addon_id TEXT NOT NULL,
	version TEXT NOT NULL,
	run TEXT NOT NULL,
	step TEXT NOT NULL,
	done BIGINT NOT NULL,
	total BIGINT NOT NULL,
	problem TEXT NOT NULL,
	updated_at TIMESTAMPTZ NOT NULL,
	PRIMARY KEY (biller_id, addon_id)
);

-- +goose Down
DROP TABLE installing;
