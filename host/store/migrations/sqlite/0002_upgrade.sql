-- +goose Up
-- The version that the operator wants, until it runs or is refused.
ALTER TABLE addons ADD COLUMN next_version TEXT NOT NULL DEFAULT '';
ALTER TABLE addons ADD COLUMN next_digest TEXT NOT NULL DEFAULT '';
-- The version before, to which the platform can go back.
ALTER TABLE addons ADD COLUMN previous_version TEXT NOT NULL DEFAULT '';
ALTER TABLE addons ADD COLUMN previous_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE addons ADD COLUMN probation_until TIMESTAMP;
-- The last version that was refused, and why.
ALTER TABLE addons ADD COLUMN failed_version TEXT NOT NULL DEFAULT '';
ALTER TABLE addons ADD COLUMN failed_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE addons ADD COLUMN failed_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE addons ADD COLUMN failed_at TIMESTAMP;

-- +goose Down
ALTER TABLE addons DROP COLUMN failed_at;
ALTER TABLE addons DROP COLUMN failed_reason;
ALTER TABLE addons DROP COLUMN failed_digest;
ALTER TABLE addons DROP COLUMN failed_version;
ALTER TABLE addons DROP COLUMN probation_until;
ALTER TABLE addons DROP COLUMN previous_digest;
ALTER TABLE addons DROP COLUMN previous_version;
ALTER TABLE addons DROP COLUMN next_digest;
ALTER TABLE addons DROP COLUMN next_version;
