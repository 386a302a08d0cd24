-- +goose Up
-- The sweep finds sign-ups that came to nothing by it.
CREATE INDEX signups_void ON signups (biller_id, expires_at) WHERE step = 'void';

-- +goose Down
DROP INDEX signups_void;
