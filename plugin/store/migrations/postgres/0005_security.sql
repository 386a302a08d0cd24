-- +goose Up
-- Browsers that a person signed in with, known by a cookie.
CREATE TABLE devices (
	biller_id TEXT NOT NULL,
	user_id TEXT NOT NULL,
	hash TEXT NOT NULL,
	seen_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, user_id, hash),
	FOREIGN KEY (biller_id, user_id) REFERENCES users (biller_id, id)
);
CREATE INDEX devices_old ON devices (biller_id, seen_at);

-- The one new address of a person that waits for its code.
CREATE TABLE address_changes (
	biller_id TEXT NOT NULL,
	user_id TEXT NOT NULL,
	id TEXT NOT NULL,
	email TEXT NOT NULL,
	email_norm TEXT NOT NULL,
	code_hash TEXT NOT NULL,
	code_tries INTEGER NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, user_id),
	FOREIGN KEY (biller_id, user_id) REFERENCES users (biller_id, id)
);
CREATE INDEX address_changes_dead ON address_changes (biller_id, expires_at);

-- +goose Down
DROP TABLE address_changes;
DROP TABLE devices;
