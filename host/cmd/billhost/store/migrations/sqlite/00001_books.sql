-- +goose Up
CREATE TABLE platform (
	name TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
);

CREATE TABLE billers (
	biller_id TEXT NOT NULL PRIMARY KEY,
	slug TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	brand TEXT NOT NULL,
	on_brand TEXT NOT NULL,
	email TEXT NOT NULL,
	phone TEXT NOT NULL,
	hours TEXT NOT NULL,
	street TEXT NOT NULL,
	city TEXT NOT NULL,
	state TEXT NOT NULL,
	zip TEXT NOT NULL,
	country TEXT NOT NULL,
	time_zone TEXT NOT NULL,
	locale TEXT NOT NULL,
	currency TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL
);

CREATE TABLE staff (
	biller_id TEXT NOT NULL REFERENCES billers (biller_id),
	id TEXT NOT NULL,
	email TEXT NOT NULL,
	email_norm TEXT NOT NULL,
	name TEXT NOT NULL,
	role TEXT NOT NULL CHECK (role IN ('owner', 'manager', 'viewer')),
	disabled BOOLEAN NOT NULL,
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (biller_id, id),
	UNIQUE (biller_id, email_norm)
);

CREATE TABLE staff_links (
	biller_id TEXT NOT NULL,
	token_hash TEXT NOT NULL,
	staff_id TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP NOT NULL,
	used_at TIMESTAMP,
	PRIMARY KEY (biller_id, token_hash),
	FOREIGN KEY (biller_id, staff_id) REFERENCES staff (biller_id, id)
);

CREATE TABLE staff_sessions (
	biller_id TEXT NOT NULL,
	token_hash TEXT NOT NULL,
	staff_id TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	seen_at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP NOT NULL,
	PRIMARY KEY (biller_id, token_hash),
	FOREIGN KEY (biller_id, staff_id) REFERENCES staff (biller_id, id)
);

CREATE TABLE customers (
	biller_id TEXT NOT NULL REFERENCES billers (biller_id),
	id TEXT NOT NULL,
	number TEXT NOT NULL,
	name TEXT NOT NULL,
	name_key TEXT NOT NULL,
	display_name TEXT NOT NULL,
	sort_key TEXT NOT NULL,
	company TEXT NOT NULL,
	email TEXT NOT NULL,
	email_norm TEXT NOT NULL,
	phone TEXT NOT NULL,
	street TEXT NOT NULL,
	city TEXT NOT NULL,
	state TEXT NOT NULL,
	zip TEXT NOT NULL,
	country TEXT NOT NULL,
	parent_id TEXT,
	archived BOOLEAN NOT NULL,
	type TEXT NOT NULL,
	currency TEXT NOT NULL,
	open_balance BIGINT NOT NULL,
	version BIGINT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	updated_at TIMESTAMP NOT NULL,
	PRIMARY KEY (biller_id, id),
	FOREIGN KEY (biller_id, parent_id) REFERENCES customers (biller_id, id)
);
CREATE UNIQUE INDEX customers_number ON customers (biller_id, number) WHERE number <> '';
CREATE INDEX customers_list ON customers (biller_id, archived, sort_key, id);
CREATE INDEX customers_email ON customers (biller_id, email_norm, id);
CREATE INDEX customers_name ON customers (biller_id, name_key);
CREATE INDEX customers_parent ON customers (biller_id, parent_id, sort_key);

CREATE TABLE customer_terms (
	biller_id TEXT NOT NULL,
	term TEXT NOT NULL,
	customer_id TEXT NOT NULL,
	PRIMARY KEY (biller_id, term, customer_id),
	FOREIGN KEY (biller_id, customer_id) REFERENCES customers (biller_id, id)
);
CREATE INDEX customer_terms_customer ON customer_terms (biller_id, customer_id, term);

CREATE TABLE invoices (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	number TEXT NOT NULL,
	customer_id TEXT NOT NULL,
	opening BOOLEAN NOT NULL,
	title TEXT NOT NULL,
	status TEXT NOT NULL CHECK (status IN ('open', 'paid', 'void')),
	issued_on TEXT NOT NULL,
	due_on TEXT NOT NULL,
	currency TEXT NOT NULL,
	subtotal BIGINT NOT NULL,
	tax BIGINT NOT NULL,
	total BIGINT NOT NULL,
	paid BIGINT NOT NULL,
	balance BIGINT NOT NULL,
	memo TEXT NOT NULL,
	street TEXT NOT NULL,
	city TEXT NOT NULL,
	state TEXT NOT NULL,
	zip TEXT NOT NULL,
	country TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (biller_id, id),
	UNIQUE (biller_id, number),
	CHECK (balance = total - paid),
	FOREIGN KEY (biller_id, customer_id) REFERENCES customers (biller_id, id)
);
CREATE INDEX invoices_customer ON invoices (biller_id, customer_id, due_on, number);
CREATE INDEX invoices_due ON invoices (biller_id, status, due_on);
CREATE UNIQUE INDEX invoices_opening ON invoices (biller_id, customer_id) WHERE opening;

CREATE TABLE invoice_lines (
	biller_id TEXT NOT NULL,
	invoice_id TEXT NOT NULL,
	position INTEGER NOT NULL,
	description TEXT NOT NULL,
	detail TEXT NOT NULL,
	quantity_milli BIGINT NOT NULL,
	unit_price BIGINT NOT NULL,
	amount BIGINT NOT NULL,
	PRIMARY KEY (biller_id, invoice_id, position),
	FOREIGN KEY (biller_id, invoice_id) REFERENCES invoices (biller_id, id)
);

CREATE TABLE audit (
	biller_id TEXT NOT NULL REFERENCES billers (biller_id),
	id TEXT NOT NULL,
	at TIMESTAMP NOT NULL,
	addon_id TEXT NOT NULL,
	staff_id TEXT NOT NULL,
	portal_user TEXT NOT NULL,
	action TEXT NOT NULL,
	object TEXT NOT NULL,
	customer_id TEXT NOT NULL,
	request_id TEXT NOT NULL,
	remote_ip TEXT NOT NULL,
	detail TEXT NOT NULL,
	PRIMARY KEY (biller_id, id)
);
CREATE INDEX audit_customer ON audit (biller_id, customer_id, id);

-- +goose Down
DROP TABLE audit;
DROP TABLE invoice_lines;
DROP TABLE invoices;
DROP TABLE customer_terms;
DROP TABLE customers;
DROP TABLE staff_sessions;
DROP TABLE staff_links;
DROP TABLE staff;
DROP TABLE billers;
DROP TABLE platform;
