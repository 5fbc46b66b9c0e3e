"""Roles and rings: which links may stand beside each other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from actors.core import roles
from actors.core.roles import Role, Standing
from actors.core.types import Side

DOWN: Mapping[Side, Role] = {"a": Role.PRIMARY, "b": Role.SECONDARY}
PEERS: Mapping[Side, Role] = {"a": Role.PEER, "b": Role.PEER}


def link(
    a: str,
    b: str,
    kind: str = "customers",
    of: Mapping[Side, Role] = DOWN,
    shares: tuple[tuple[str, str], ...] = (),
) -> Standing:
    return Standing(f"{a}-{b}", kind, {"a": a, "b": b}, of, shares)


def test_one_primary_has_many_secondaries_and_a_secondary_has_one_primary() -> None:
    standing = [link("P", "S1"), link("P", "S2")]
    assert roles.clash(link("P", "S3"), standing) == ""
    assert "S1 has a Primary for customers already: P (link P-S1)" in roles.clash(link("X", "S1"), standing)
    assert "it can't be a Primary" in roles.clash(link("S1", "X"), standing)
    assert "it can't be a Secondary" in roles.clash(link("X", "P"), standing)
    assert "already (link P-S1)" in roles.clash(link("P", "S1"), standing)
    assert "can't be" in roles.clash(link("S1", "P"), standing)  # nor are the two swapped


def test_roles_count_within_one_kind_and_whichever_side_they_stand_on() -> None:
    standing = [link("P", "S")]
    assert roles.clash(link("S", "P", "articles"), standing) == ""
    turned = link("S", "X", of=roles.mirrored(DOWN))  # X is the Primary, on side b
    assert "S has a Primary" in roles.clash(turned, standing)
    assert roles.clash(link("S", "X", of=PEERS), standing) == ""


@given(
    st.lists(
        st.tuples(
            st.sampled_from("PQRS"), st.sampled_from("PQRS"), st.sampled_from(["customers", "articles"])
        )
    )
)
def test_whatever_is_asked_for_in_whatever_order_every_kind_is_made_of_stars(
    asked: list[tuple[str, str, str]],
) -> None:
    standing: list[Standing] = []
    for a, b, kind in asked:
        if a != b and not roles.clash(link(a, b, kind), standing):
            standing.append(link(a, b, kind))
    for kind in ("customers", "articles"):
        above = [(one.accounts["a"], one.accounts["b"]) for one in standing if one.kind == kind]
        secondaries = [b for _, b in above]
        assert len(set(secondaries)) == len(secondaries)
        assert not {a for a, _ in above} & set(secondaries)


def test_redteam_14_links_over_the_same_records_form_a_forest() -> None:
    same = (("people", "people"),)
    hub = [link("P", "S1", shares=same), link("P", "S2", shares=same)]
    assert roles.ring(link("P", "S3", shares=same), hub) == ()
    assert roles.ring(link("S1", "S2", shares=same), hub) == ("P-S1", "P-S2")
    assert roles.ring(link("S1", "P", shares=same), hub) == ("P-S1",)
    assert roles.ring(link("S1", "S2", shares=(("articles", "articles"),)), hub) == ()
    crossed = link("X", "Y", shares=(("one", "one"), ("one", "two"), ("two", "one"), ("two", "two")))
    assert roles.ring(crossed, ()) == ("X-Y",)


@given(st.lists(st.tuples(st.sampled_from("PQRSTU"), st.sampled_from("PQRSTU"))))
def test_what_is_let_in_one_by_one_never_holds_a_ring(asked: list[tuple[str, str]]) -> None:
    same = (("people", "people"),)
    standing: list[Standing] = []
    for a, b in asked:
        if a != b and not roles.ring(link(a, b, shares=same), standing):
            standing.append(link(a, b, shares=same))
    # A forest has as many edges as nodes, less its trees.
    nodes = {account for one in standing for account in one.accounts.values()}
    trees = {node: node for node in nodes}
    for _, one in itertools.product(nodes, standing):
        low = min(trees[account] for account in one.accounts.values())
        trees.update(dict.fromkeys(one.accounts.values(), low))
    assert len(standing) == len(nodes) - len(set(trees.values()))
