"""When what is staged may be made: what the rule says beside a person's word, and within one run."""

from __future__ import annotations

import msgspec
import pytest

from actors.core.plan import Context, half_binding, plan_new
from actors.core.policy import StreamSpec
from actors.core.stream_rules import Imports
from actors.core.types import SIDES, Observation, Op, Parked, Side, other
from tests.core.pairs import NOW, one, stream


def first_line(spec: StreamSpec, seen: Observation) -> Parked:
    """The line under which it is staged."""
    (row,) = plan_new(spec, half_binding(spec, seen, 0), seen, Context(NOW)).park
    return row


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize(
    "imports, said, just_staged, goes",
    [
        (Imports.ASK, "", False, False),
        (Imports.ASK, "import", False, True),
        (Imports.ASK, "import", True, True),  # somebody was quick
        (Imports.ALWAYS, "", True, False),  # the run that staged it ends so
        (Imports.ALWAYS, "", False, True),
        (Imports.NEVER, "", False, False),
        (Imports.NEVER, "import", False, False),
        (Imports.NEVER, "retry", False, False),
    ],
)
def test_a_staged_record_goes_when_the_rule_or_a_person_says_so(
    here: Side, imports: Imports, said: str, just_staged: bool, goes: bool
) -> None:
    there = other(here)
    spec = stream(one(), stages=frozenset({there}), imports=imports)
    seen = Observation(here, "R1", 0.0, fields={"f": "1"}, native={"f": "1"})
    row = first_line(spec, seen)
    if said:
        row = msgspec.structs.replace(row, decision={"choose": said})
    ctx = Context(NOW, parked=(row,), just_staged=just_staged)
    verdict = plan_new(spec, half_binding(spec, seen, 0), seen, ctx)
    assert [(action.op, action.side) for action in verdict.actions] == ([(Op.CREATE, there)] if goes else [])
    assert [again.fingerprint for again in verdict.park] == ([] if goes else [row.fingerprint])


@pytest.mark.parametrize("here", SIDES)
def test_a_line_says_what_becomes_of_its_record_also_once_the_rule_is_another_one(here: Side) -> None:
    there = other(here)
    seen = Observation(here, "R1", 0.0, fields={"f": "1"}, native={"f": "1"})
    told: dict[Imports, str] = {}
    rows: tuple[Parked, ...] = ()
    for imports in Imports:
        spec = stream(one(), stages=frozenset({there}), imports=imports)
        ctx = Context(NOW, parked=rows, just_staged=True)
        (row,) = plan_new(spec, half_binding(spec, seen, 0), seen, ctx).park
        told[imports], rows = row.reason, (row,)
    assert told == {
        Imports.ASK: f"staged: to be imported on {there}",
        Imports.ALWAYS: f"staged: imported on {there} after the run",
        Imports.NEVER: f"staged: never imported on {there}",
    }
