"""The day from which on a gate lets through what took part before: what a blueprint says of it, its faults, and the edge."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from actors.core.blueprint.compiler import BlueprintError
from actors.core.gates import BEFORE, admitted
from actors.core.plan import half_binding
from actors.core.stream_rules import Gate, GateOn
from actors.core.types import SIDES, Observation, Side, State
from actors.core.values import Value
from tests.core.blueprint_samples import Document, compiled
from tests.core.pairs import one, stream

DAY = date(2026, 1, 1)


def with_gate(**gate: Any) -> Gate:
    def change(data: Document) -> None:
        data["streams"]["orders"]["fields"]["day"] = {"a": "DATUM", "b": "day"}
        data["streams"]["orders"]["gate"]["a"].update({"on": "edge", "dated": "day", **gate})

    return compiled(change).stream("orders").gates["a"]


def test_what_is_said() -> None:
    assert (with_gate(since="2026-01-01").since, with_gate(since="2026-01-01").dated) == (DAY, "day")
    assert with_gate(since="activation").since is with_gate().since is None


@pytest.mark.parametrize(
    "gate, said",
    [
        ({"since": "tomorrow"}, 'since: "tomorrow" is neither activation nor a day'),
        ({"since": "2026-02-30"}, 'since: "2026-02-30" is neither activation nor a day'),
        ({"since": "2026-01-01", "on": "level"}, "since: without `on: edge` everything goes"),
        ({"since": "2026-01-01", "dated": None}, "a: `dated` is missing"),
        ({"dated": "dai"}, 'dated: "dai" is no field that side a shares (did you mean day?)'),
    ],
)
def test_what_is_wrong_with_it_is_named(gate: dict[str, Any], said: str) -> None:
    with pytest.raises(BlueprintError) as refused:
        with_gate(**gate)
    (fault,) = refused.value.faults
    assert (
        f"{fault.path}: {fault.message}".startswith("streams.orders.gate.a")
        and said in f"{fault.path}: {fault.message}"
    )


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize(
    "day, goes",
    [
        (DAY, True),
        (date(2026, 5, 1), True),
        (date(2025, 12, 31), False),
        (datetime(2026, 1, 1, tzinfo=UTC), True),
        (datetime(2025, 12, 31, 23, 59, tzinfo=UTC), False),
        ("2026-05-01", False),  # a text is no day: its field lacks a lens
        (None, False),
    ],
)
def test_the_edge_is_the_day_itself(here: Side, day: Value, goes: bool) -> None:
    gate = Gate("kind", ("Sent",), GateOn.EDGE, since=DAY, dated="day")
    spec = stream(one("day"), gates={here: gate})
    seen = Observation(here, "1", 0.0, fields={"day": day}, native={"kind": "Sent"})
    half = half_binding(spec, seen, 0)
    for note in (None, BEFORE):  # at the load, and whenever it is looked at after
        out = admitted(spec, half, seen, note, note is not None)
        assert (out.state is State.NEW, out.note.startswith(BEFORE)) == (goes, not goes)
        assert goes or (
            "from 2026-01-01 on" in out.note and ("no day" in out.note) == (not isinstance(day, date))
        )
    left_out = Observation(here, "1", 0.0, native={"kind": "Sent"})
    assert admitted(spec, half, left_out, None, False).note.startswith(BEFORE)
    # Who only begins to take part later goes, whatever day it shows.
    assert admitted(spec, half, seen, None, True).state is State.NEW
