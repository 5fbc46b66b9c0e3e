-- What find: trigger keeps in the database that is looked at: the schema tandem. Run as a whole, version by version,
-- by whoever connects first (postgres_feed.py). It must never make a write of the application fail or wait:
-- the queue is append-only (no unique key to collide on, no row that two transactions update), the trigger function
-- survives renamed columns, and a queue that nobody drains stops growing. All names say feed_, because for a role that
-- is called tandem this schema comes first in the search path.
CREATE SCHEMA IF NOT EXISTS tandem;

CREATE TABLE IF NOT EXISTS tandem.feed_install (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version integer NOT NULL
);

-- A reader. `seen`: when it last drained, to the hour.
CREATE TABLE IF NOT EXISTS tandem.feed_consumers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  registered timestamptz NOT NULL DEFAULT now(),
  seen timestamptz NOT NULL DEFAULT now()
);

-- Touched keys, a row per statement and key; acknowledged by deleting exactly the rows that were read, so that a
-- transaction that commits late is never passed. key '': look at the whole object.
CREATE TABLE IF NOT EXISTS tandem.feed_touched (
  seq bigint GENERATED ALWAYS AS IDENTITY,
  consumer bigint NOT NULL,
  relation oid NOT NULL,
  key text NOT NULL,
  PRIMARY KEY (consumer, seq)
);
CREATE INDEX IF NOT EXISTS feed_touched_whole ON tandem.feed_touched (consumer, relation) WHERE key = '';

-- Arguments: the consumer's id, the key's column. One trigger per consumer, and not one that looks up who listens:
-- a transaction with an old snapshot would not see a new consumer.
CREATE OR REPLACE FUNCTION tandem.feed_touch() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  reader CONSTANT bigint := TG_ARGV[0];
  key_column CONSTANT text := TG_ARGV[1];
  queue_max CONSTANT bigint := coalesce(nullif(current_setting('tandem.queue_max', true), ''), '5000000');
  keys text := '';
  added bigint;
BEGIN
  IF (SELECT max(seq) - min(seq) FROM tandem.feed_touched WHERE consumer = reader) >= queue_max THEN
    INSERT INTO tandem.feed_touched (consumer, relation, key)
    SELECT reader, TG_RELID, ''
     WHERE NOT EXISTS (SELECT FROM tandem.feed_touched WHERE consumer = reader AND relation = TG_RELID AND key = '');
  ELSIF TG_OP = 'TRUNCATE' OR NOT EXISTS (
      SELECT FROM pg_attribute WHERE attrelid = TG_RELID AND attname = key_column AND NOT attisdropped) THEN
    INSERT INTO tandem.feed_touched (consumer, relation, key) VALUES (reader, TG_RELID, '');
  ELSIF TG_LEVEL = 'ROW' THEN
    IF TG_OP <> 'INSERT' THEN
      EXECUTE format('INSERT INTO tandem.feed_touched (consumer, relation, key) SELECT $1, $2, k.key '
                     'FROM (SELECT ($3).%I::text AS key) AS k WHERE k.key IS NOT NULL', key_column)
        USING reader, TG_RELID, OLD;
    END IF;
    IF TG_OP <> 'DELETE' THEN
      EXECUTE format('INSERT INTO tandem.feed_touched (consumer, relation, key) SELECT $1, $2, k.key '
                     'FROM (SELECT ($3).%1$I::text AS key) AS k WHERE k.key IS NOT NULL', key_column)
        USING reader, TG_RELID, NEW;
    END IF;
  ELSE
    IF TG_OP <> 'INSERT' THEN
      keys := format('SELECT o.%I::text FROM old_rows AS o', key_column);
    END IF;
    IF TG_OP = 'UPDATE' THEN
      keys := keys || ' UNION ';
    END IF;
    IF TG_OP <> 'DELETE' THEN
      keys := keys || format('SELECT n.%I::text FROM new_rows AS n', key_column);
    END IF;
    EXECUTE 'INSERT INTO tandem.feed_touched (consumer, relation, key) SELECT DISTINCT $1, $2, k.key FROM ('
            || keys || ') AS k (key) WHERE k.key IS NOT NULL'
      USING reader, TG_RELID;
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added = 0 THEN
      RETURN NULL;
    END IF;
  END IF;
  -- NOTIFY makes PREPARE TRANSACTION fail, so where two-phase commit is possible the reader polls instead, unless
  -- somebody who knows says otherwise: ALTER DATABASE ... SET tandem.notify = 'on'.
  IF current_setting('max_prepared_transactions') = '0' OR current_setting('tandem.notify', true) = 'on' THEN
    PERFORM pg_notify('tandem', '');
  END IF;
  RETURN NULL;
END
$function$;

-- Removes a reader that is gone for good, with its triggers and its queue.
CREATE OR REPLACE FUNCTION tandem.forget(consumer_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  reader bigint;
  found record;
BEGIN
  SELECT id INTO reader FROM tandem.feed_consumers WHERE name = consumer_name;
  FOR found IN
    SELECT t.tgname, t.tgrelid::regclass AS relation FROM pg_trigger t
     WHERE t.tgname ~ ('^tandem_' || reader || '_') AND NOT t.tgisinternal AND t.tgparentid = 0
       AND t.tgfoid = 'tandem.feed_touch()'::regprocedure
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.relation);
  END LOOP;
  DELETE FROM tandem.feed_touched WHERE consumer = reader;
  DELETE FROM tandem.feed_consumers WHERE id = reader;
END
$function$;

REVOKE ALL ON FUNCTION tandem.feed_touch(), tandem.forget(text) FROM PUBLIC;

INSERT INTO tandem.feed_install (version) VALUES (1) ON CONFLICT (only_row) DO UPDATE SET version = excluded.version;
