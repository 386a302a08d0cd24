-- +goose Up
-- Askings for a new password, for addresses that may be nobody's.
CREATE TABLE resets (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	email_norm TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, id)
);
CREATE INDEX resets_open ON resets (biller_id, email_norm) WHERE used_at = 0;
CREATE INDEX resets_dead ON resets (biller_id, expires_at);

-- +goose Down
DROP TABLE resets;
