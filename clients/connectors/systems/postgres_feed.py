"""find: trigger. Installs the queue of touched keys (postgres_feed.sql), drains it, acknowledges, and waits for more.

Owns the schema `tandem` and the triggers of its own consumer in the database that is looked at; another consumer's
are never touched. A row is acknowledged by its own number, never "all up to". Must not read the tables themselves.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

import anyio
import asyncpg

from actors.core.errors import Kind, Scope, TandemError
from actors.ports import Find, Touched
from clients.connectors.systems import postgres_errors as errors
from clients.connectors.systems.postgres_catalog import Catalog, Table
from clients.connectors.systems.postgres_own import OwnWrites
from clients.connectors.systems.postgres_session import Connection, Session
from clients.connectors.systems.postgres_values import fill, quoted

VERSION = 1
INSTALL_SQL = Path(__file__).with_name("postgres_feed.sql").read_text(encoding="utf-8")
# Any number that nobody else uses: two daemons that start at once must not both install.
INSTALL_LOCK = 7_305_440_127_001
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
# How long a silent line is believed, and how often is looked where the server may not notify.
WATCH_PERIOD_S, POLL_PERIOD_S = 30.0, 0.5
VERIFY_PERIOD_S = 60.0

# What installing takes, per table; asked, since nothing is to be tried out in a database that may be the wrong one.
RIGHTS = """
SELECT CASE WHEN to_regclass('tandem.feed_install') IS NULL
            THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege('tandem', 'USAGE')
       END AS may_queue,
       (SELECT coalesce(min(oid::regclass::text), '') FROM unnest($1::bigint[]::oid[]) AS oid
         WHERE NOT has_table_privilege(oid, 'TRIGGER')) AS no_trigger"""
IS_INSTALLED = "SELECT to_regclass('tandem.feed_install') IS NOT NULL AS there"
INSTALLED = "SELECT version, (SELECT id FROM tandem.feed_consumers WHERE name = $1) AS consumer FROM tandem.feed_install"
REGISTER = """
INSERT INTO tandem.feed_consumers (name) VALUES ($1)
ON CONFLICT (name) DO UPDATE SET seen = now() RETURNING id, registered = now() AS is_new"""
TRIGGERS = """
SELECT t.tgrelid::bigint AS relation, t.tgname::text AS name, t.tgenabled = 'O' AS is_enabled,
       pg_get_triggerdef(t.oid) AS definition, n.nspname::text AS schema, c.relname::text AS table
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE t.tgfoid = to_regprocedure('tandem.feed_touch()') AND NOT t.tgisinternal AND t.tgparentid = 0
   AND t.tgname ~ ('^tandem_' || $1::text || '_')"""
CREATE = "CREATE TRIGGER {name} AFTER {event} ON {table} {transition} FOR EACH {level} EXECUTE FUNCTION tandem.{function}"
DROP = "DROP TRIGGER {name} ON {table}"
DRAIN = """
SELECT seq, coalesce(pg_partition_root(relation), relation)::bigint AS relation, key, xmin::text AS made_by
  FROM tandem.feed_touched WHERE consumer = $1 ORDER BY seq LIMIT $2"""
FORGET = """
DELETE FROM tandem.feed_touched
 WHERE consumer = $1 AND relation = $2::bigint::oid AND key = ANY ($3::text[])"""
# Not waited for at the disk: keys that come again after a crash of the server are looked at once more.
ACK = """
DELETE FROM tandem.feed_touched USING (SELECT set_config('synchronous_commit', 'off', true)) AS late
 WHERE consumer = $1 AND seq = ANY ($2::bigint[])"""
TOUCH_ALL = "INSERT INTO tandem.feed_touched (consumer, relation, key) VALUES ($1, $2::bigint::oid, '')"
SEEN = "UPDATE tandem.feed_consumers SET seen = now() WHERE id = $1 AND seen < now() - interval '1 hour'"
IS_ANY = "SELECT EXISTS (SELECT FROM tandem.feed_touched WHERE consumer = $1) AS there"
MAY_NOTIFY = """
SELECT current_setting('max_prepared_transactions') = '0'
       OR coalesce(current_setting('tandem.notify', true), '') = 'on' AS there"""
UNINSTALL = """
DROP FUNCTION tandem.feed_touch(); DROP FUNCTION tandem.forget(text);
DROP TABLE tandem.feed_touched, tandem.feed_consumers, tandem.feed_install"""
IS_SCHEMA_EMPTY = (
    "SELECT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'tandem'::regnamespace) AS there"
)

EVENTS: Mapping[str, str] = {
    "INSERT": "REFERENCING NEW TABLE AS new_rows",
    "UPDATE": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "REFERENCING OLD TABLE AS old_rows",
    "TRUNCATE": "",
}
RIGHTS_HINT = (
    "find: trigger needs CREATE on the database (or USAGE on schema tandem and all rights on its tables) and TRIGGER "
    "on the tables: grant them, or use find: modified or find: full"
)


class Feed:
    """The queue of one consumer. Not for connections without an object in mode `trigger`."""

    def __init__(self, session: Session, catalog: Catalog, consumer: str, own: OwnWrites) -> None:
        self._own = own
        self._session = session
        self._catalog = catalog
        self._name = consumer
        self._id: int | None = None
        self._verified = 0.0
        self._lines: set[asyncpg.Connection[asyncpg.Record]] = set()

    async def check(self) -> None:
        """Whether everything is there or could be made; writes nothing. Raises CONFIG for what can't be watched."""
        tables = self._watched()
        consumer = await self._registered()
        if consumer is not None:
            found = await self._session.fetch("look at the triggers", TRIGGERS, str(consumer))
            if not _differ(tables, found, consumer):
                return
        (may,) = await self._session.fetch("look at the rights", RIGHTS, [table.oid for table in tables])
        if not may["may_queue"] or may["no_trigger"]:
            what = (
                f"table {may['no_trigger']}"
                if may["may_queue"]
                else "the queue of touched keys (schema tandem)"
            )
            raise TandemError(
                Kind.CONFIG, f"permission denied for {what}", scope=Scope.CONNECTION, hint=RIGHTS_HINT
            )

    def _watched(self) -> list[Table]:
        return [_checked(table) for table in self._catalog.watched]

    async def install(self) -> None:
        """Make what is missing, remove triggers on tables that are objects no longer. Raises CONFIG without the rights.

        Triggers that were lost (a table made anew, a trigger disabled) come back with a "look at the whole object".
        """
        tables = self._watched()
        try:
            self._id = await self._registered() or await self._install()
            found = await self._session.fetch("look at the triggers", TRIGGERS, str(self._id))
            if _differ(tables, found, self._id):
                self._id = await self._install()
        except TandemError as error:
            raise _with_hint(error) from error
        self._verified = anyio.current_time()

    async def drain(self, limit: int) -> Sequence[Touched]:
        """The oldest touched keys, each once, not acknowledged yet."""
        consumer = await self._consumer()
        if anyio.current_time() > self._verified + VERIFY_PERIOD_S:
            await self._verify(consumer)
        while rows := await self._session.fetch("drain the queue", DRAIN, consumer, limit):
            objects = {table.oid: table.object for table in self._catalog.watched}
            strays = [row["seq"] for row in rows if row["relation"] not in objects]
            if len(strays) < len(rows):
                return _coalesced(rows, objects, self._own)
            await self._session.fetch("clear the queue", ACK, consumer, strays)
        return ()

    async def ack(self, touched: Sequence[Touched]) -> None:
        """Remove exactly the rows that these keys were drained from."""
        numbers = [int(number) for item in touched for number in item.ack.split(",")]
        if numbers:
            await self._session.fetch("acknowledge", ACK, await self._consumer(), numbers)

    async def forget(self, connection: Connection, table: Table, keys: Sequence[str]) -> None:
        """Within a transaction that made these rows: nobody else can have touched them, so they are no news."""
        if table.find is Find.FEED:
            await connection.execute(FORGET, await self._consumer(), table.oid, list(keys))

    async def watch(self) -> AsyncGenerator[None, None]:
        """Yields at the start, at every NOTIFY, and now and then; polls where the server may not notify."""
        consumer = await self._consumer()
        woken = anyio.Event()

        def wake(*_: object) -> None:
            woken.set()

        line = await self._listening(wake)
        try:
            may_notify = await line.fetchval(MAY_NOTIFY)
            yield
            while True:
                with anyio.move_on_after(WATCH_PERIOD_S if may_notify else POLL_PERIOD_S):
                    await woken.wait()
                # Woken, there is no need to ask; the line is asked now and then, and so is whether it is alive.
                if woken.is_set() or await line.fetchval(IS_ANY, consumer):
                    woken = anyio.Event()
                    yield
        except errors.FAILURES as error:
            raise errors.translated(error, "watch the queue", self._session.secrets) from error
        finally:
            self._lines.discard(line)
            line.terminate()

    async def uninstall(self) -> None:
        """Remove this consumer with its triggers and its queue, and with the last one everything."""

        async def remove(connection: Connection) -> None:
            async with connection.transaction():
                if not await connection.fetchval(IS_INSTALLED):
                    return
                await connection.execute("SELECT tandem.forget($1)", self._name)
                if not await connection.fetchval("SELECT EXISTS (SELECT FROM tandem.feed_consumers)"):
                    await connection.execute(UNINSTALL)
                    if await connection.fetchval(IS_SCHEMA_EMPTY):
                        await connection.execute("DROP SCHEMA tandem")

        await self._session.reading("remove the triggers", remove)
        self._id = None

    def close(self) -> None:
        """Cut the lines of all watchers."""
        for line in tuple(self._lines):
            line.terminate()

    async def _consumer(self) -> int:
        if self._id is None:
            await self.install()
        assert self._id is not None
        return self._id

    async def _listening(self, wake: object) -> asyncpg.Connection[asyncpg.Record]:
        try:
            line = await self._session.dedicated()
            self._lines.add(line)
            line.add_termination_listener(wake)  # type: ignore[arg-type]
            await line.add_listener("tandem", wake)  # type: ignore[arg-type]
        except errors.FAILURES as error:
            raise errors.translated(error, "watch the queue", self._session.secrets) from error
        return line

    async def _verify(self, consumer: int) -> None:
        """Tables may have been made anew, triggers disabled, the consumer forgotten: put it right."""
        await self._catalog.refresh()
        await self._session.fetch("note that the queue is read", SEEN, consumer)
        await self.install()

    async def _registered(self) -> int | None:
        (there,) = await self._session.fetch("look at the queue", IS_INSTALLED)
        if not there["there"]:
            return None
        rows = await self._session.fetch("look at the queue", INSTALLED, self._name)
        return rows[0]["consumer"] if rows and rows[0]["version"] >= VERSION else None

    async def _install(self) -> int:
        async def ask(connection: Connection) -> int:
            async with connection.transaction():
                await connection.execute(LOCK_TIMEOUT)
                await connection.fetch("SELECT pg_advisory_xact_lock($1::bigint)", INSTALL_LOCK)
                return await self._make(connection)

        return await self._session.reading("install the triggers", ask)

    async def _make(self, connection: Connection) -> int:
        is_there = await connection.fetchval(IS_INSTALLED)
        version = await connection.fetchval("SELECT version FROM tandem.feed_install") if is_there else None
        if (version or 0) < VERSION:
            await connection.execute(INSTALL_SQL)
        registered = await connection.fetchrow(REGISTER, self._name)
        assert registered is not None
        consumer: int = registered["id"]
        tables = {table.oid: table for table in self._catalog.watched}
        found = await connection.fetch(TRIGGERS, str(consumer))
        wrong = _wrong(list(tables.values()), found, consumer)
        for row in found:
            if row["relation"] not in tables or row["relation"] in wrong:
                sql = fill(DROP, name=quoted(row["name"]), table=quoted(row["schema"], row["table"]))
                await connection.execute(sql)
        for relation in wrong:
            for statement in _statements(tables[relation], consumer):
                await connection.execute(statement)
            if not registered["is_new"]:
                await connection.execute(TOUCH_ALL, consumer, relation)
        return consumer


def _checked(table: Table) -> Table:
    """Raises CONFIG for what no trigger can watch as a whole."""
    if table.kind in {"r", "p"} and not table.has_children:
        return table
    reason = "other tables inherit from it" if table.has_children else "it is a view or a foreign table"
    raise TandemError(
        Kind.CONFIG,
        f"object {table.object}: find: trigger can't watch {table.name}, {reason}",
        scope=Scope.CONNECTION,
        hint="Use find: modified or find: full",
    )


def _names(consumer: int) -> dict[str, str]:
    return {f"tandem_{consumer}_{event.lower()}": event for event in EVENTS}


def _literal(text: str) -> str:
    """As the server itself writes it in a trigger's definition, which is compared with this."""
    return "'" + text.replace("'", "''") + "'"


def _function(consumer: int, key: str) -> str:
    """Without its schema: a role called tandem has that in its search path and is shown the bare name."""
    return f"feed_touch('{consumer}', {_literal(key)})"


def _statements(table: Table, consumer: int) -> list[str]:
    """The four triggers. Partitions are written to directly as well, and only row triggers reach down to them."""
    by_row = table.kind == "p"
    return [
        fill(
            CREATE,
            name=quoted(name),
            event=event,
            table=table.sql,
            transition="" if by_row else EVENTS[event],
            level="ROW" if by_row and event != "TRUNCATE" else "STATEMENT",
            function=_function(consumer, table.key.name),
        )
        for name, event in _names(consumer).items()
    ]


def _wrong(tables: Sequence[Table], found: Sequence[asyncpg.Record], consumer: int) -> list[int]:
    """Tables whose triggers are not all there, enabled, and for the right key."""
    right: dict[int, set[str]] = {}
    keys = {table.oid: table.key.name for table in tables}
    for row in found:
        key = keys.get(row["relation"])
        if key is not None and row["is_enabled"] and row["definition"].endswith(_function(consumer, key)):
            right.setdefault(row["relation"], set()).add(row["name"])
    return [table.oid for table in tables if right.get(table.oid) != set(_names(consumer))]


def _differ(tables: Sequence[Table], found: Sequence[asyncpg.Record], consumer: int) -> bool:
    watched = {table.oid for table in tables}
    return bool(_wrong(tables, found, consumer)) or any(row["relation"] not in watched for row in found)


def _coalesced(
    rows: Sequence[asyncpg.Record], objects: Mapping[int, str], own: OwnWrites
) -> tuple[Touched, ...]:
    """One `Touched` per key, in the order of its first touch; its `ack` names all rows of it."""
    numbers: dict[tuple[str, str], list[str]] = {}
    echoes: set[tuple[str, str]] = set()
    for row in rows:
        relation, key = row["relation"], row["key"]
        if name := objects.get(relation):
            numbers.setdefault((name, key), []).append(str(row["seq"]))
            if own.is_echo(row["made_by"], relation, key):
                echoes.add((name, key))
    return tuple(
        Touched(name, key, ",".join(acks), own=len(acks) == 1 and (name, key) in echoes)
        for (name, key), acks in numbers.items()
    )


def _with_hint(error: TandemError) -> TandemError:
    if error.kind is not Kind.CONFIG or "denied" not in error.message:
        return error
    return TandemError(error.kind, error.message, scope=Scope.CONNECTION, hint=RIGHTS_HINT)
