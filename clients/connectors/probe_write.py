"""Trying how a system is written to: one record is made, changed and removed, and everything in between is looked at.

Only where somebody says so, with the values that he gives; one of its texts holds the word `MARK`, so that whoever meets
the record knows what it is. What was made is removed whatever went wrong; what can't be is named. Must not: touch any other
record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import anyio

from actors.core.errors import TandemError
from actors.core.types import Op, Record
from actors.core.values import Value, canonical, same
from actors.ports import Connector, ObjectInfo, Write, WriteResult, WriteStatus
from clients.connectors.probe import Finding, State

MARK: Final = "tandem"
CLEAN_UP_S: Final = 20.0
BY_HAND: Final = "look for it in the system, and remove it by hand"


async def probe_writing(connector: Connector, info: ObjectInfo, values: Mapping[str, Any]) -> list[Finding]:
    """What was found; raises nothing of the system's. `values`: native field -> value of the record that is made."""
    try:
        types = {field.name: field.type for field in info.fields}
        record = {name: canonical(_typed(value, types.get(name, ""))) for name, value in values.items()}
        texts = [value for value in record.values() if isinstance(value, str)]
    except (TypeError, ValueError, InvalidOperation) as error:
        return [Finding(info.name, "create", "fails", f"the values can't be used: {error}")]
    if not any(MARK in text.lower() for text in texts):
        why = f"let one of its texts hold the word '{MARK}', so that people know what it is"
        return [Finding(info.name, "create", "fails", "the record that is to be made is not marked", why)]
    return await _Writing(connector, info, record).findings()


def _typed(value: Any, type_: str) -> Any:
    """A value as people write it down, as the field wants it; ValueError where it is none."""
    if not isinstance(value, str):
        return value
    if type_ == "date":
        return date.fromisoformat(value)
    if type_ == "instant":
        return datetime.fromisoformat(value)
    return Decimal(value) if type_ == "decimal" else value


class _Writing:
    """One record's way."""

    def __init__(self, connector: Connector, info: ObjectInfo, record: Mapping[str, Value]) -> None:
        self._connector = connector
        self._name = info.name
        self._record = dict(record)
        self._fields = [field.name for field in info.fields if field.type != "lines"]
        self._key = info.key
        self._id = ""
        self._found: list[Finding] = []

    async def findings(self) -> list[Finding]:
        """Made, looked at, changed, changed with old eyes, removed."""
        try:
            if await self._create() and await self._stands(self._record, "create"):
                await self._update()
        except TandemError as error:
            self._failed("look", error)
        finally:
            if self._id:
                with anyio.CancelScope(shield=True), anyio.move_on_after(CLEAN_UP_S):
                    await self._delete()
        return self._found

    def _say(self, what: str, state: State, message: str, hint: str = "") -> None:
        self._found.append(Finding(self._name, what, state, message, hint))

    def _failed(self, what: str, error: TandemError) -> None:
        self._say(what, "fails", f"{error.message} [{error.kind.value}]", error.hint)

    async def _create(self) -> bool:
        reserved = ""
        try:
            if self._connector.declaration.draws_ids:
                (reserved,) = await self._connector.reserve(self._name, 1)
            (result,) = await self._written(Write(Op.CREATE, id=reserved, native=self._record))
        except TandemError as error:
            self._failed("create", error)
            return False
        self._id = result.id if result.status is WriteStatus.DONE else ""
        if result.status is WriteStatus.UNKNOWN:
            self._say("create", "fails", f"nobody knows whether it was made: {result.error}", BY_HAND)
        elif not self._id:
            self._say("create", "fails", f"{result.status.value}: {result.error}")
        return bool(self._id)

    async def _stands(self, wanted: Mapping[str, Value], what: str) -> bool:
        """Whether a look shows what was written."""
        seen = await self._look()
        if seen is None:
            self._say(what, "fails", f"{self._id} was written, and is not found by its id", BY_HAND)
            return False
        other = [
            name
            for name, value in wanted.items()
            if name in seen.native and not same(seen.native[name], value)
        ]
        lost = [name for name in wanted if name not in seen.native]
        if other or lost:
            told = [f"{name} is otherwise" for name in other] + [f"{name} is not shown" for name in lost]
            self._say(
                what, "fails", f"{self._id} was written, but {', '.join(told)}", "check types and names"
            )
        else:
            self._say(what, "works", f"{self._id} was written, and stands there as it was sent")
        return True

    async def _update(self) -> None:
        before = await self._look()
        changed = self._changed()
        if before is None or changed is None:
            self._say("update", "open", "no text of the record can be changed")
            return
        name, value = changed
        sent = Write(Op.UPDATE, self._id, {name: value}, {name: before.native.get(name)}, before.version)
        if await self._is_done("update", sent) and await self._stands({name: value}, "update"):
            await self._with_old_eyes(sent, name)

    def _changed(self) -> tuple[str, Value] | None:
        """A text of the record, and another one of the same length."""
        for name, value in self._record.items():
            if isinstance(value, str) and name != self._key and MARK in value.lower():
                return name, value.swapcase()
        return None

    async def _with_old_eyes(self, sent: Write, name: str) -> None:
        """The same write again, on what was seen before it: somebody else has written meanwhile, so it must not happen."""
        try:
            (result,) = await self._written(sent)
        except TandemError as error:
            self._failed("precondition", error)
            return
        if result.status is WriteStatus.MOVED_ON:
            self._say("precondition", "works", "a write that rests on an old look does not happen")
        else:
            said = f"a write that rests on an old {name} ended as {result.status.value}"
            self._say("precondition", "fails", said, "edits that were made meanwhile would be lost")

    async def _delete(self) -> None:
        try:
            seen = await self._look()
            if seen is None:
                return
            sent = Write(Op.DELETE, self._id, seen=seen.native, version=seen.version)
            if not await self._is_done("delete", sent):
                return
            if await self._look() is None:
                self._say("delete", "works", f"{self._id} was removed, and is gone")
            else:
                self._say("delete", "fails", f"{self._id} was removed, and is still there", BY_HAND)
        except TandemError as error:
            self._say("delete", "fails", f"{self._id} is left: {error.message}", BY_HAND)

    async def _is_done(self, what: str, sent: Write) -> bool:
        try:
            (result,) = await self._written(sent)
        except TandemError as error:
            left = f"{self._id} is left: " if what == "delete" else ""
            self._say(what, "fails", f"{left}{error.message} [{error.kind.value}]", error.hint or BY_HAND)
            return False
        if result.status is not WriteStatus.DONE:
            left = f"{self._id} is left: " if what == "delete" else ""
            self._say(what, "fails", f"{left}{result.status.value}: {result.error}", BY_HAND if left else "")
        return result.status is WriteStatus.DONE

    async def _look(self) -> Record | None:
        return next(iter(await self._connector.read(self._name, [self._id], self._fields)), None)

    async def _written(self, write: Write) -> Sequence[WriteResult]:
        return await self._connector.write(self._name, [write], self._fields)
