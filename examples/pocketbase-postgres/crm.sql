-- The CRM of the example.
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text UNIQUE,
    name text NOT NULL,
    email text,
    phone text,
    city text,
    credit numeric(12, 2) NOT NULL DEFAULT 0,
    blocked boolean NOT NULL DEFAULT false,
    customer_since date
);
CREATE TABLE contacts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers (id),
    name text NOT NULL,
    email text UNIQUE
);
