-- +goose Up
-- A session remembers what it began with: whoever came by a link of their mailbox
-- may choose a new password without the old one. A link says what was proven to
-- get it.
ALTER TABLE staff_links ADD COLUMN proof TEXT NOT NULL DEFAULT 'link';
ALTER TABLE staff_sessions ADD COLUMN proof TEXT NOT NULL DEFAULT '';

-- Whom a notice is for; empty for what concerns an address.
ALTER TABLE staff_asks ADD COLUMN staff_biller TEXT NOT NULL DEFAULT '';
ALTER TABLE staff_asks ADD COLUMN staff_id TEXT NOT NULL DEFAULT '';
ALTER TABLE staff_asks ADD COLUMN agent TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE staff_asks DROP COLUMN agent;
ALTER TABLE staff_asks DROP COLUMN staff_id;
ALTER TABLE staff_asks DROP COLUMN staff_biller;
ALTER TABLE staff_sessions DROP COLUMN proof;
ALTER TABLE staff_links DROP COLUMN proof;
