-- +goose Up
-- Lists of what one person did, and of what concerns one customer, newest first.
CREATE INDEX audit_staff ON audit (biller_id, staff_id, at, id);
CREATE INDEX audit_about ON audit (biller_id, customer_id, at, id);
DROP INDEX audit_customer;

-- +goose Down
CREATE INDEX audit_customer ON audit (biller_id, customer_id, id);
DROP INDEX audit_about;
DROP INDEX audit_staff;
