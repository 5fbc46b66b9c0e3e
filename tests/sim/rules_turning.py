"""Rules drawn last of all, from a source of their own: owners that turn with an edit. A seed without them is what it was.

Whose word a field is stands with the record itself, and people change that: each such field has one owner while the record
is marked, and another one while it is not. The auditor does not follow who owned it when; whatever is told, nothing may be
lost unnamed or invented, both sides are in step in the end, and it all comes to rest.
"""

from __future__ import annotations

import random
from dataclasses import replace

from tests.sim.laws import FieldLaw, Laws, Owner, StreamLaw
from tests.sim.rules import CONFLICTS
from tests.sim.rules_last import FIRST_CONTACTS

SHARE = 0.06  # of the seeds that have it
MARKED = "vip"
OWNERS: tuple[Owner, ...] = ("a", "b", "both")


def with_turning(laws: Laws, luck: random.Random, also: frozenset[str] = frozenset()) -> Laws:
    """The rule on one stream; `also`: "turning" where there it is in any case."""
    if luck.random() >= SHARE and "turning" not in also:
        return laws
    at = luck.randrange(len(laws.streams))
    streams = list(laws.streams)
    streams[at] = turning(streams[at], luck)
    return replace(laws, streams=tuple(streams))


def turning_of(laws: Laws) -> set[str]:
    """Whether there is any, for the figures."""
    return {"owners that turn" for law in laws.streams if any(one.turns for one in law.fields)}


def turning(law: StreamLaw, luck: random.Random) -> StreamLaw:
    """Some fields have one owner while the record is marked, and another one while it is not."""
    able = [one for one in law.fields if _may_turn(law, one)]
    chosen = {one.name for one in luck.sample(able, min(len(able), 3))}
    if not chosen:
        return law
    fields = [
        replace(one, owner="both", turns=MARKED, then=luck.choice(OWNERS), unless=luck.choice(OWNERS))
        if one.name in chosen
        else one
        for one in law.fields
    ]
    marked = FieldLaw(
        MARKED,
        conflict=luck.choice(CONFLICTS[:-1]),
        type="boolean",
        first_contact=luck.choice(["", *FIRST_CONTACTS]),
    )
    return replace(law, fields=(*fields, marked))


def _may_turn(law: StreamLaw, one: FieldLaw) -> bool:
    """The other rules say nothing of such a field: what they say would be another one's, too."""
    keys = {name for names in law.keys for name in names} | {law.ref, law.key}
    plain = one.type in ("text", "decimal") and not one.reference and one.name not in {*keys, "sum"}
    ruled = one.group or one.required or one.on_create_only or one.once_bound or one.when or one.reports
    return plain and not ruled
