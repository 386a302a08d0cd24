-- +goose Up
-- Who deletes a customer looks for choices of it; the sweep for old requests.
CREATE INDEX signup_customers_on ON signup_customers (biller_id, customer_id);
CREATE INDEX access_requests_old ON access_requests (biller_id, expires_at);

-- +goose Down
DROP INDEX access_requests_old;
DROP INDEX signup_customers_on;
