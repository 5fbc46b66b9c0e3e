"""Random blueprints: what the rules that there are can be put together to, drawn by the seed."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import cast

from tests.sim.laws import (
    ARTICLE_FIELDS,
    CUSTOMER_FIELDS,
    ORDER_FIELDS,
    SIDES,
    FieldLaw,
    Laws,
    Owner,
    Side,
    StreamLaw,
    articles,
    customers,
)
from tests.sim.luck import source

NOBODY: frozenset[Side] = frozenset()
ONLY_A: frozenset[Side] = frozenset({"a"})
ONLY_B: frozenset[Side] = frozenset({"b"})
BOTH: frozenset[Side] = frozenset(SIDES)
CHILDREN = 0.3  # the share of the others with orders of customers
USUAL = 0.3  # the share of seeds with the usual two streams (laws.py), whose rules a reader knows by heart
REWRITTEN = (
    "name",
    "credit",
)  # side b may cut or round these: a group of which a part is rewritten never looks whole
SCHEDULED = 0.25  # the share of seeds that deliver by a schedule
CONFLICTS = ("ask", "a", "b", "newest_else_a", "newest_else_b", "newest_else_ask", "strictest")
MATCHES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("email",),),
    (("ref",),),
    (("ref",), ("email",)),
    (("ref", "email"),),
)


def draw_laws(luck: random.Random, usual: random.Random) -> Laws:
    """The streams of a link. `usual`: the source that the usual ones are drawn from, whatever else is drawn."""
    plain = (_usual_customers(usual), articles(usual.choice([NOBODY, ONLY_A])))
    if luck.random() < USUAL:
        return Laws(plain)
    own = _customers(luck)
    streams = luck.choice([(own,), (own, _articles(luck)), (own, plain[1])])
    # Drawn last: whether there are children does not change what else there is.
    return Laws((own, _orders(luck)) if luck.random() < CHILDREN else streams)


def scheduled(laws: Laws, luck: random.Random) -> Laws:
    """Some links deliver by a schedule, in one direction or both. Drawn apart: it changes nothing else that there is."""
    if luck.random() >= SCHEDULED:
        return laws
    sides = luck.choice([ONLY_A, ONLY_B, BOTH])
    every_s = tuple((side, luck.choice([10.0, 25.0, 40.0])) for side in SIDES if side in sides)
    return replace(laws, streams=tuple(replace(law, every_s=every_s) for law in laws.streams))


def _usual_customers(luck: random.Random) -> StreamLaw:
    """The two-way stream under one of the delete policies."""
    removes = luck.choice([NOBODY, ONLY_A, BOTH])
    restores = luck.choice([NOBODY, ONLY_B]) - removes
    return customers(removes, restores)


def _customers(luck: random.Random) -> StreamLaw:
    """Customers under rules that nobody thought of together."""
    policies = {side: luck.choice(["ignore", "mark", "remove", "restore"]) for side in SIDES}
    return StreamLaw(
        name="customers",
        ref="ref",
        fields=_fields(luck),
        creates=luck.choice([BOTH, BOTH, BOTH, ONLY_A, ONLY_B]),
        removes=_under(policies, "remove"),
        restores=_under(policies, "restore"),
        marks=_under(policies, "mark"),
        key="email",
        match=luck.choice(MATCHES),
        first_contact=luck.choice(["ask", "a", "b", "fill_empty"]),
        delete_vs_edit=luck.choice(["keep", "keep", "restore", "remove"]),
    )


def _articles(luck: random.Random) -> StreamLaw:
    """A second two-way stream, small."""
    fields = tuple(_field(luck, law) if law.name != "sku" else FieldLaw("sku") for law in ARTICLE_FIELDS)
    return StreamLaw("articles", "sku", fields, key="sku", first_contact=luck.choice(["ask", "a", "b"]))


def _orders(luck: random.Random) -> StreamLaw:
    """Children: each may refer to a customer, or must."""
    needs = luck.random() < 0.4
    fields = tuple(replace(law, required=needs and bool(law.reference)) for law in ORDER_FIELDS)
    removes = luck.choice([NOBODY, NOBODY, ONLY_A])
    contact = luck.choice(["ask", "a", "b"])
    return StreamLaw(
        "orders",
        "number",
        fields,
        removes=removes,
        key="number",
        first_contact=contact,
        parents=("customers",),
    )


def _under(policies: dict[Side, str], policy: str) -> frozenset[Side]:
    return frozenset(side for side in SIDES if policies[side] == policy)


def _fields(luck: random.Random) -> tuple[FieldLaw, ...]:
    drawn = [_field(luck, law) for law in CUSTOMER_FIELDS if law.name not in ("ref", "email")]
    heads: dict[str, FieldLaw] = {}
    grouped = []
    for law in drawn:
        group = luck.choice(["", "", "", "first", "second"])
        if law.on_create_only or law.name in REWRITTEN:
            group = ""
        head = heads.setdefault(group, law) if group else law
        # The fields of a group are decided as one.
        grouped.append(_like(law, group, head))
    tags = FieldLaw("tags", owner="both", conflict="ask", type="list")
    return (FieldLaw("ref"), FieldLaw("email", conflict=luck.choice(CONFLICTS)), *grouped, tags)


def _field(luck: random.Random, law: FieldLaw) -> FieldLaw:
    owner = cast(Owner, luck.choice(["both", "both", "both", "a", "b"]))
    lens = luck.choice(["", "cents"]) if law.type == "decimal" else ""
    return FieldLaw(
        law.name,
        owner,
        luck.choice(CONFLICTS),
        type=law.type,
        on_create_only=luck.random() < 0.08,
        required=luck.random() < 0.08,
        lens=lens,
        once_bound=owner != "both" and _aside(luck) < 0.4,
    )


def _aside(luck: random.Random) -> float:
    """A number drawn without drawing: what else there is stays as it is."""
    state = luck.getstate()[1]
    return source("aside", state[0], state[-1]).random()


def _like(law: FieldLaw, group: str, head: FieldLaw) -> FieldLaw:
    return FieldLaw(
        law.name,
        head.owner,
        head.conflict,
        group,
        law.type,
        law.on_create_only,
        law.required,
        law.lens,
        once_bound=head.once_bound,
    )
