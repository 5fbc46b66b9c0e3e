"""Trying a connection against the live system, and saying what works and what does not. Only reads.

Works by the port alone, for every connector; one that can show more (`Probed`) adds what it knows of single answers. A
finding is in words for the person who writes the declaration. Must not: write, or show more of a record than a short value.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final, Literal, Protocol, runtime_checkable

import msgspec

from actors.core.errors import TandemError
from actors.core.types import Record
from actors.core.values import same
from actors.ports import Connector, Find, ObjectInfo

State = Literal["works", "fails", "open"]
RECORDS: Final = 50
PAGES_MAX: Final = 4
SHOWN_MAX: Final = 40


class Finding(msgspec.Struct, frozen=True):
    """One thing that was tried. `what`: account, list, paging, fields, look, gone, modified, find. `state`: `open` where the
    system's records do not show it. `hint`: the way out."""

    object: str
    what: str
    state: State
    message: str
    hint: str = ""


class Report(msgspec.Struct, frozen=True):
    """All that was found. `identity` "": it could not be asked."""

    identity: str
    findings: tuple[Finding, ...]


@runtime_checkable
class Probed(Protocol):
    """A connector that knows more of its answers than the port says."""

    async def probe_object(self, object_name: str, records: int) -> Sequence[Finding]:
        """What single answers show. Only reads."""
        ...


async def probe(connector: Connector, only: str = "", records: int = RECORDS) -> Report:
    """Try the account and every object (or `only` one), with at most `records` records of each. Raises nothing of the
    system's: what fails is a finding."""
    findings: list[Finding] = []
    identity = await _account(connector, findings)
    if any(one.state == "fails" for one in findings):
        return Report(identity, tuple(findings))
    try:
        objects = [one for one in await connector.describe() if only in ("", one.name)]
    except TandemError as error:
        return Report(identity, (*findings, _failed("", "objects", error)))
    if only and not objects:
        findings.append(Finding(only, "objects", "fails", f"there is no object {only}"))
    for one in objects:
        findings += await _Object(connector, one, records).findings()
    return Report(identity, tuple(findings))


async def _account(connector: Connector, findings: list[Finding]) -> str:
    try:
        await connector.check()
        findings.append(Finding("", "account", "works", "the system answers, and takes the credentials"))
        identity = await connector.identity()
    except TandemError as error:
        findings.append(_failed("", "account", error))
        return ""
    findings.append(Finding("", "account", "works", f"the account is {identity}"))
    return identity


def _failed(object_name: str, what: str, error: TandemError) -> Finding:
    return Finding(object_name, what, "fails", f"{error.message} [{error.kind.value}]", error.hint)


class _Object:
    """The findings of one object."""

    def __init__(self, connector: Connector, info: ObjectInfo, records: int) -> None:
        self._connector = connector
        self._name = info.name
        self._fields = [field.name for field in info.fields if field.type != "lines"]
        self._key = info.key
        self._records = records
        self._found: list[Finding] = []

    async def findings(self) -> list[Finding]:
        """Everything that was tried."""
        read = await self._list()
        if read is not None:
            if read:
                await self._tried("paging", self._paging(read))
                await self._tried("look", self._look(read))
                await self._tried("gone", self._gone(read[0].id))
                await self._tried("find", self._find(read))
            await self._tried("modified", self._modified())
            if isinstance(self._connector, Probed):
                await self._tried("answers", self._more(self._connector))
        return self._found

    def _say(self, what: str, state: State, message: str, hint: str = "") -> None:
        self._found.append(Finding(self._name, what, state, message, hint))

    async def _tried(self, what: str, doing: Awaitable[None]) -> None:
        try:
            await doing
        except TandemError as error:
            self._found.append(_failed(self._name, what, error))

    async def _list(self) -> Sequence[Record] | None:
        try:
            page = await self._connector.scan(self._name, "", self._fields, self._records)
        except TandemError as error:
            self._found.append(_failed(self._name, "list", error))
            return None
        many = f"{len(page.records)} records" + (", and there are more" if page.more else "")
        if page.records:
            self._say("list", "works", many)
        else:
            self._say("list", "open", "the list is empty", "with a record or two more can be shown")
        return page.records

    async def _paging(self, read: Sequence[Record]) -> None:
        """The same records, in smaller pages."""
        if len(read) < 2:
            self._say("paging", "open", "there are too few records to see pages")
            return
        wanted = [record.id for record in read]
        size = max(1, len(wanted) // (PAGES_MAX - 1))
        paged, position, more = list[str](), "", True
        for _ in range(PAGES_MAX):
            if not more:
                break
            page = await self._connector.scan(self._name, position, [self._key], size)
            paged += [record.id for record in page.records]
            position, more = page.cursor, page.more
        common = min(len(paged), len(wanted))
        doubled = len(paged) - len(set(paged))
        if doubled:
            self._say("paging", "fails", f"{doubled} records came twice", "is the list sorted by its key?")
        elif paged[:common] != wanted[:common]:
            self._say(
                "paging",
                "fails",
                "smaller pages show other records",
                "check the paging, and what the list is sorted by",
            )
        elif common < 2 or len(paged) <= size:
            self._say(
                "paging",
                "fails",
                f"the list ended after {len(paged)} of {len(wanted)} records",
                "check the paging",
            )
        else:
            self._say("paging", "works", f"{common} records in pages of {size}, the same as at once")

    async def _look(self, read: Sequence[Record]) -> None:
        asked = list(dict.fromkeys([read[0].id, read[-1].id]))
        looked = {record.id: record for record in await self._connector.read(self._name, asked, self._fields)}
        if lacking := [id_ for id_ in asked if id_ not in looked]:
            self._say("look", "fails", f"{lacking[0]} stands in the list, and is not found by its id")
            return
        listed = {record.id: record for record in read}
        for id_ in asked:
            if names := _different(listed[id_], looked[id_]):
                self._say(
                    "look",
                    "fails",
                    f"{id_} looks otherwise in the list than by its id: {', '.join(names)}",
                    "where lists show less, leave such fields out, or have them read by id",
                )
                return
        self._say("look", "works", f"{len(asked)} records by id, as they stand in the list")

    async def _gone(self, like: str) -> None:
        """An id that there is not has to be told from an error."""
        missing = "2000000011" if like.isdecimal() else _other(like)
        found = await self._connector.read(self._name, [missing], [self._key])
        if found:
            self._say("gone", "fails", f"an id that was made up ({missing}) is found")
        else:
            self._say("gone", "works", "an id that was made up is not found, and is no error")

    async def _find(self, read: Sequence[Record]) -> None:
        if not self._connector.declaration.find_by_field:
            return
        tried = 0
        for name in self._fields:
            record = next(
                (one for one in read if isinstance(one.native.get(name), str) and one.native[name]), None
            )
            if record is None or name == self._key or tried >= 5:
                continue
            try:
                found = await self._connector.find_by(self._name, name, record.native[name], [self._key])
            except TandemError as error:
                if "find_by is not possible" not in error.message:
                    self._found.append(_failed(self._name, "find", error))
                continue
            tried += 1
            if record.id not in {one.id for one in found}:
                self._say("find", "fails", f"{record.id} is not found by its {name}", "check `find`")
                return
        if tried:
            self._say("find", "works", f"records are found by {tried} of their fields")

    async def _modified(self) -> None:
        if self._connector.find(self._name) is not Find.MODIFIED:
            return
        start = await self._connector.changes(self._name, "", [self._key], self._records)
        page = await self._connector.changes(self._name, start.cursor, [self._key], self._records)
        self._say("modified", "works", f"changes can be asked for; {len(page.records)} of the last moments")

    async def _more(self, connector: Probed) -> None:
        found = await connector.probe_object(self._name, self._records)
        self._found.extend(found)


def _different(listed: Record, looked: Record) -> list[str]:
    """Fields that stand on both and differ, and fields that one of them lacks."""
    names = sorted({*listed.native, *looked.native})
    return [
        name
        for name in names
        if name not in listed.native
        or name not in looked.native
        or not same(listed.native[name], looked.native[name])
    ]


def _other(id_: str) -> str:
    """An id of the same make that nobody has: its letters and digits turned round the alphabet."""
    turned = "".join(
        chr((ord(mark) - ord("a") + 11) % 26 + ord("a"))
        if "a" <= mark <= "z" and mark not in "abcdef"
        else str((int(mark) + 5) % 10)
        if mark.isdecimal() and mark.isascii()
        else mark
        for mark in id_
    )
    return turned if turned != id_ else f"{id_}0"


def shown(value: object) -> str:
    """A value, short."""
    text = str(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"
