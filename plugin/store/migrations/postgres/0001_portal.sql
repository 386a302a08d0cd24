-- +goose Up
-- Times are Unix microseconds, 0 for never. Hashes are keyed: no secret is kept.
CREATE TABLE billers (
	biller_id TEXT NOT NULL PRIMARY KEY,
	enabled BOOLEAN NOT NULL,
	created_at BIGINT NOT NULL
);

CREATE TABLE settings (
	biller_id TEXT NOT NULL,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (biller_id, name)
);

-- The projection of the biller's books. The *_key columns sort; status and the
-- columns after it follow from the other tables and change with them.
CREATE TABLE customers (
	biller_id TEXT NOT NULL,
	id TEXT COLLATE "C" NOT NULL,
	number TEXT NOT NULL,
	name TEXT NOT NULL,
	display_name TEXT NOT NULL,
	company TEXT NOT NULL,
	email TEXT NOT NULL,
	email_norm TEXT NOT NULL,
	phone TEXT NOT NULL,
	address TEXT NOT NULL,
	parent_id TEXT NOT NULL,
	archived BOOLEAN NOT NULL,
	type TEXT NOT NULL,
	balance_minor BIGINT NOT NULL,
	currency TEXT NOT NULL,
	version BIGINT NOT NULL,
	name_key TEXT COLLATE "C" NOT NULL,
	display_key TEXT COLLATE "C" NOT NULL,
	email_key TEXT COLLATE "C" NOT NULL,
	status TEXT COLLATE "C" NOT NULL,
	status_change_at BIGINT NOT NULL,
	invited_at BIGINT NOT NULL,
	registered_at BIGINT NOT NULL,
	email_confirmed BOOLEAN NOT NULL,
	PRIMARY KEY (biller_id, id)
);
CREATE INDEX customers_by_name ON customers (biller_id, name_key, id) WHERE NOT archived;
CREATE INDEX customers_by_display_name ON customers (biller_id, display_key, id) WHERE NOT archived;
CREATE INDEX customers_by_email ON customers (biller_id, email_key, id) WHERE NOT archived;
CREATE INDEX customers_by_status ON customers (biller_id, status, id) WHERE NOT archived;
CREATE INDEX customers_by_invited ON customers (biller_id, invited_at, id) WHERE NOT archived;
CREATE INDEX customers_by_registered ON customers (biller_id, registered_at, id) WHERE NOT archived;
CREATE INDEX customers_by_confirmed ON customers (biller_id, email_confirmed, id) WHERE NOT archived;
CREATE INDEX customers_due ON customers (biller_id, status_change_at) WHERE status_change_at > 0;

CREATE TABLE customer_terms (
	biller_id TEXT NOT NULL,
	term TEXT COLLATE "C" NOT NULL,
	customer_id TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (biller_id, term, customer_id),
	FOREIGN KEY (biller_id, customer_id) REFERENCES customers (biller_id, id)
);
CREATE INDEX customer_terms_of ON customer_terms (biller_id, customer_id);

CREATE TABLE invitations (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	customer_id TEXT COLLATE "C" NOT NULL,
	email TEXT NOT NULL,
	email_norm TEXT NOT NULL,
	state TEXT NOT NULL,
	generation INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	created_at BIGINT NOT NULL,
	queued_at BIGINT NOT NULL,
	opened_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, id),
	FOREIGN KEY (biller_id, customer_id) REFERENCES customers (biller_id, id)
);
CREATE INDEX invitations_of ON invitations (biller_id, customer_id, created_at);
CREATE INDEX invitations_to ON invitations (biller_id, email_norm);
CREATE UNIQUE INDEX invitations_open ON invitations (biller_id, customer_id)
	WHERE state NOT IN ('accepted', 'expired', 'revoked');

CREATE TABLE history (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	customer_id TEXT COLLATE "C" NOT NULL,
	kind TEXT NOT NULL,
	detail TEXT NOT NULL,
	by_name TEXT NOT NULL,
	mail_key TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, id),
	FOREIGN KEY (biller_id, customer_id) REFERENCES customers (biller_id, id)
);
CREATE INDEX history_of ON history (biller_id, customer_id, at);
CREATE UNIQUE INDEX history_mail ON history (biller_id, mail_key, kind) WHERE mail_key <> '';

CREATE TABLE tokens (
	biller_id TEXT NOT NULL,
	hash TEXT NOT NULL,
	purpose TEXT NOT NULL,
	subject_id TEXT NOT NULL,
	generation INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, hash)
);
CREATE INDEX tokens_of ON tokens (biller_id, subject_id, created_at);
CREATE INDEX tokens_dead ON tokens (biller_id, expires_at);

CREATE TABLE users (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	email TEXT NOT NULL,
	email_norm TEXT NOT NULL,
	password_hash TEXT NOT NULL,
	state TEXT NOT NULL,
	confirmed_at BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, id)
);
CREATE UNIQUE INDEX users_email ON users (biller_id, email_norm);

CREATE TABLE signups (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	invitation_id TEXT NOT NULL,
	email TEXT NOT NULL,
	email_norm TEXT NOT NULL,
	password_hash TEXT NOT NULL,
	handle_hash TEXT NOT NULL,
	step TEXT NOT NULL,
	user_id TEXT NOT NULL,
	seq INTEGER NOT NULL,
	code_hash TEXT NOT NULL,
	code_tries INTEGER NOT NULL,
	code_expires_at BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, id),
	FOREIGN KEY (biller_id, invitation_id) REFERENCES invitations (biller_id, id)
);
CREATE INDEX signups_of ON signups (biller_id, invitation_id);
CREATE INDEX signups_email ON signups (biller_id, email_norm);
CREATE INDEX signups_user ON signups (biller_id, user_id) WHERE user_id <> '';
CREATE UNIQUE INDEX signups_handle ON signups (biller_id, handle_hash) WHERE handle_hash <> '';
CREATE INDEX signups_dead ON signups (biller_id, expires_at) WHERE step IN ('profile', 'confirm');
CREATE UNIQUE INDEX signups_latest ON signups (biller_id, invitation_id) WHERE step IN ('profile', 'confirm');

CREATE TABLE signup_customers (
	biller_id TEXT NOT NULL,
	signup_id TEXT NOT NULL,
	customer_id TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (biller_id, signup_id, customer_id),
	FOREIGN KEY (biller_id, signup_id) REFERENCES signups (biller_id, id),
	FOREIGN KEY (biller_id, customer_id) REFERENCES customers (biller_id, id)
);

CREATE TABLE grants (
	biller_id TEXT NOT NULL,
	user_id TEXT NOT NULL,
	customer_id TEXT COLLATE "C" NOT NULL,
	state TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, user_id, customer_id),
	FOREIGN KEY (biller_id, user_id) REFERENCES users (biller_id, id),
	FOREIGN KEY (biller_id, customer_id) REFERENCES customers (biller_id, id)
);
CREATE INDEX grants_on ON grants (biller_id, customer_id);

CREATE TABLE sessions (
	biller_id TEXT NOT NULL,
	token_hash TEXT NOT NULL,
	user_id TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	seen_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	ip TEXT NOT NULL,
	agent TEXT NOT NULL,
	PRIMARY KEY (biller_id, token_hash),
	FOREIGN KEY (biller_id, user_id) REFERENCES users (biller_id, id)
);
CREATE INDEX sessions_of ON sessions (biller_id, user_id);
CREATE INDEX sessions_idle ON sessions (biller_id, seen_at);

CREATE TABLE agreements (
	biller_id TEXT NOT NULL,
	version TEXT NOT NULL,
	effective_on BIGINT NOT NULL,
	text TEXT NOT NULL,
	text_hash TEXT NOT NULL,
	PRIMARY KEY (biller_id, version)
);

CREATE TABLE acceptances (
	biller_id TEXT NOT NULL,
	user_id TEXT NOT NULL,
	version TEXT NOT NULL,
	text_hash TEXT NOT NULL,
	accepted_at BIGINT NOT NULL,
	ip TEXT NOT NULL,
	agent TEXT NOT NULL,
	PRIMARY KEY (biller_id, user_id, version),
	FOREIGN KEY (biller_id, user_id) REFERENCES users (biller_id, id),
	FOREIGN KEY (biller_id, version) REFERENCES agreements (biller_id, version)
);

CREATE TABLE throttles (
	biller_id TEXT NOT NULL,
	name TEXT NOT NULL,
	tries INTEGER NOT NULL,
	ends_at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, name)
);
CREATE INDEX throttles_over ON throttles (biller_id, ends_at);

-- +goose Down
DROP TABLE throttles;
DROP TABLE acceptances;
DROP TABLE agreements;
DROP TABLE sessions;
DROP TABLE grants;
DROP TABLE signup_customers;
DROP TABLE signups;
DROP TABLE users;
DROP TABLE tokens;
DROP TABLE history;
DROP TABLE invitations;
DROP TABLE customer_terms;
DROP TABLE customers;
DROP TABLE settings;
DROP TABLE billers;
