"""Erasing what is remembered of one record: values go, hashes stay, and the link goes on as if nothing had happened. Pure.

What each side held when it was last settled is kept as a hash (a deviation with the reason `erased`), so a look still tells
an edit from what was there, nothing is made again, and nobody is asked. What both sides agreed on becomes unknown. What
can't go on from a hash (order lines, and fields that other fields' owners depend on) is forgotten, and settled anew by the
next look, as at first contact. SPEC B17.
"""

from __future__ import annotations

from typing import Final

import msgspec

from actors.core.merge import settled_on
from actors.core.own_values import PREFIX as OWN
from actors.core.policy import StreamSpec
from actors.core.several import PREFIX as LEFT
from actors.core.types import SIDES, Action, Binding, Deviation, FieldDecision, Held, Parked, Side
from actors.core.values import erased

ERASED: Final = "erased"


def forget(stream: StreamSpec, binding: Binding, salt: str) -> Binding:
    """The binding without values. `salt`: drawn for it."""
    lost = _needed_whole(stream)
    held = {side: _hashed(binding, side, lost, salt) for side in SIDES}
    return msgspec.structs.replace(binding, base={}, a=held["a"], b=held["b"])


def is_hashed(binding: Binding) -> bool:
    """Whether anything that was settled is known as a hash only."""
    return any(
        one.reason == ERASED
        for held in (binding.a, binding.b)
        if held is not None
        for one in held.dev.values()
    )


def _needed_whole(stream: StreamSpec) -> frozenset[str]:
    asked = {one.field for spec in stream.fields for case in spec.owner_cases for one in case.when}
    return frozenset({spec.name for spec in stream.fields if spec.lines is not None} | asked)


def _hashed(binding: Binding, side: Side, lost: frozenset[str], salt: str) -> Held | None:
    held = binding.side(side)
    if held is None:
        return None
    # Of what stands among the deviations under other names, own values and what was left behind are compared with what is
    # seen; the rest is only ever written, and goes.
    kept = {
        name: value
        for name, value in settled_on(binding, side).items()
        if name not in lost and (not name.startswith("*") or name.startswith((OWN, LEFT)))
    }
    dev = {name: Deviation(erased(value, salt), ERASED) for name, value in kept.items()}
    return msgspec.structs.replace(held, dev=dev)


def of_action(action: Action) -> Action:
    """A line of the protocol without values or ids: what was done, by which rule, and how it ended, stays."""
    return msgspec.structs.replace(
        action,
        reason=action.rule,
        target="",
        origin="",
        tag="",
        fields={},
        native={},
        before={},
        seen_native={},
        version=None,
        error=ERASED if action.error else "",
        decisions=tuple(
            FieldDecision(one.field, one.rule, unknown=("base", *SIDES)) for one in action.decisions
        ),
    )


def of_parked(row: Parked) -> Parked:
    """A line of a room without values: that the record stands there, and since when, stays."""
    reason = "erased: it is listed anew when the record is looked at"
    return msgspec.structs.replace(row, record="", reason=reason, detail={}, decision=None)
