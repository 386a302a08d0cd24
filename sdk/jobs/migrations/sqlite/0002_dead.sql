-- +goose Up
-- Dead jobs are forgotten too, later than done ones.
CREATE INDEX jobs_dead ON jobs (biller_id, done_at) WHERE state = 2;

-- +goose Down
DROP INDEX jobs_dead;
