"""Attachments on their way: fetched from the side they come from, compared with what was planned, one record at a time.

What crosses is in memory once for each request, and no larger than `SIZE_MAX`. Must not: write.
"""

from __future__ import annotations

import msgspec

from actors.access import Sides
from actors.core.attachments import SIZE_MAX, describe, read_description, to_bring
from actors.core.policy import StreamSpec
from actors.core.types import Action, Op, Side, other
from actors.lines import write_of
from actors.ports import Write, WriteResult, WriteStatus


def brings(stream: StreamSpec, action: Action) -> bool:
    """Whether a write needs the content of attachments."""
    changes = action.op in (Op.CREATE, Op.UPDATE)
    return bool(stream.attached) and changes and any(to_bring(stream, action.side, action.native))


async def with_content(
    sides: Sides, stream: StreamSpec, side: Side, action: Action
) -> tuple[Write, WriteResult | None]:
    """The write with what it needs; the result where nothing may be sent: too large, or another one by now."""
    write, found = write_of(action), dict[str, bytes]()
    for path, origin in to_bring(stream, side, action.native):
        told = read_description(action.native[path])
        if told is None:
            said = f"{path} is not the description of an attachment"
            return write, WriteResult(WriteStatus.REFUSED, action.target, error=said)
        if told.size > SIZE_MAX:
            said = f"{path} has {told.size} bytes; {SIZE_MAX} can be carried"
            return write, WriteResult(WriteStatus.REFUSED, action.target, error=said)
        content = await sides[other(side)].fetch_attachment(stream, action.origin, origin)
        if content is None or describe(content) != str(told):
            return write, WriteResult(WriteStatus.MOVED_ON, action.target)
        found[path] = content
    return msgspec.structs.replace(write, attachments=found), None
