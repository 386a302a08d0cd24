-- +goose Up
-- Times are Unix milliseconds. state: 0 pending, 1 done, 2 dead.
CREATE TABLE jobs (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	kind TEXT NOT NULL,
	payload TEXT NOT NULL,
	idem_key TEXT NOT NULL,
	run_at BIGINT NOT NULL,
	attempt INTEGER NOT NULL DEFAULT 0,
	max_attempts INTEGER NOT NULL,
	state SMALLINT NOT NULL DEFAULT 0,
	lease TEXT NOT NULL DEFAULT '',
	last_error TEXT NOT NULL DEFAULT '',
	created_at BIGINT NOT NULL,
	done_at BIGINT,
	PRIMARY KEY (biller_id, id)
);
CREATE UNIQUE INDEX jobs_idem_key ON jobs (biller_id, idem_key);
CREATE INDEX jobs_due ON jobs (biller_id, run_at, id) WHERE state = 0;
CREATE INDEX jobs_done ON jobs (biller_id, done_at) WHERE state = 1;

-- +goose Down
DROP TABLE jobs;
