-- +goose Up
-- What happened to sign-ins and who did it. A job carries each row to the
-- platform's audit log; the person sees their own.
CREATE TABLE activity (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	action TEXT NOT NULL,
	user_id TEXT NOT NULL,
	customer_id TEXT NOT NULL,
	object TEXT NOT NULL,
	staff_id TEXT NOT NULL,
	staff_name TEXT NOT NULL,
	ip TEXT NOT NULL,
	agent TEXT NOT NULL,
	detail TEXT NOT NULL,
	notice_to TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (biller_id, id)
);
CREATE INDEX activity_of ON activity (biller_id, user_id, at, id) WHERE user_id <> '';
CREATE INDEX activity_old ON activity (biller_id, at);

-- +goose Down
DROP TABLE activity;
