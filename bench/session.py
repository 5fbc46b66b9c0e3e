"""One run of the bench: its servers, and the loaded link that one figure leaves to the next. Must not: judge a figure."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import tables
from bench.servers import Systems, systems
from bench.stand import Load, Stand

ROWS_PER_S_MIN = 400  # a load that is slower than this is given up


@dataclass(frozen=True)
class Options:
    """`scale`: all sizes times this (for a quick look; such figures mean nothing). `sling`: measure it beside the loads."""

    scale: float = 1.0
    runs: int | None = None
    sling: bool = True

    def rows(self, full: int) -> int:
        """A size as it is used."""
        return max(100, int(full * self.scale))

    def repeat(self, usual: int) -> int:
        """How often something is measured."""
        return self.runs or usual


class Session:
    """The databases a (filled) and b, those of the scripts (c, d and their state s), and a daemon. `found`: None where no
    figure is measured that needs a database."""

    def __init__(self, folder: Path, found: Systems | None, options: Options) -> None:
        self.folder = folder
        self.options = options
        self._systems = found
        self._rows = 0
        self._stand: Stand | None = None
        self._find = ""
        self._made = 0

    async def filled(self, rows: int) -> None:
        """Databases of this size: a full, the others as empty tables. No daemon is left running."""
        await self.drop_stand()
        if rows == self._rows:
            return
        say(f"{rows:,} rows are made up")
        await self.systems.renew("a", "b", "c", "d", "s")
        for name in ("a", "b", "c", "d"):
            async with self.systems.session(name) as db:
                await db.execute(tables.SCHEMA)
                if name == "a":
                    await db.execute(tables.FILL, rows)
                    await db.execute("VACUUM ANALYZE customers")
        self._rows = rows

    async def fresh_load(self, find: str = "modified") -> Load:
        """A new daemon loads a into the emptied b; it stays for the figures that follow."""
        await self.drop_stand()
        async with self.systems.session("b") as b:
            await b.execute("TRUNCATE customers")
        self._made += 1
        self._stand = stand = await Stand.start(self.systems, self.folder / f"daemon-{self._made}")
        self._find = find
        await stand.connect(find)
        await self.systems.settle()
        load = await stand.load(self._rows, 300 + self._rows / ROWS_PER_S_MIN)
        for name in ("a", "b"):
            async with self.systems.session(name) as db:
                await db.execute("ANALYZE customers")
        return load

    async def loaded(self, rows: int, find: str = "modified") -> Stand:
        """A link of this size at rest: the one that stands there, or a new one."""
        if self._stand is None or rows != self._rows:
            await self.filled(rows)
            say(f"{rows:,} rows are loaded")
            await self.fresh_load(find)
            assert self._stand is not None
            await self._stand.quiet()
        if find != self._find:
            await self._stand.find_by(find)
            self._find = find
        return self._stand

    async def empty_stand(self) -> Stand:
        """A daemon with nothing in it."""
        await self.drop_stand()
        self._made += 1
        self._stand = await Stand.start(self.systems, self.folder / f"daemon-{self._made}")
        self._rows, self._find = 0, ""
        return self._stand

    @property
    def systems(self) -> Systems:
        """The server of all databases."""
        if self._systems is None:
            raise RuntimeError("this session was begun without databases")
        return self._systems

    @property
    def rows(self) -> int:
        """How many rows a holds."""
        return self._rows

    async def drop_stand(self) -> None:
        """End the daemon, and remove its files."""
        if self._stand is not None:
            data_dir = self._stand.daemon.data_dir
            await self._stand.stop()
            shutil.rmtree(data_dir, ignore_errors=True)
            self._stand = None


@asynccontextmanager
async def session(options: Options, *, databases: bool = True) -> AsyncIterator[Session]:
    """Everything a run of the bench needs, in a temporary folder that goes with it; the databases where they are wanted."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
    folder.chmod(0o755)
    try:
        async with AsyncExitStack() as stack:
            found = None
            if databases:
                buffers = "2GB" if options.scale == 1 else "128MB"
                found = await stack.enter_async_context(systems(folder / "systems", buffers))
            running = Session(folder, found, options)
            stack.push_async_callback(running.drop_stand)
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def say(text: str) -> None:
    """Progress, beside the figures."""
    print(f"  {text}", file=sys.stderr, flush=True)
