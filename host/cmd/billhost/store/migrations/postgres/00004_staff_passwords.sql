-- +goose Up
-- A staff user may choose a password; empty means one-time links only. Sessions
-- say where they are from.
ALTER TABLE staff ADD COLUMN password_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE staff_sessions ADD COLUMN ip TEXT NOT NULL DEFAULT '';
ALTER TABLE staff_sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
CREATE INDEX staff_by_email ON staff (email_norm, biller_id, id);
CREATE INDEX staff_sessions_of ON staff_sessions (biller_id, staff_id);

-- Tries to sign in belong to an address before they belong to a biller. Times are
-- Unix microseconds; names hold no address in clear.
CREATE TABLE staff_tries (
	name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	tries INTEGER NOT NULL,
	refused INTEGER NOT NULL,
	open_at BIGINT NOT NULL,
	ends_at BIGINT NOT NULL
);
CREATE INDEX staff_tries_over ON staff_tries (ends_at);

-- What an address asked for or tried, until a job has dealt with it: the same for
-- an address that is nobody's.
CREATE TABLE staff_asks (
	id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	kind TEXT NOT NULL,
	email_norm TEXT NOT NULL,
	ip TEXT NOT NULL,
	next TEXT NOT NULL,
	at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE staff_asks;
DROP TABLE staff_tries;
DROP INDEX staff_sessions_of;
DROP INDEX staff_by_email;
ALTER TABLE staff_sessions DROP COLUMN agent;
ALTER TABLE staff_sessions DROP COLUMN ip;
ALTER TABLE staff DROP COLUMN password_hash;
