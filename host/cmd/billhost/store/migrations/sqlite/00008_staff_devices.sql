-- +goose Up
-- A browser that a staff user has signed in with, by what is kept of its cookie:
-- the person is told by mail of one that is not among them.
CREATE TABLE staff_devices (
	biller_id TEXT NOT NULL,
	staff_id TEXT NOT NULL,
	hash TEXT NOT NULL,
	seen_at TIMESTAMP NOT NULL,
	PRIMARY KEY (biller_id, staff_id, hash),
	FOREIGN KEY (biller_id, staff_id) REFERENCES staff (biller_id, id)
);

-- +goose Down
DROP TABLE staff_devices;
