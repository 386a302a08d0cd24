-- +goose Up
-- Why a version was refused or left, beside what operators did.
ALTER TABLE operations ADD COLUMN detail TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE operations DROP COLUMN detail;
