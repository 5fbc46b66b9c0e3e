"""Edits that stay where they are, and are written down: on the side that does not own a field, under `foreign_edit: report`,
and of what is active again on one side alone, under `reactivation: ignore`. Pure.

(Under `put_back`, the usual rule, the owner's value is written again: that write is the report, and names the rule.)
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actors.core.actions import id_on, note_line
from actors.core.merge import NOT_FOLLOWED
from actors.core.policy import StreamSpec
from actors.core.types import Action, ActionState, Binding, Deviation, FieldDecision, Side, other

REPORTED = "reported"


def left_alone(
    stream: StreamSpec, binding: Binding, left: Mapping[str, tuple[Side, FieldDecision]]
) -> tuple[Binding, tuple[Action, ...]]:
    """The binding with each edit as a deviation of its side (so that it is reported once), and a protocol line for each."""
    items: list[Action] = []
    for name, (side, decision) in left.items():
        held = binding.side(side)
        assert held is not None
        reason = NOT_FOLLOWED if decision.rule.endswith(NOT_FOLLOWED) else REPORTED
        held = msgspec.structs.replace(held, dev={**held.dev, name: Deviation(decision.chosen, reason)})
        binding = binding.with_side(side, held)
        rule = decision.rule
        line = note_line(
            stream, binding, side, id_on(binding, other(side)), rule, f"{name}: {rule}", ActionState.CONFIRMED
        )
        items.append(msgspec.structs.replace(line, decisions=(decision,)))
    return binding, tuple(items)
