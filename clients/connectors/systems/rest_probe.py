"""What single answers of a declared system show of its declaration: types, places, order, the filter on the last change.

Only reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import msgspec

from actors.core.errors import TandemError
from clients.connectors.http.shape import Field
from clients.connectors.http.values import fits
from clients.connectors.http.wire import at
from clients.connectors.probe import Finding, State, shown
from clients.connectors.systems.rest_plan import ObjectPlan
from clients.connectors.systems.rest_read import PASSED, Reader

NAMES_MAX: Final = 12
FAR: Final = datetime(2200, 1, 1, tzinfo=UTC)

Newer = Callable[[datetime], Awaitable[int]]  # so many records are newer than that, on the first page


class Prober:
    """The findings of one object. `newer`: how many records the system says are newer than a time."""

    def __init__(self, plan: ObjectPlan, reader: Reader, newer: Newer) -> None:
        self._plan = plan
        self._reader = reader
        self._newer = newer

    async def findings(self, records: int) -> list[Finding]:
        """All of them."""
        rows = await self._reader.sample(self._plan, records)
        return [*self._fields(rows), *self._strangers(rows), *self._order(rows), *await self._filter(rows)]

    def _say(self, what: str, state: State, message: str, hint: str = "") -> Finding:
        return Finding(self._plan.name, what, state, message, hint)

    def _fields(self, rows: Sequence[Any]) -> Iterator[Finding]:
        """What is declared against what stands there."""
        good = 0
        for field in self._plan.shape.fields.values():
            found = [at(row, field.read or field.name) for row in rows]
            there = [raw for raw in found if raw is not msgspec.UNSET]
            wrong = [raw for raw in there if not fits(raw, field.form)]
            if rows and not there:
                hint = "check its name and `read`; a field that is never delivered is never compared"
                yield self._say(
                    "fields", "fails", f"{field.name} stands in none of {len(rows)} records", hint
                )
            elif wrong:
                message = f"{len(wrong)} of {len(there)} values of {field.name} are no {field.form.type}: {shown(wrong[0])}"
                yield self._say("fields", "fails", message, _way_out(field, wrong[0]))
            elif len(there) < len(rows) and not self._plan.shape.missing_is_null:
                message = f"{field.name} stands in {len(there)} of {len(rows)} records"
                yield self._say("fields", "open", message, "`missing: null` where what is left out is null")
            else:
                good += 1
        if rows and good:
            yield self._say("fields", "works", f"{good} fields are as declared in {len(rows)} records")

    def _strangers(self, rows: Sequence[Any]) -> Iterator[Finding]:
        """What stands there and is not declared."""
        known = {(field.read or field.name) for field in self._plan.shape.fields.values()}
        known |= {nested.read or nested.name for nested in self._plan.shape.lines.values()}
        heads = {place.partition(".")[0] for place in known}
        strange = {
            name: raw
            for row in rows
            if isinstance(row, Mapping)
            for name, raw in row.items()
            if name not in heads and name not in known
        }
        if strange:
            names = [f"{name} ({_kind(raw)})" for name, raw in list(strange.items())[:NAMES_MAX]]
            more = f" and {len(strange) - NAMES_MAX} more" if len(strange) > NAMES_MAX else ""
            message = f"not declared: {', '.join(names)}{more}"
            yield self._say("fields", "open", message, "nothing is wrong with that; they are left alone")

    def _order(self, rows: Sequence[Any]) -> Iterator[Finding]:
        if self._plan.sorted == "no":
            yield self._say(
                "list",
                "open",
                "the list is not said to be sorted by id: a complete read may miss records while others delete",
                "say `sorted`, and `after` where the system can ask for what stands behind an id",
            )
            return
        ids = [self._plan.shape.id_of(row) for row in rows]
        passed = PASSED[self._plan.sorted]
        try:
            wrong = next((two for one, two in pairwise(ids) if passed(two, one)), None)
        except ValueError:
            yield self._say("list", "fails", "ids are no numbers", "say `sorted: by_text`")
            return
        if wrong is not None:
            message = f"the list is not sorted by id: {shown(wrong)} stands behind a later one"
            yield self._say("list", "fails", message, "check `sorted`, and the query that sorts")
        elif len(ids) > 1:
            yield self._say(
                "list", "works", f"{len(ids)} records are sorted by id, {self._plan.sorted.replace('_', ' ')}"
            )

    async def _filter(self, rows: Sequence[Any]) -> list[Finding]:
        """Whether the system minds the time that it is asked for."""
        if self._plan.modified is None:
            return []
        try:
            late, early = await self._newer(FAR), await self._newer(datetime(1980, 1, 1, tzinfo=UTC))
        except TandemError as error:
            return [self._say("modified", "fails", error.message, error.hint)]
        if late:
            message = f"asked for what was changed after {FAR.year}, it sends {late} records: the time is not minded"
            return [
                self._say("modified", "fails", message, "check the parameter and the `format` of `modified`")
            ]
        if rows and not early:
            message = "asked for what was changed since 1980, it sends nothing"
            return [
                self._say("modified", "fails", message, "check the parameter and the `format` of `modified`")
            ]
        state: State = "works" if rows else "open"
        return [self._say("modified", state, "the time that is asked for is minded")]


def _kind(raw: Any) -> str:
    names = {bool: "true or false", str: "text", dict: "object", list: "list", type(None): "null"}
    return names.get(type(raw), "number")


def _way_out(field: Field, raw: Any) -> str:
    """The entry that most likely is missing."""
    kind = field.form.type
    if raw in ("", 0):
        return f"`nulls: [{raw!r}]`, if that means that there is none".replace("'", '"')
    if kind == "decimal" and isinstance(raw, str):
        return "`decimals: text`, or `comma`"
    if kind in ("date", "instant"):
        return "`format`: epoch_s, epoch_ms, dotnet, or as for strptime"
    if kind == "boolean":
        return "`true_words` and `false_words`: the values that mean these"
    return "check its type"
