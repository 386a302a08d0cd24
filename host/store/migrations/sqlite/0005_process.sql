-- +goose Up
-- What running hosts say about the add-ons they run; a row whose heartbeat is old
-- belongs to a host that has gone.
CREATE TABLE addon_processes (
	host_id TEXT NOT NULL,
	addon_id TEXT NOT NULL,
	host TEXT NOT NULL,
	version TEXT NOT NULL,
	digest TEXT NOT NULL,
	state TEXT NOT NULL,
	since TIMESTAMP NOT NULL,
	next_try TIMESTAMP,
	error TEXT NOT NULL,
	pid INTEGER NOT NULL,
	protection TEXT NOT NULL,
	heartbeat TIMESTAMP NOT NULL,
	PRIMARY KEY (host_id, addon_id)
);

-- +goose Down
DROP TABLE addon_processes;
