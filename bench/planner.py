"""`python -m bench.planner`: the pure core alone, microseconds of processor time for a record; best of so many rounds.

For whoever changes the core: run it in turn in two checkouts, the one before the change and the one with it, and compare.
A figure by itself says more about the machine than about the core.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from actors.core.mapping import observe, paths
from actors.core.plan import Context, differs, half_binding, plan_new, plan_pair
from actors.core.policy import StreamSpec
from actors.core.settle import settle
from actors.core.types import Action, Binding, Held, Observation, Record, Side, State
from actors.core.values import Value
from bench import tables
from daemon import blueprints_yaml

RECORDS = 2000
ROUNDS = 15
NOW = 1_700_000_000.0


class Sample:
    """So many customers of the bench's own blueprint: in step, edited in A, new in A."""

    def __init__(self, records: int) -> None:
        self.stream = blueprints_yaml.load(tables.BLUEPRINT).streams[0]
        self.context = Context(now=NOW)
        looks = [(self._seen("a", n), self._seen("b", n)) for n in range(1, records + 1)]
        self.edited = [
            (_bound(self.stream, n, a, b), self._seen("a", n, "Ny by"), b)
            for n, (a, b) in enumerate(looks, 1)
        ]
        self.unchanged = [(binding, a) for (binding, _, _), (a, _) in zip(self.edited, looks, strict=True)]
        self.new = [(half_binding(self.stream, a, 0), a) for a, _ in looks]
        self.after = [self._seen("b", n, "Ny by") for n in range(1, records + 1)]

    def _seen(self, side: Side, number: int, city: str = "Odense") -> Observation:
        values = {path: _value(path, number, city) for path in paths(self.stream, side)}
        return observe(self.stream, side, Record(str(number), values), 1.0)

    def updates(self) -> list[Action]:
        """What is planned for those that were edited: one write each."""
        verdicts = [plan_pair(self.stream, binding, a, b, self.context) for binding, a, b in self.edited]
        return [action for verdict in verdicts for action in verdict.actions]

    def creates(self) -> list[Action]:
        """What is planned for those that are new: one write each."""
        verdicts = [plan_new(self.stream, half, seen, self.context) for half, seen in self.new]
        return [action for verdict in verdicts for action in verdict.actions]

    def differing(self) -> int:
        """How many of the unchanged ones show anything new: none."""
        return sum(differs(self.stream, binding, seen) for binding, seen in self.unchanged)

    def settled(self, actions: list[Action]) -> list[Binding]:
        """The bindings once these updates are shown as they were sent."""
        pairs = zip(self.edited, actions, self.after, strict=True)
        return [
            settle(self.stream, binding, action, after, now=NOW, by_reply=True).binding
            for (binding, _, _), action, after in pairs
        ]


def _value(path: str, number: int, city: str) -> Value:
    if path == "city":
        return city
    return {"credit": number, "payment_days": 14, "active": True, "since": None}.get(path, f"{path} {number}")


def _bound(stream: StreamSpec, number: int, a: Observation, b: Observation) -> Binding:
    base = {name: value for name, value in a.fields.items() if name in b.fields}
    held = Held(id=str(number))
    return Binding(
        key=number, stream=stream.name, state=State.SETTLED, a=held, b=held, base=base, map_ver=stream.map_ver
    )


def measured(records: int = RECORDS, rounds: int = ROUNDS) -> dict[str, float]:
    """Microseconds for a record, by what is done."""
    sample = Sample(records)
    updates = sample.updates()
    work: dict[str, Callable[[], object]] = {
        "plan_pair": sample.updates,
        "plan_new": sample.creates,
        "differs": sample.differing,
        "settle": lambda: sample.settled(updates),
    }
    return {name: round(_best_s(one, rounds) / records * 1e6, 2) for name, one in work.items()}


def _best_s(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


if __name__ == "__main__":
    print(json.dumps(measured()))
