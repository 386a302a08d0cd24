-- +goose Up
-- An owner who also operates the add-ons of the whole platform.
ALTER TABLE staff ADD COLUMN operator BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE staff DROP COLUMN operator;
