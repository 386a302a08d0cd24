-- +goose Up
-- The search finds customers by their account numbers too. The next sync takes
-- each customer for newer than the kept one, and writes its words anew.
UPDATE customers SET version = version - 1;

-- +goose Down
UPDATE customers SET version = version + 1;
