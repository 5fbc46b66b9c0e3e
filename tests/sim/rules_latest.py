"""Rules drawn after those of rules_since.py, from a source of their own: a seed without them is what it was.

A field that says whether a record is active, of which only deactivations cross; staged records that are made by themselves,
or never; records that wait for just those of another stream that they name; gates that let through what took part before the
link was there, from a day on.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tests.sim.laws import SINCE, FieldLaw, GateLaw, Laws, Owner, Side, articles, other
from tests.sim.rules import CONFLICTS
from tests.sim.rules_last import FIRST_CONTACTS
from tests.sim.rules_more import GATE, IN

SHARE = 0.24  # of the seeds that have one of them
NAMES = "needs"  # the native field that names what a record waits for
ACTIVE = "active"
DATED = "day"

Rule = Callable[[Laws, random.Random], Laws]


def with_latest(laws: Laws, luck: random.Random, also: frozenset[str] = frozenset()) -> Laws:
    """One of these rules on one stream; `also`: rules that there are in any case."""
    chosen = set(also)
    if luck.random() < SHARE:
        chosen.add(luck.choice(sorted(RULES)))
    for name in sorted(chosen):
        laws = RULES[name](laws, luck)
    return laws


def latest_of(laws: Laws) -> set[str]:
    """Which of these rules there are, for the figures."""
    found: set[str] = set()
    for law in laws.streams:
        there = {
            "reactivations ignored": any(one.ignores for one in law.fields),
            f"imports: {law.imports}": law.imports != "ask",
            "waits for who is named": law.assigned,
            "gate since a day": any(gate.dated for _, gate in law.gates),
        }
        found |= {name for name, held in there.items() if held}
    return found


def reactivation(laws: Laws, luck: random.Random) -> Laws:
    """People say of a record whether it is active, and nothing but a deactivation crosses."""
    at = luck.randrange(len(laws.streams))
    active = FieldLaw(
        ACTIVE,
        conflict=luck.choice(CONFLICTS),
        type="boolean",
        first_contact=luck.choice(["", *FIRST_CONTACTS]),
        ignores=True,
    )
    return _with(laws, at, fields=(*laws.streams[at].fields, active))


def imports(laws: Laws, luck: random.Random) -> Laws:
    """What is staged is made by itself, or never; where nothing was staged, what is made on one side is from now on."""
    able = [at for at, law in enumerate(laws.streams) if law.creates]
    if not able:
        return laws
    at = luck.choice([at for at in able if laws.streams[at].stages] or able)
    law = laws.streams[at]
    there = frozenset({other(luck.choice(sorted(law.creates)))})
    return _with(laws, at, stages=law.stages or there, imports=luck.choice(["always", "always", "never"]))


def assigned(laws: Laws, luck: random.Random) -> Laws:
    """A record of the second stream names which of the first one's it waits for, by what those are known by."""
    if len(laws.streams) == 1:
        laws = replace(laws, streams=(*laws.streams, articles(frozenset())))
    first, law = laws.streams[0], laws.streams[1]
    if not law.creates:
        return laws
    if all(len(names) > 1 for names in first.keys):
        laws = _with(laws, 0, match=((first.ref,),), clashes=0)
    side: Side = luck.choice(sorted(law.creates))
    return _with(laws, 1, requires=(first.name,), assigned=((side, NAMES),))


def since(laws: Laws, luck: random.Random) -> Laws:
    """What took part before the link was there goes as well, if it is of that day or of a later one."""
    able = [at for at, law in enumerate(laws.streams) if law.creates and not law.objects]
    if not able:
        return laws
    at = luck.choice([at for at in able if laws.streams[at].gates] or able)
    law = laws.streams[at]
    then = "keep" if law.effect else luck.choice(["keep", "put_back", "deactivate", "detach"])
    side: Side = luck.choice(sorted(law.creates))
    new = ((side, GateLaw(GATE, (IN,), then=then)),)
    gates = tuple((s, replace(gate, on="edge", since=SINCE, dated=DATED)) for s, gate in law.gates or new)
    owner: Owner = luck.choice(["both", "both", gates[0][0]])
    day = FieldLaw(DATED, owner, luck.choice(CONFLICTS[:-1]), type="date")
    return _with(laws, at, gates=gates, fields=(*law.fields, day))


def _with(laws: Laws, at: int, **rules: object) -> Laws:
    streams = list(laws.streams)
    streams[at] = replace(streams[at], **rules)  # type: ignore[arg-type]
    return replace(laws, streams=tuple(streams))


RULES: dict[str, Rule] = {
    "reactivation": reactivation,
    "imports": imports,
    "assigned": assigned,
    "since": since,
}
