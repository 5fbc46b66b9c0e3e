"""Notices that the database is an older state than the one that was left, and has every link wait for a person then.

The database carries a stamp (system identifier, timeline, counter), and a file in the data directory carries the same. The
counter goes up every few seconds, first in the database, then in the file: a database that is behind the file was put back.
Must not: decide what is to become of a link; a person does (docs/OPERATING.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import anyio
import msgspec

from actors.core.errors import Kind, TandemError
from daemon import log
from daemon.opening import StartError, write_private
from daemon.store.admin import Admin
from daemon.store.rows import Stamp

FILE: Final = "stamp.json"
SAID_FILE: Final = "database-state"  # what an operator knows better: "restored" or "intact"
RESTORED: Final = "restored"
INTACT: Final = "intact"
EVERY_S: Final = 10.0


class Kept(msgspec.Struct, frozen=True):
    """What the file says of the database as it was left."""

    system_identifier: str = ""
    timeline: int = 0
    counter: int = 0


class Restored(Exception):
    """Under a running daemon the database became an older one."""


def trouble(now: Stamp, kept: Kept) -> str:
    """Why this can't be the state that was left, in words; "" where nothing speaks against it.

    What is not told ("" or 0: a new database, a new data directory, a server that keeps it to itself) proves nothing. Nor
    does a file of another server than the database's stamp: another daemon has seen to the move, or it is another database.
    """
    if now.known_system_identifier and now.system_identifier not in ("", now.known_system_identifier):
        return (
            f"it is in another server now ({now.system_identifier} instead of {now.known_system_identifier})"
        )
    if now.known_timeline and now.timeline not in (0, now.known_timeline):
        return (
            f"its server was restored or promoted (timeline {now.timeline} instead of {now.known_timeline})"
        )
    if kept.counter and not now.counter:
        return f"it carries no stamp, and this daemon left it at number {kept.counter}"
    same = kept.system_identifier in ("", now.system_identifier) or not now.system_identifier
    if same and now.counter < kept.counter:
        return f"it is an older state (number {now.counter}; this daemon left it at {kept.counter})"
    return ""


class Keeper:
    """Compares at the start, counts up while the daemon lives."""

    def __init__(self, admin: Admin, data_dir: Path) -> None:
        self._admin = admin
        self._path = data_dir / FILE
        self._said = data_dir / SAID_FILE
        self._kept = Kept()
        self._log = log.logger("restored")

    async def compare(self) -> int:
        """Before anything works on the database. How many links were made to wait."""
        self._kept = self._read()
        said = self._operator()
        why = trouble(await self._admin.stamp(), self._kept)
        links = 0
        if said == RESTORED or (why and said != INTACT):
            links = await self._admin.recover()
            self._log.warning("database.restored", links=links, reason=why or "an operator says so")
            await self._admin.add_audit(
                "daemon", "system.recover", "", detail={"reason": why, "links": links}
            )
        elif why:
            self._log.warning("database.taken_as_intact", reason=why)
        self._note(await self._admin.advance_stamp(self._kept.counter))
        self._said.unlink(missing_ok=True)
        return links

    async def keep(self) -> None:
        """Count up for ever; raises `Restored` where the database went back under us: the next start sees to it."""
        while True:
            await anyio.sleep(EVERY_S)
            try:
                await self.count_up()
            except TandemError as error:
                if error.kind is not Kind.TRANSIENT:
                    raise

    async def count_up(self) -> None:
        """First in the database, then in the file, which is never ahead of it. Raises `Restored`, and leaves the file."""
        if why := trouble(await self._admin.stamp(), self._kept):
            raise Restored(why)
        stamp = await self._admin.advance_stamp()
        if stamp.counter <= self._kept.counter:
            raise Restored(f"it went back to number {stamp.counter}")
        self._note(stamp)

    def _note(self, stamp: Stamp) -> None:
        self._kept = Kept(stamp.system_identifier, stamp.timeline, stamp.counter)
        try:
            write_private(self._path, msgspec.json.encode(self._kept).decode() + "\n")
        except OSError as error:  # a file that is behind proves less, and nothing wrong
            self._log.warning("stamp.not_written", file=str(self._path), error=str(error))

    def _read(self) -> Kept:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return Kept()
        except (OSError, msgspec.MsgspecError) as error:
            hint = f"mend it; or remove it, and write {RESTORED} or {INTACT} into {self._said}"
            raise StartError(f"can't read {self._path}: {error}", hint) from error

    def _operator(self) -> str:
        """What an operator says of the database, or ""."""
        try:
            said = self._said.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise StartError(f"can't read {self._said}: {error}", "remove it, or write it anew") from error
        if said not in (RESTORED, INTACT):
            raise StartError(f"{self._said} says {said[:40]!r}", f"it may say {RESTORED} or {INTACT}")
        return said
