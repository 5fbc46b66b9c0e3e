"""Looking before a link may work: counts for the checks of its blueprint, its settings, and what those rest on.

Reads through the engine, within the account's budget, page by page and not without end. Must not: decide (the pure core
says what stands in the way), or write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from actors.core import preflight
from actors.core.blueprint.compiler import BlueprintError
from actors.core.lifecycle import Establishment
from actors.core.places import qualified
from actors.core.policy import LinkSpec, StreamSpec
from actors.core.preflight import Found, Obstacle
from actors.core.setup import Check, CheckKind, Chosen, Moment, Place, Required, Wanted
from actors.core.types import SIDES, Record, Side, other
from actors.ports import ObjectInfo, Page
from daemon.api.desk import Desk
from daemon.store.life_rows import StandingRow
from daemon.store.rows import ConnectionInfo

Pair = Mapping[Side, ConnectionInfo]
PAGE: Final = 500
COUNTED_MAX: Final = 10_000  # what has to be empty: more than so many need not be counted
READ_MAX: Final = 200_000
NAMED_MAX: Final = 20


class Preflight:
    """Looks for one link: its rules and both connections."""

    def __init__(self, desk: Desk, spec: LinkSpec, pair: Pair) -> None:
        self._desk = desk
        self._spec = spec
        self._pair = pair
        self._names = {side: pair[side].name for side in SIDES}
        self._keys: dict[tuple[Side, str], str] = {}

    async def obstacles(self, moment: Moment, settings: Mapping[str, Any]) -> list[Obstacle]:
        """What stands in the way at this moment, and what is worth knowing. `settings`: what the link has chosen so far."""
        found = []
        for check in self._spec.setup.at(moment):
            where = await self._where(check.where, settings)
            if where is None:
                continue  # what it asks for is not chosen yet, which is said by itself
            counted = await self._found(check, where)
            one = preflight.obstacle(self._spec.setup, check, counted, self._names, where)
            if one is not None:
                found.append(one)
        return found

    async def preparations(self, settings: Mapping[str, Any]) -> list[Obstacle]:
        """What is missing for the link to be active: required settings first, then the checks of that moment."""
        lacks = [
            await self._lacking(setting, settings.get(setting.name), settings)
            for setting in self._spec.setup.settings
        ]
        said = {setting.name for setting in self._spec.setup.settings}
        needed = [one for one in self._spec.settings if one.needed and one.name not in said]
        lacks += [preflight.lacking_value(one.name, one.doc) for one in needed if one.name not in settings]
        in_the_way = await self.obstacles(Moment.ACTIVATION, settings)
        return [one for one in lacks if one is not None] + in_the_way

    async def rests_on(self) -> dict[str, str]:
        """What the settings rest on, as it is now."""
        return {name: await self._value(place) for name, place in self._spec.setup.rests_on.items()}

    # ------------------------------------------------------------------------------------------------ settings

    async def _lacking(
        self, setting: Required, chosen: object, settings: Mapping[str, Any]
    ) -> Obstacle | None:
        keys = await self._keys_of(setting, settings) if setting.keys is not None else None
        values = set(await self._column(setting.values)) if setting.values is not None else None
        return preflight.lacking(setting, chosen, keys, values, self._names)

    async def _keys_of(self, setting: Required, settings: Mapping[str, Any]) -> set[str]:
        place = setting.keys
        assert place is not None
        where = await self._where(setting.where, settings)
        if where is None:
            return set()  # which of them count is not chosen yet
        found = self._records(place.side, place.object, (place.field,), where)
        return {preflight.as_text(record.native.get(place.field)) async for record in found}

    async def _where(
        self, where: Mapping[str, Wanted], settings: Mapping[str, Any]
    ) -> Mapping[str, str] | None:
        """What each field has to show, as it is now; None where a setting is not chosen."""
        found: dict[str, str] = {}
        for field, wanted in where.items():
            if isinstance(wanted, Chosen):
                said = preflight.chosen(settings, self._spec.settings, wanted.setting)
                if said is None:
                    return None
                found[field] = said
            else:
                found[field] = (
                    await self._value(wanted) if isinstance(wanted, Place) else preflight.as_text(wanted)
                )
        return found

    async def _column(self, place: Place) -> list[str]:
        found = self._records(place.side, place.object, (place.field,))
        return [preflight.as_text(record.native.get(place.field)) async for record in found]

    async def _value(self, place: Place) -> str:
        """Of the first record; "" where there is none."""
        page = await self._page(place.side, place.object, "", (place.field,), 1)
        return preflight.as_text(page.records[0].native.get(place.field)) if page.records else ""

    # -------------------------------------------------------------------------------------------------- checks

    async def _found(self, check: Check, where: Mapping[str, str]) -> Found:
        match check.kind:
            case CheckKind.EMPTY:
                return await self._in_the_way(check, where)
            case CheckKind.SOME:
                return Found(int(await self._any(check, where)))
            case CheckKind.FILLED:
                return await self._those(
                    check, where, lambda record: any(not key for key in _key(check, record))
                )
            case CheckKind.NO_CLASH:
                theirs = self._records(other(check.side), check.against, check.by)
                known = {key async for one in theirs if all(key := _key(check, one))}
                return await self._those(check, where, lambda record: _key(check, record) in known)
            case CheckKind.UNIQUE:
                counted: Counter[tuple[str, ...]] = Counter()
                async for record in self._records(check.side, check.object, check.by, where):
                    counted[_key(check, record)] += 1
                return await self._those(
                    check, where, lambda record: all(key := _key(check, record)) and counted[key] > 1
                )

    async def _any(self, check: Check, where: Mapping[str, str]) -> bool:
        async for _ in self._records(check.side, check.object, (), where, 1 if not where else PAGE):
            return True
        return False

    async def _those(self, check: Check, where: Mapping[str, str], wrong: Any) -> Found:
        count = 0
        named: list[str] = []
        async for record in self._records(check.side, check.object, check.by, where):
            if wrong(record):
                count += 1
                named += [record.id] if len(named) < NAMED_MAX else []
        return Found(count, named=tuple(named))

    async def _in_the_way(self, check: Check, where: Mapping[str, str]) -> Found:
        """Records that no established link between the same two accounts has bound."""
        fields = (*((check.sample[0],) if check.sample else ()), *where)
        bound_by = await self._bound_by(check)
        count = sample = 0
        position, more = "", True
        while more and count <= COUNTED_MAX:
            page = await self._page(check.side, check.object, position, fields, PAGE)
            ids = {record.id for record in page.records if _shows(record, where)}
            for link, stream, side in bound_by:
                known = {qualified(stream, side, check.object, id): id for id in ids}
                bound = await self._desk.life.bound(link, stream.name, side, sorted(known))
                ids -= {known[id] for id in bound}
            loose = [record for record in page.records if record.id in ids]
            count += len(loose)
            sample += sum(_is_sample(check, record) for record in loose)
            position, more = page.cursor, page.more
        return Found(count, more=more and count > COUNTED_MAX, sample=sample)

    async def _bound_by(self, check: Check) -> list[tuple[str, StreamSpec, Side]]:
        """(link, stream, side) of links that stand between the same accounts and keep this object in step."""
        accounts = {side: account(self._pair[side]) for side in SIDES}
        found: list[tuple[str, StreamSpec, Side]] = []
        for row in await self._desk.life.standings(accounts["a"], accounts["b"]):
            if set(row.accounts.values()) != set(accounts.values()) or not _stands(row):
                continue
            here: Side = "a" if row.accounts["a"] == accounts[check.side] else "b"
            try:
                streams = self._desk.blueprints.load(row.blueprint, row.settings).streams
            except BlueprintError:
                continue
            found += [(row.id, one, here) for one in streams if check.object in one.objects_on(here)]
        return found

    # ------------------------------------------------------------------------------------------------- reading

    async def _records(
        self,
        side: Side,
        name: str,
        fields: Sequence[str],
        where: Mapping[str, str] | None = None,
        size: int = PAGE,
    ) -> AsyncIterator[Record]:
        """Those that show what `where` says."""
        position, more, read = "", True, 0
        where = where or {}
        while more and read < READ_MAX:
            page = await self._page(side, name, position, (*fields, *where), size)
            for record in page.records:
                if _shows(record, where):
                    yield record
            read += len(page.records)
            position, more = page.cursor, page.more

    async def _page(self, side: Side, name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        asked = tuple(fields) or (await self._key(side, name),)
        page: Page = await self._desk.engine.call(self._pair[side].id, "scan", name, position, asked, limit)
        return page

    async def _key(self, side: Side, name: str) -> str:
        if (side, name) not in self._keys:
            offered: Sequence[ObjectInfo] = await self._desk.engine.call(self._pair[side].id, "describe")
            self._keys |= {(side, info.name): info.key for info in offered}
        return self._keys[side, name]


def account(connection: ConnectionInfo) -> tuple[str, str]:
    """The account behind a connection: connector and identity."""
    return connection.connector, connection.identity


def _stands(row: StandingRow) -> bool:
    return row.establishment in (Establishment.ESTABLISHED, Establishment.OFF)


def _key(check: Check, record: Record) -> tuple[str, ...]:
    return tuple(preflight.as_text(record.native.get(field)) for field in check.by)


def _shows(record: Record, where: Mapping[str, str]) -> bool:
    return all(preflight.as_text(record.native.get(field)) == value for field, value in where.items())


def _is_sample(check: Check, record: Record) -> bool:
    if check.sample is None:
        return False
    field, value = check.sample
    return preflight.as_text(record.native.get(field)) == preflight.as_text(value)
