"""The `gate` of a stream: from its entries to a `Gate` per side.

Must not: compare it with the fields of the stream; that is `check_gates`, once everything is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from actors.core.blueprint.entries import GATE
from actors.core.blueprint.entries_rules import ACTIVATION
from actors.core.blueprint.nodes import Node, described, guess
from actors.core.owners import may_change
from actors.core.policy import StreamSpec
from actors.core.stream_rules import Gate, GateKeys, GateOn, Ineligible
from actors.core.types import SIDES, Side, other
from actors.core.values import Value

_CONDITIONS: Final = ("equals", "in", "set")


def read_gates(node: Node | None) -> Mapping[str, Gate]:
    """`gate: {a: {path: ..., equals | in | set: ..., on: ..., then: ...}}`."""
    if node is None:
        return {}
    sides = ((side, node.mapping(SIDES).get(side)) for side in SIDES)
    return {side: _gate(found) for side, found in sides if found}


def _gate(node: Node) -> Gate:
    entries = node.table(GATE)
    path, on, then, keys, dated = (entries.get(name) for name in ("path", "on", "then", "keys", "dated"))
    return Gate(
        path=path.text() if path else "",
        values=_values(entries),
        on=on.choice(GateOn, GateOn.LEVEL) if on else GateOn.LEVEL,
        then=then.choice(Ineligible, Ineligible.KEEP) if then else Ineligible.KEEP,
        keys=keys.choice(GateKeys, GateKeys.HELD) if keys else GateKeys.HELD,
        since=_day(entries.get("since")),
        dated=dated.text() if dated else "",
    )


def _day(node: Node | None) -> date | None:
    """A day, None for `activation`."""
    if node is None or node.value == ACTIVATION:
        return None
    try:
        return date.fromisoformat(node.text())
    except ValueError:
        node.fault(f"{described(node.value)} is neither {ACTIVATION} nor a day, as in 2026-01-31")
        return None


def _values(entries: Node) -> tuple[Value, ...]:
    given = [name for name in _CONDITIONS if entries.get(name) is not None]
    if len(given) != 1:
        entries.fault("a gate needs one condition: `equals: value`, `in: [value, value]` or `set: true`")
        return ()
    condition = entries.get(given[0])
    assert condition is not None
    if given[0] == "equals":
        return (condition.scalar(),)
    if given[0] == "in":
        values = tuple(item.scalar() for item in condition.items())
        if not values and isinstance(condition.value, list):
            condition.fault("no value is named, so nothing would ever take part")
        return values
    if not condition.flag():
        condition.fault(
            "write `set: true`; for the records in which it is empty, `equals` the value it has then"
        )
    return ()


def check_gates(stream: StreamSpec, at: Node) -> None:
    """What a gate owes the stream's marks and fields."""
    for side, gate in stream.gates.items():
        there = other("a" if side == "a" else "b")
        _check_since(stream, gate, other(there), at)
        if gate.then is Ineligible.DEACTIVATE and not stream.mark.get(there):
            at.fault(
                f"`mark: {{{there}: ...}}` is missing: which values say on {there} that a record no longer takes part",
                "gate",
                side,
                "then",
            )
        if gate.then is not Ineligible.PUT_BACK:
            continue
        if not gate.values:
            at.fault("there is no value to put back; name it with `equals` or `in`", "gate", side, "then")
        for field in stream.fields:
            place = field.a if side == "a" else field.b
            written = may_change(field, there)
            if place is not None and written and gate.path in place.paths:
                at.fault(
                    f'"{gate.path}" is also the field {field.name}, which {there} may change: it would be put back for ever',
                    "gate",
                    side,
                    "path",
                )


def _check_since(stream: StreamSpec, gate: Gate, side: Side, at: Node) -> None:
    """The day from which on what took part before goes as well is one that the side shows."""
    if gate.since is not None and gate.on is not GateOn.EDGE:
        at.fault("without `on: edge` everything goes, whenever it was", "gate", side, "since")
    if gate.since is not None and not gate.dated:
        at.fault("`dated` is missing: which field says of which day a record is", "gate", side)
    shown = [spec.name for spec, _ in stream.shared(side)]
    if gate.dated and gate.dated not in shown:
        said = f'"{gate.dated}" is no field that side {side} shares{guess(gate.dated, shown)}'
        at.fault(said, "gate", side, "dated")
