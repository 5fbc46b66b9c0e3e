"""The rules of a link as people change them: blueprint and settings, in versions. One transaction per change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from actors.core import settings as rules
from actors.core.settings import Changes, Kept
from actors.core.types import SIDES, Hint
from actors.delivery import SCHEDULED
from daemon.store.base import Base
from daemon.store.codec import Row, to_json
from daemon.store.inbox import put_hints
from daemon.store.pool import Connection
from daemon.store.queries import sql
from daemon.store.rows import Listing, Missing, Refused, VersionRow, page_place, page_token

NEWEST: Final = 2**31 - 1
CREATED: Final = "as created"
REREAD: Final = "rules changed"  # the reason of hints to look at a whole object again


class AdminSettings(Base):
    """The part of the admin queries about settings."""

    async def list_versions(self, link: str, size: int, page: str = "") -> Listing[VersionRow]:
        """Newest first; none where nothing was ever changed."""
        found = await self._fetch(sql("rules_versions"), link, *page_place(page, NEWEST), size + 1)
        rows = tuple(map(_version, found[:size]))
        return Listing(rows, page_token(rows[-1].version) if len(found) > size else "")

    async def get_version(self, link: str, version: int) -> VersionRow:
        """One version of the rules of a link."""
        row = await self._row(sql("rules_version"), link, version)
        if row is None:
            raise Missing("version", version)
        return _version(row)

    async def change_rules(
        self,
        link: str,
        was: int,
        now: VersionRow,
        mappings: Mapping[str, Any],
        changes: Changes,
    ) -> None:
        """Put the rules `now` (its version is the next one after `was`) in the place of those of version `was`, and with
        them what is chosen for the link; where `now` keeps nothing of that, it stays as it is.

        All at once: the version, the lease of whoever works under the old rules, hints for what has to be looked at again.
        `Refused` where the rules are no longer those of version `was`.
        """
        async with self._transaction() as db:
            row = await db.fetchrow(sql("rules_lock"), link)
            if row is None:
                raise Missing("link", link)
            stored = msgspec.json.decode(row["settings"])
            old = rules.load(stored)
            if old.version != was:
                raise Refused(
                    f"the settings are at version {old.version} by now, not at {was}",
                    "look at them again, and change what is there now",
                )
            had = rules.chosen(stored)
            await _keep(
                db, link, VersionRow(1, row["blueprint"], old.rules, "", row["created"], CREATED, had)
            )
            await db.execute(sql("rules_versions_had"), link, was, to_json(had))
            if now.chosen is None:
                now = msgspec.structs.replace(now, chosen=had)
            remapped = {**old.remapped, **dict.fromkeys(changes.reread, now.at)}
            kept = Kept(now.settings, now.version, mappings, remapped)
            await db.execute(
                sql("rules_change"),
                link,
                now.blueprint,
                to_json({**(now.chosen or {}), **rules.dump(kept)}),
            )
            await _keep(db, link, now)
            await _follow(db, link, changes, self._clock.now())


async def _keep(db: Connection, link: str, row: VersionRow) -> None:
    plain = row.version, row.blueprint, row.settings, row.by, row.at, row.note
    await db.execute(sql("rules_versions_put"), link, *plain, to_json(row.chosen or {}))


async def _follow(db: Connection, link: str, changes: Changes, now: float) -> None:
    """What new rules mean for what is noted of the link."""
    await db.fetchval(sql("inbox_lock"), link)
    await db.execute(sql("rules_plans"), link, [*changes.reread, *changes.gone])
    await db.execute(sql("rules_forget"), link, list(changes.gone))
    await db.execute(sql("hints_hurry"), link, list(changes.retimed), SCHEDULED)
    hints = _whole(changes.reread)
    if changes.added:
        back = await db.fetch(sql("rules_back"), link, list(changes.added))
        hints += _whole(sorted(row["stream"] for row in back))
    pending = await db.fetch(sql("rules_pending"), link, [*changes.reread, *changes.added])
    hints += [Hint(row["stream"], row["side"], row["id"], reason=REREAD) for row in pending]
    if hints:
        await put_hints(db, link, hints, now)


def _whole(streams: Sequence[str]) -> list[Hint]:
    return [Hint(stream=stream, side=side, id="", reason=REREAD) for stream in streams for side in SIDES]


def _version(row: Row) -> VersionRow:
    plain = {name: row[name] for name in VersionRow.__struct_fields__ if name != "chosen"}
    return VersionRow(**plain, chosen=None if row["chosen"] is None else msgspec.json.decode(row["chosen"]))
