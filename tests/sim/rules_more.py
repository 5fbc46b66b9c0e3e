"""Rules about whole records, and fields that are only read: drawn apart, on top of what rules.py draws.

Gates, documents (staged, written once), constants, ids, formulas, starting values, a side's own values, required streams.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tests.sim.laws import SIDES, DerivedLaw, GateLaw, Laws, Side, StreamLaw, other

SHARE = 0.4  # of the seeds that have any of them
GATE = "kind"
BEGUN = "begun"
IN, ALSO, OUT = "in", "also", "out"  # values of a gate's field


def with_more(laws: Laws, luck: random.Random) -> Laws:
    """One or two of these rules on one or two streams."""
    if luck.random() >= SHARE:
        return laws
    streams = list(laws.streams)
    for name in luck.sample(sorted(RULES), min(luck.choice([1, 1, 2, 3]), len(RULES))):
        at = luck.randrange(len(streams))
        streams[at] = RULES[name](streams[at], streams, luck)
    return replace(laws, streams=tuple(streams))


def names_of(laws: Laws) -> set[str]:
    """Which of these rules there are, for the figures."""
    found: set[str] = set()
    for law in laws.streams:
        found |= {f"gate {gate.on} {gate.then}" for _, gate in law.gates}
        found |= {f"field of {one.kind}" for one in law.derived}
        there = {"once": law.once, "staged": law.stages, "starts with": law.starts, "requires": law.requires}
        there["own values put back"] = law.own & law.restores
        found |= {name for name, held in there.items() if held}
    return found


Rule = Callable[[StreamLaw, list[StreamLaw], random.Random], StreamLaw]


def gate(law: StreamLaw, streams: list[StreamLaw], luck: random.Random) -> StreamLaw:
    side = luck.choice(SIDES)
    values = luck.choice([(IN,), (IN, ALSO)])
    then = luck.choice(["keep", "put_back", "deactivate", "detach"])
    return replace(law, gates=((side, GateLaw(GATE, values, luck.choice(["level", "edge"]), then)),))


def once(law: StreamLaw, streams: list[StreamLaw], luck: random.Random) -> StreamLaw:
    """What is made there is not deleted or marked there either: documents don't go."""
    side = luck.choice(SIDES)
    there = frozenset({other(side)})
    return replace(
        law, once=frozenset({side}), removes=law.removes - there, marks=law.marks - there,
        delete_vs_edit="keep",
    )  # fmt: skip


def staged(law: StreamLaw, streams: list[StreamLaw], luck: random.Random) -> StreamLaw:
    return replace(law, stages=frozenset({luck.choice(SIDES)}))


def derived(law: StreamLaw, streams: list[StreamLaw], luck: random.Random) -> StreamLaw:
    side: Side = luck.choice(SIDES)
    kind = luck.choice(["constant", "id", "formula"])
    texts = [one.native(other(side)) for one in law.fields if one.type == "text" and not one.reference]
    return replace(
        law, derived=(DerivedLaw(f"says_{kind}", side, kind, "the same for all", luck.choice(texts)),)
    )


def starts(law: StreamLaw, streams: list[StreamLaw], luck: random.Random) -> StreamLaw:
    return replace(
        law, starts=tuple((side, BEGUN, f"first on {side}") for side in luck.choice([("a",), SIDES]))
    )


def own(law: StreamLaw, streams: list[StreamLaw], luck: random.Random) -> StreamLaw:
    side = luck.choice(SIDES)
    there: frozenset[Side] = frozenset({side})
    return replace(
        law,
        own=there,
        restores=law.restores | there,
        removes=law.removes - there,
        marks=law.marks - there,
    )


def requires(law: StreamLaw, streams: list[StreamLaw], luck: random.Random) -> StreamLaw:
    """Only of what comes before."""
    at = streams.index(law)
    return replace(law, requires=(streams[0].name,)) if at else law


RULES: dict[str, Rule] = {
    "gate": gate,
    "once": once,
    "staged": staged,
    "derived": derived,
    "starts": starts,
    "own": own,
    "requires": requires,
}
