-- +goose Up
-- How many reminders of an invitation's current sending were due. Invitations sent
-- before there were reminders get none: that is what the default is for.
ALTER TABLE invitations ADD COLUMN reminded INTEGER NOT NULL DEFAULT 2;
CREATE INDEX invitations_remind ON invitations (biller_id, queued_at)
	WHERE reminded < 2 AND state IN ('sent', 'delivered', 'opened', 'started');

-- +goose Down
DROP INDEX invitations_remind;
ALTER TABLE invitations DROP COLUMN reminded;
