-- +goose Up
-- Tries of one account wait longer and longer: the next may be made at open_at.
-- refused counts those that came too early.
ALTER TABLE throttles ADD COLUMN open_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE throttles ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE throttles DROP COLUMN refused;
ALTER TABLE throttles DROP COLUMN open_at;
