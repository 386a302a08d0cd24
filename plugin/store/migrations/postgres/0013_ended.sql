-- +goose Up
-- The hash of a password that "This wasn't me" ended, until the next one is chosen:
-- whoever knew it must not get in again. And which links to a new password nobody
-- asked for.
ALTER TABLE users ADD COLUMN ended_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE resets ADD COLUMN ended BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE resets DROP COLUMN ended;
ALTER TABLE users DROP COLUMN ended_hash;
