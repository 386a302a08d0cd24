-- +goose Up
-- Days are texts like 2026-06-30, in the biller's own time zone.
CREATE TABLE notices (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	text TEXT NOT NULL,
	first_day TEXT NOT NULL,
	last_day TEXT NOT NULL,
	written_by TEXT NOT NULL,
	PRIMARY KEY (biller_id, id)
);

CREATE INDEX notices_by_day ON notices (biller_id, last_day);

-- +goose Down
DROP TABLE notices;
