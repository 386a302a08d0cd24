-- +goose Up
-- What a biller has set is kept by the platform alone.
DROP TABLE settings;

-- Who made an invitation: staff, or somebody who signed up by themselves.
ALTER TABLE invitations ADD COLUMN source TEXT NOT NULL DEFAULT 'staff';

-- Mailboxes that people prove before they are shown anything, of addresses that
-- may be nobody's.
CREATE TABLE proofs (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	email TEXT NOT NULL,
	email_norm TEXT NOT NULL,
	handle_hash TEXT NOT NULL,
	step TEXT NOT NULL,
	user_id TEXT NOT NULL,
	seq INTEGER NOT NULL,
	code_hash TEXT NOT NULL,
	code_tries INTEGER NOT NULL,
	code_expires_at BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, id)
);
CREATE INDEX proofs_to ON proofs (biller_id, email_norm);
CREATE UNIQUE INDEX proofs_handle ON proofs (biller_id, handle_hash) WHERE handle_hash <> '';
CREATE INDEX proofs_dead ON proofs (biller_id, expires_at);
CREATE INDEX customers_to ON customers (biller_id, email_norm) WHERE NOT archived AND email_norm <> '';

-- +goose Down
DROP INDEX customers_to;
DROP TABLE proofs;
ALTER TABLE invitations DROP COLUMN source;
CREATE TABLE settings (
	biller_id TEXT NOT NULL,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (biller_id, name)
);
