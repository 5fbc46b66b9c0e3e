-- The CRM of the quickstart: two tables, as a small CRM might keep them.
CREATE TABLE customers (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number        text UNIQUE,
    name          text NOT NULL,
    street        text,
    zip           text,
    city          text,
    country       text,
    phone         text,
    email         text,
    vat_id        text,
    credit_limit  numeric(12, 2),
    blocked       boolean,
    owner         text,
    notes         text,
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE articles (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku         text NOT NULL UNIQUE,
    title       text,
    unit        text,
    price       numeric(12, 2),
    group_name  text,
    active      boolean,
    stock       integer,
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;

CREATE TRIGGER touched BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER touched BEFORE UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION touch();
