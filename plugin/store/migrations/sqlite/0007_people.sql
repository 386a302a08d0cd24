-- +goose Up
-- An invitation that answers a request for access goes to an address of its own,
-- beside the customer's: permit is the platform's leave to write to it.
ALTER TABLE invitations ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
ALTER TABLE invitations ADD COLUMN permit TEXT NOT NULL DEFAULT '';
ALTER TABLE invitations ADD COLUMN access_right TEXT NOT NULL DEFAULT 'payer';
DROP INDEX invitations_open;
CREATE UNIQUE INDEX invitations_open ON invitations (biller_id, customer_id, request_id)
	WHERE state NOT IN ('accepted', 'expired', 'revoked');

-- kept is the customer's address beside which staff keep a sign-in with another
-- one, after "="; "*" for people whom staff let in under an address of their own.
ALTER TABLE grants ADD COLUMN access_right TEXT NOT NULL DEFAULT 'payer';
ALTER TABLE grants ADD COLUMN kept TEXT NOT NULL DEFAULT '';

-- Askings for access by people to whom an invitation was forwarded.
CREATE TABLE access_requests (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	customer_id TEXT NOT NULL,
	token_hash TEXT NOT NULL,
	name TEXT NOT NULL,
	email TEXT NOT NULL,
	email_norm TEXT NOT NULL,
	message TEXT NOT NULL,
	permit TEXT NOT NULL,
	state TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	decided_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, id),
	FOREIGN KEY (biller_id, customer_id) REFERENCES customers (biller_id, id)
);
CREATE UNIQUE INDEX access_requests_open ON access_requests (biller_id, token_hash) WHERE state = 'open';
CREATE INDEX access_requests_of ON access_requests (biller_id, customer_id, created_at);
CREATE INDEX access_requests_due ON access_requests (biller_id, state, expires_at);
CREATE INDEX access_requests_by ON access_requests (biller_id, email_norm);

-- What is kept of the agreements that erased people accepted; person is a
-- pseudonym that leads to nobody.
CREATE TABLE erased_acceptances (
	biller_id TEXT NOT NULL,
	person TEXT NOT NULL,
	version TEXT NOT NULL,
	text_hash TEXT NOT NULL,
	accepted_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, person, version)
);

-- +goose Down
DROP TABLE erased_acceptances;
DROP TABLE access_requests;
ALTER TABLE grants DROP COLUMN kept;
ALTER TABLE grants DROP COLUMN access_right;
DROP INDEX invitations_open;
DELETE FROM tokens WHERE EXISTS (
	SELECT 1
	FROM invitations i
	WHERE i.biller_id = tokens.biller_id AND i.id = tokens.subject_id AND i.request_id <> ''
);
UPDATE invitations SET state = 'revoked' WHERE request_id <> '' AND state NOT IN ('accepted', 'expired', 'revoked');
CREATE UNIQUE INDEX invitations_open ON invitations (biller_id, customer_id)
	WHERE state NOT IN ('accepted', 'expired', 'revoked');
ALTER TABLE invitations DROP COLUMN access_right;
ALTER TABLE invitations DROP COLUMN permit;
ALTER TABLE invitations DROP COLUMN request_id;
