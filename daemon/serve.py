"""The composition root: builds everything top to bottom, waits, closes in reverse; and `main` of the command `tandemd`.

The only place where the implementations meet. A side task that dies stops the process: nothing limps. Must not: hold logic
that a part could hold.
"""

from __future__ import annotations

import functools
import gc
import importlib.metadata
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager, suppress
from typing import Any, Final

import anyio
import anyio.abc

from actors.core.errors import TandemError
from actors.messages import Options, Ports
from actors.root import RootActor
from clients.connectors.catalog import CATALOG, open_connector
from daemon import command, config, http, log, opening, wiring
from daemon.api import server as api
from daemon.api.desk import Desk
from daemon.config import Config
from daemon.health import Pulse, Watcher
from daemon.metrics import Metrics
from daemon.news import News
from daemon.notes import ConnectionNotes
from daemon.opening import StartError
from daemon.restored import Keeper, Restored
from daemon.secrets import VARIABLE, SecretBox, load_box
from daemon.store.admin import Admin
from daemon.store.admin_life import Life
from daemon.store.admin_names import Names
from daemon.store.embedded import EmbeddedPostgres
from daemon.store.kept_tokens import KeptTokens
from daemon.store.pg import PgStore
from daemon.store.pool import Pool
from daemon.telemetry import ActionTelemetry
from daemon.webhooks import Receiver

GARBAGE_AFTER: Final = 2_000  # objects: large blocks of lines hang on few of them
VERSION: Final = importlib.metadata.version("tandemd")


class SideTaskDied(Exception):
    """A task that the daemon can't do without has ended."""


class Daemon:
    """One run of the daemon with this configuration."""

    def __init__(self, config: Config, ready_fd: int | None = None) -> None:
        self._config = config
        self._ready_fd = ready_fd
        self._clock = wiring.SystemClock()
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{self._clock.token()[:8]}"
        self._started = self._clock.monotonic()
        self._asked_to_stop = anyio.Event()
        self._hurry = anyio.Event()
        self._stopping = False
        self._draining = False
        self._engine_alive = False
        self._root: RootActor | None = None
        self._http_at = config.http_listen
        self._log = log.logger("serve")

    def stop(self) -> None:
        """Drain, then close everything; a second time: don't wait for the runs."""
        (self._hurry if self._asked_to_stop.is_set() else self._asked_to_stop).set()

    async def run(self) -> None:
        """Until stopped. `StartError` where it can't start, `SideTaskDied` where it can't go on (perhaps in a group)."""
        async with AsyncExitStack() as below:
            lock = await below.enter_async_context(opening.data_dir_lock(self._config))
            postgres = await below.enter_async_context(opening.embedded_postgres(self._config, lock))
            dsn = postgres.dsn if postgres is not None else self._config.database_url
            pool = await below.enter_async_context(opening.database(dsn, self._config, self._owner))
            async with anyio.create_task_group() as tasks:
                if postgres is not None:
                    tasks.start_soon(self._side, "postgres", postgres.keep_running)
                await self._serve(tasks, pool, postgres)
                tasks.cancel_scope.cancel()
        self._log.info("daemon.stopped")

    async def _serve(self, tasks: anyio.abc.TaskGroup, pool: Pool, postgres: EmbeddedPostgres | None) -> None:
        """All that stands on the database, from secrets to HTTP; returns when the daemon was asked to stop."""
        box = self._box()
        parts = pool, self._clock, box
        admin, names, store, tokens = Admin(*parts), Names(*parts), PgStore(*parts), KeptTokens(*parts)
        if postgres is not None:
            # Ours alone: whoever held a lease is dead, and nobody has to wait until it runs out.
            await admin.free_leases()
            await tokens.free_turns()
        keeper = Keeper(admin, self._config.data_dir)
        await keeper.compare()  # before anything works on an older state
        metrics, news, notes = Metrics(VERSION), News(), ConnectionNotes(admin)
        blueprints = wiring.Blueprints()
        telemetry = ActionTelemetry(metrics, _both(news.heard, notes.heard))
        for connector in CATALOG:
            metrics.add_connector(connector)
        connect = functools.partial(wiring.connect, tokens)
        ports = Ports(store, connect, blueprints.for_engine, self._clock, telemetry)
        root = self._root = RootActor(ports, self._options())
        stale_after_s = self._config.stale_after_s
        watcher = Watcher(admin, names, blueprints, telemetry, self._clock, self._pulse, stale_after_s)
        await opening.first_token(admin, names, self._config.data_dir)
        await watcher.name_all()  # before the engine reports of one
        tasks.start_soon(self._side, "notes", notes.keep)
        tasks.start_soon(self._side, "stamp", keeper.keep)
        tasks.start_soon(self._engine, root)
        desk = Desk(
            admin=admin,
            names=names,
            life=Life(*parts),
            signer=box.signer,
            store=store,
            tokens=tokens,
            engine=root,
            clock=self._clock,
            telemetry=telemetry,
            news=news,
            blueprints=blueprints,
            open=open_connector,
            health=watcher.health,
            drain=self._drain,
            version=VERSION,
            started=self._started,
            store_kind="embedded" if postgres is not None else "external",
            public_url=lambda: self._config.public_url.rstrip("/") or f"http://{self._http_at}",
        )
        called = functools.partial(wiring.webhook_called, store)
        receiver = Receiver(admin, store, blueprints, self._clock, telemetry, called, root.wake)
        restarts: Callable[[], int] = functools.partial(getattr, postgres, "restarts", 0)
        pages = http.application(
            metrics, watcher.health, lambda: self._pulse().engine_up, restarts, receiver.receive
        )
        await self._faces(tasks, self._grpc(desk, watcher, metrics), pages, watcher, desk.store_kind)
        # A backup that was taken until now is an older state from now on.
        with suppress(TandemError, Restored):
            await keeper.count_up()

    async def _faces(
        self, tasks: anyio.abc.TaskGroup, served: Any, pages: Any, watcher: Watcher, store_kind: str
    ) -> None:
        """gRPC and HTTP, until the daemon is asked to stop."""
        async with AsyncExitStack() as faces:
            grpc_server = await _listening(faces, served, "listen")
            http_port = await _listening(faces, self._http(pages), "http_listen")
            self._http_at = _place(self._config.http_listen, http_port)
            await grpc_server.set_ready(await watcher.ready())
            tasks.start_soon(self._side, "health", grpc_server.keep_health, watcher.ready)
            _leave_the_old_alone()
            with self._announced(grpc_server.port, http_port, store_kind):
                await self._asked_to_stop.wait()
            self._stopping = True
            await grpc_server.set_ready(False)
            await self._drain_for_exit()

    # ------------------------------------------------------------------------------------------------ building

    def _box(self) -> SecretBox:
        try:
            return load_box(self._config.data_dir, {VARIABLE: self._config.secret_key})
        except TandemError as error:
            raise StartError(error.message, error.hint) from error

    def _options(self) -> Options:
        found = self._config
        return Options(
            self._owner, lease_ttl_s=found.lease_ttl_s, window=found.window, links_max=found.links_max
        )

    def _grpc(
        self, desk: Desk, watcher: Watcher, metrics: Metrics
    ) -> AbstractAsyncContextManager[api.ApiServer]:
        found = self._config
        limits = api.Limits(found.call_timeout_s, found.call_timeout_max_s)
        return api.serving(desk, watcher, metrics, found.listen, _tls(found), limits)

    def _http(self, pages: Any) -> AbstractAsyncContextManager[int]:
        return http.serving(pages, *config.address(self._config.http_listen))

    @contextmanager
    def _announced(self, grpc_port: int, http_port: int, store: str) -> Iterator[None]:
        """Ready: said in the log, in a file and to whoever asked; taken back at the end."""
        found = self._config
        facts = {
            "pid": os.getpid(),
            "version": VERSION,
            "grpc": _place(found.listen, grpc_port),
            "http": _place(found.http_listen, http_port),
            "tls": found.tls_cert is not None,
            "store": store,
            "data_dir": str(found.data_dir),
        }
        path = opening.announce(found.data_dir, facts, self._ready_fd)
        self._log.info("daemon.ready", **facts)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            opening.notify("STOPPING=1")

    # ------------------------------------------------------------------------------------------------- running

    def _pulse(self) -> Pulse:
        root = self._root
        alive = self._engine_alive or self._draining
        if root is None:
            return Pulse(alive, self._draining, (), {})
        now = self._clock.monotonic()
        age_s = now - max(root.scanned_at, self._started)
        return Pulse(alive, self._draining or self._stopping, root.states(), root.running(), age_s)

    async def _side(self, name: str, run: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """A task that may end only when the daemon does."""
        try:
            await run(*arguments)
        except Exception as error:
            self._log.exception("task.died", task=name)
            raise SideTaskDied(f"the task {name} died: {type(error).__name__}: {error}") from error
        if not self._stopping and not (name == "engine" and self._draining):
            raise SideTaskDied(f"the task {name} ended by itself")

    async def _engine(self, root: RootActor) -> None:
        self._engine_alive = True
        try:
            await self._side("engine", root.run)
        finally:
            self._engine_alive = False

    async def _drain(self, timeout_s: float) -> int:
        self._draining = True
        self._log.info("daemon.draining", timeout_s=timeout_s)
        left = await self._root.drain(timeout_s) if self._root is not None else 0
        self._log.info("daemon.drained", runs_left=left)
        return left

    async def _drain_for_exit(self) -> None:
        async with anyio.create_task_group() as tasks:

            async def hurried() -> None:
                await self._hurry.wait()
                self._log.warning("daemon.hurried")
                tasks.cancel_scope.cancel()

            tasks.start_soon(hurried)
            await self._drain(self._config.drain_timeout_s)
            tasks.cancel_scope.cancel()


def _leave_the_old_alone() -> None:
    """What is there by now stays to the end: the garbage collector need not look through it for every window of records,
    nor after every few hundred objects (a window makes tens of thousands, and hardly a cycle among them). Not too seldom
    either: blocks of a megabyte hang on a few objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)


def _both(*listeners: Callable[[str, Mapping[str, Any]], None]) -> Callable[[str, Mapping[str, Any]], None]:
    def heard(action: str, fields: Mapping[str, Any]) -> None:
        for listener in listeners:
            listener(action, fields)

    return heard


async def _listening(faces: AsyncExitStack, face: AbstractAsyncContextManager[Any], setting: str) -> Any:
    try:
        return await faces.enter_async_context(face)
    except OSError as error:
        hint = f"choose another address with {setting} (TANDEM_{setting.upper()}), or stop what uses it"
        raise StartError(str(error), hint) from error


def _tls(found: Config) -> api.Tls | None:
    if found.tls_cert is None or found.tls_key is None:
        return None
    client_ca = found.tls_client_ca.read_bytes() if found.tls_client_ca is not None else None
    return api.Tls(found.tls_cert.read_bytes(), found.tls_key.read_bytes(), client_ca)


def _place(listen: str, port: int) -> str:
    return f"{listen.rpartition(':')[0]}:{port}"


# --------------------------------------------------------------------------------------------------- the command


async def serve(config: Config, ready_fd: int | None = None) -> None:
    """Run a daemon until SIGTERM or SIGINT; a second one of them does not wait for the runs."""
    daemon = Daemon(config, ready_fd)

    async def obey() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                daemon.stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(obey)
        await daemon.run()
        tasks.cancel_scope.cancel()


def main() -> None:
    """The command `tandemd`. Exit status: 0 stopped, 1 died or could not start, 2 wrong usage, 78 wrong configuration."""
    with suppress(KeyboardInterrupt):
        raise SystemExit(command.run(serve, VERSION))


if __name__ == "__main__":
    main()
