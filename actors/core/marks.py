"""Marks: what one replaced is remembered with the binding, and put back when the deleted record is there again. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actors.core.actions import action_for, id_on
from actors.core.mapping import Shown
from actors.core.policy import StreamSpec
from actors.core.types import SIDES, Action, Binding, Deviation, Held, Observation, Op, other
from actors.core.values import UNKNOWN, Value, same

# Among a side's deviations: no field of a blueprint is called so, and nothing compares it with what is seen.
PREFIX = "*mark* "


def remembered(held: Held, action: Action) -> Held:
    """The marked side with the native values that the mark took the place of."""
    before = {
        PREFIX + path: Deviation(action.seen_native[path], "marked")
        for path in action.native
        if path in action.seen_native
    }
    return msgspec.structs.replace(held, dev={**held.dev, **before})


def forgotten(held: Held, native: Mapping[str, Value]) -> Held:
    """Without the memory of marks on these native fields."""
    names = {PREFIX + path for path in native}
    if names.isdisjoint(held.dev):
        return held
    return msgspec.structs.replace(held, dev={n: d for n, d in held.dev.items() if n not in names})


def outlived(stream: StreamSpec, binding: Binding, a: Observation, b: Observation) -> Binding:
    """Both records are there: a mark that somebody has taken away or changed since is none of ours any more."""
    if not any(name.startswith(PREFIX) for held in (binding.a, binding.b) if held for name in held.dev):
        return binding
    kept: dict[str, Held | None] = {}
    for side, seen in zip(SIDES, (a, b), strict=True):
        held, marks = binding.side(side), stream.mark.get(side, {})
        gone = {path: None for path in seen.native if not same(seen.native[path], marks.get(path, UNKNOWN))}
        kept[side] = forgotten(held, gone) if held is not None else None
    return msgspec.structs.replace(binding, a=kept["a"], b=kept["b"])


def put_back(stream: StreamSpec, binding: Binding, seen: Observation, update: Action | None) -> Action | None:
    """The update of a side together with taking its mark away; the update as it is where there is none."""
    held = binding.side(seen.side)
    if held is None or not held.dev:
        return update
    marked = {n: d.value for n, d in held.dev.items() if n.startswith(PREFIX)}
    back = {n.removeprefix(PREFIX): v for n, v in marked.items() if n.removeprefix(PREFIX) in seen.native}
    if not back:
        return update
    if update is not None:
        return msgspec.structs.replace(
            update,
            native={**back, **update.native},
            seen_native={**{path: seen.native[path] for path in back}, **update.seen_native},
        )
    return action_for(
        stream,
        binding,
        seen.side,
        Op.UPDATE,
        "deletes: mark",
        {},
        Shown(back, {}),
        {},
        (),
        origin=id_on(binding, other(seen.side)),
        seen=seen,
        reason=f"was deleted on {other(seen.side)} and is back: the mark goes",
    )
