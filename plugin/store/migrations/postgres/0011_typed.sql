-- +goose Up
-- When the password of a session was typed last, and a hash of the network and the
-- browser it was typed in: what is sensitive asks for it again.
ALTER TABLE sessions ADD COLUMN typed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN typed_in TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE sessions DROP COLUMN typed_in;
ALTER TABLE sessions DROP COLUMN typed_at;
