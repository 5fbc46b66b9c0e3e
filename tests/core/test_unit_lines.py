"""Lines between a side's form and the shared one, told apart, put back in their places; and merged three-way."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.mapping import Refs, observe, paths, references, referred, show
from actors.core.merge_lines import merge_lines
from actors.core.policy import LensError
from actors.core.types import Record, Side
from actors.core.unit_lines import LINES_MAX, aligned, is_cut, told
from actors.core.values import BadValue, Line, canonical, decode, encode, line_of, lines_of
from tests.core.orders import TRANSLATED, line, lines, orders
from tests.core.pairs import one

PLAIN = orders()
A, B, C = line("A"), line("B"), line("C")


def native(*items: Line) -> dict[str, tuple[Line, ...]]:
    return {"items": items}


def with_ids(*items: Line) -> tuple[Line, ...]:
    return tuple(line_of({**dict(item.cells), "@id": str(at)}) for at, item in enumerate(items))


# ---------------------------------------------------------------------------------------------------------- values


def test_lines_are_values_that_are_stored_and_come_back() -> None:
    stored = {"items": (line("A", 2, "1.50"), line(None)), "none": ()}
    assert decode(encode(stored)) == stored
    assert canonical([line_of({"x": "e\u0301"})]) == (line_of({"x": "\u00e9"}),)


@pytest.mark.parametrize("bad", [[A, "text"], ["text", A]])
def test_a_list_is_of_lines_or_of_single_values(bad: list[object]) -> None:
    with pytest.raises(BadValue):
        canonical(bad)


def test_a_cell_is_a_single_value() -> None:
    with pytest.raises(BadValue):
        line_of({"x": (1, 2)})


# ------------------------------------------------------------------------------------------------- asked for and read


def test_the_cells_that_are_needed_are_asked_for() -> None:
    spec = orders(lines(fields=TRANSLATED, position={"b": "line_no"}))
    assert paths(spec, "a") == ("number", "note", "total", "items[].ART", "items[].VAT", "items[].QTY")
    assert paths(spec, "b")[3:] == (
        "items[].article_id",
        "items[].vat_code",
        "items[].qty",
        "items[].line_no",
    )


def test_lines_that_were_half_delivered_were_not_seen() -> None:
    seen = observe(PLAIN, "a", Record("1", native(A, line_of({"article": "B", "price": 1}))), 0.0)
    assert "items" not in seen.fields
    assert not seen.problem
    assert "items" not in observe(PLAIN, "a", Record("1", {}), 0.0).fields
    assert observe(PLAIN, "a", Record("1", native()), 0.0).fields["items"] == ()


def test_references_of_lines_are_translated_and_a_missing_one_names_its_line() -> None:
    spec = orders(lines(fields=TRANSLATED))
    order = Record("1", {"items": tuple(line_of({"ART": n, "VAT": "H", "QTY": 1}) for n in ("7", "8"))})
    assert references(spec, "a", [order]) == {"articles": {"7", "8"}}
    known = Refs(keys={("articles", "a", "7"): 70, ("articles", "a", "8"): 80})
    seen = observe(spec, "a", order, 0.0, known)
    assert [item.get("article") for item in seen.fields["items"]] == [70, 80]  # type: ignore[union-attr]
    assert list(referred(spec.field("items"), seen.fields["items"])) == [("articles", 70), ("articles", 80)]
    missing = observe(spec, "a", order, 0.0, Refs(keys={("articles", "a", "7"): 70}))
    assert missing.problem == "waits: field items: line 2, article: articles 8 is not in step yet"
    with pytest.raises(LensError, match="line 1, article: the articles record"):
        show(spec, "b", {}, {"items": seen.fields["items"]})


def test_a_code_without_an_entry_holds_the_order_back_and_names_line_and_code() -> None:
    spec = orders(lines(fields=TRANSLATED[1:]))
    seen = observe(spec, "a", Record("1", {"items": (line_of({"VAT": "X", "QTY": 1}),)}), 0.0)
    assert seen.problem == 'waits: field items: line 1, vat: the value map has no entry for "X"'


def test_a_line_without_what_is_required_holds_the_order_back() -> None:
    spec = orders(lines(fields=(one("article", required=True),)))
    seen = observe(spec, "a", Record("1", {"items": (A, line(""))}), 0.0)
    assert seen.problem == "waits: field items: line 2 needs article"


def test_lines_stand_in_the_order_of_their_position() -> None:
    spec = orders(lines(position={"a": "no"}))
    seen = observe(spec, "a", Record("1", native(line("B", no=20), line("A", no=10))), 0.0)
    assert seen.fields["items"] == (A, B)


def test_where_order_says_nothing_it_makes_no_difference() -> None:
    spec = orders(lines(ordered=False))
    seen = [observe(spec, "a", Record("1", native(*items)), 0.0).fields for items in ((A, B), (B, A))]
    assert seen[0] == seen[1]
    assert show(spec, "a", native(B, A), {"items": seen[0]["items"]}).native == {}


def test_more_lines_than_can_be_told_apart_are_named() -> None:
    seen = observe(PLAIN, "a", Record("1", native(*[A] * (LINES_MAX + 1))), 0.0)
    assert f"it has {LINES_MAX + 1} lines" in seen.problem


# ---------------------------------------------------------------------------------------------------------- written


def test_what_was_read_writes_nothing() -> None:
    there = native(*with_ids(A, B))
    assert show(PLAIN, "a", there, {"items": (A, B)}).native == {}


def test_a_changed_line_keeps_its_id_and_what_else_it_holds() -> None:
    there = native(line("A", id_="1", delivered=3), line("B", id_="2", delivered=0))
    written = show(PLAIN, "a", there, {"items": (line("A", 5), B, C)}).native["items"]
    assert written == (line("A", 5, id_="1", delivered=3), line("B", id_="2", delivered=0), C)


def test_a_new_line_holds_nothing_of_what_it_is_not_told() -> None:
    bare = line_of({"article": "B", "price": None, "quantity": 2})
    shown = show(PLAIN, "a", native(*with_ids(A)), {"items": (A, bare)})
    assert shown.native["items"] == (*with_ids(A), line_of({"article": "B", "quantity": 2}))
    assert shown.shown["items"] == (A, bare)


def test_a_removed_line_goes_and_the_others_stay_who_they_are() -> None:
    there = native(*with_ids(A, B, C))
    assert show(PLAIN, "a", there, {"items": (A, C)}).native["items"] == (
        there["items"][0],
        there["items"][2],
    )


def test_lines_that_a_system_deleted_and_inserted_are_the_same_lines() -> None:
    """REDTEAM 18, 3: new ids, and nothing else, change nothing."""
    anew = tuple(line_of({**dict(item.cells), "@id": f"new{at}"}) for at, item in enumerate((A, B)))
    seen = observe(PLAIN, "a", Record("1", native(*anew)), 0.0)
    assert seen.fields["items"] == (A, B)


def test_a_line_about_another_article_does_not_inherit_the_row() -> None:
    """Not what only this side knows of it (how much was delivered)."""
    there = native(line("A", 1, "10", id_="1", delivered=3))
    assert show(PLAIN, "a", there, {"items": (line("X", 1, "10"),)}).native["items"] == (line("X", 1, "10"),)


def test_of_two_lines_about_the_same_the_likest_is_meant() -> None:
    there = native(line("A", 1, "10", id_="1"), line("A", 2, "20", id_="2"))
    assert show(PLAIN, "a", there, {"items": (line("A", 9, "20"),)}).native["items"] == (
        line("A", 9, "20", id_="2"),
    )


def test_by_key_a_line_is_the_same_whatever_it_holds() -> None:
    spec = orders(lines(key=("article",)))
    there = native(line("A", id_="1"), line("B", id_="2"))
    written = show(spec, "a", there, {"items": (line("B", 9, "99"), line("A", 7, "77"))}).native["items"]
    assert written == (line("B", 9, "99", id_="2"), line("A", 7, "77", id_="1"))
    assert show(spec, "a", there, {"items": (line("C"), B)}).native["items"] == (
        line("C"),
        line("B", id_="2"),
    )


@pytest.mark.parametrize(
    "there, wanted, places",
    [
        ([("A", 10), ("B", 20)], (A, B, C), [10, 20, 21]),  # a new one behind
        ([("A", 10), ("B", 20)], (A, C, B), [10, 11, 20]),  # between, where a place is free
        ([("A", 1), ("B", 2)], (A, C, B), [1, 2, 3]),  # and where none is
        ([("A", 10), ("B", 20)], (B, A), [1, 2]),  # moved
        ([("A", 10), ("B", 20), ("C", 30)], (A, C), [10, 30]),  # one goes
        ([], (A, B), [1, 2]),
    ],
)
def test_places_rise_and_are_kept_where_they_do(
    there: list[tuple[str, int]], wanted: tuple[Line, ...], places: list[int]
) -> None:
    spec = orders(lines(position={"b": "no"}))
    before = native(*(line(article, no=no, id_=article) for article, no in there))
    written = show(spec, "b", before, {"items": wanted}).native["items"]
    assert [item.get("no") for item in written] == places  # type: ignore[union-attr]
    assert [item.get("article") for item in written] == [item.get("article") for item in wanted]  # type: ignore[union-attr]


ARTICLE = st.sampled_from("ABC")
LISTS = st.lists(st.builds(line, ARTICLE, st.integers(1, 2)), max_size=5).map(tuple)
SPECS = st.builds(
    lambda key, ordered, position: lines(
        key=key, ordered=ordered, position={"b": "no"} if position and ordered else {}
    ),
    st.sampled_from([(), ("article",)]),
    st.booleans(),
    st.booleans(),
)


@given(SPECS, LISTS, LISTS)
def test_what_is_written_reads_back_and_each_row_is_taken_once(
    spec: object, old: tuple[Line, ...], new: tuple[Line, ...]
) -> None:
    stream = orders(spec)  # type: ignore[arg-type]
    before = native(*with_ids(*old))
    wanted = observe(stream, "b", Record("1", native(*new)), 0.0).fields["items"]
    written = show(stream, "b", before, {"items": wanted})
    after = written.native.get("items", before["items"])
    assert written.shown["items"] == wanted
    assert observe(stream, "b", Record("1", {"items": after}), 0.0).fields["items"] == wanted
    ids = [item.get("@id") for item in lines_of(after) if "@id" in dict(item.cells)]
    assert len(ids) == len(set(ids))
    assert {*ids} <= {item.get("@id") for item in before["items"]}


@given(SPECS, LISTS, LISTS)
def test_lines_are_told_apart_one_by_one(spec: object, old: tuple[Line, ...], new: tuple[Line, ...]) -> None:
    found = [at for at in aligned(spec, old, new) if at is not None]  # type: ignore[arg-type]
    assert len(found) == len(set(found))
    if old == new:
        assert aligned(spec, old, new) == list(range(len(new)))  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------------- cut, told


@pytest.mark.parametrize(
    "before, sent, seen, cut",
    [
        ((), (A, B), (A,), True),  # one of two lines of a new order
        ((), (A, B), (), True),
        ((), (A, B), (A, B), False),  # all of it
        ((A,), (B, C), (A, B), True),  # inserted, not yet deleted
        ((A,), (B, C), (A, line("X")), False),  # somebody else was there
        ((A,), (B,), None, False),
    ],
)
def test_what_is_left_of_a_write_that_was_cut(before: object, sent: object, seen: object, cut: bool) -> None:
    assert is_cut(before, sent, seen) is cut  # type: ignore[arg-type]


def test_what_was_told_is_told_though_the_system_gave_ids() -> None:
    assert told((A, B), with_ids(A, B))
    assert not told((A, B), with_ids(B, A))
    assert not told((A,), with_ids(A, B))


# -------------------------------------------------------------------------------------------------------------- merged

A5, A7, B5 = line("A", 5), line("A", 7), line("B", 5)
A5P = line("A", 5, "9")


@pytest.mark.parametrize(
    "was, a, b, merged",
    [
        ((A, B), (A5, B), (A, B5), (A5, B5)),  # each another line
        ((A, B), (A5, B), (line("A", 1, "9"), B), (A5P, B)),  # each another cell of one line
        ((A, B), (A, B, C), (A5, B), (A5, B, C)),  # added here, changed there
        ((A, B), (B,), (A, B5), (B5,)),  # removed here, another one changed there
        ((A, B), (B, A), (A5, B), (B, A5)),  # moved here, changed there
        ((A,), (A, C), (A, C), (A, C)),  # both added the same one
        ((A,), (A, B), (A, C), (A, B, C)),  # both added at the same place
        ((A, B), (), (A,), ()),  # both removed
    ],
)
def test_each_side_s_change_is_kept(
    was: tuple[Line, ...], a: tuple[Line, ...], b: tuple[Line, ...], merged: tuple[Line, ...]
) -> None:
    spec = lines(key=("article",))
    for mine, theirs in ((a, b), (b, a)):  # and the mirror
        found = merge_lines(spec, (was, was), (mine, theirs), None)
        assert (found.lines, found.clashes) == (merged, ())


@pytest.mark.parametrize(
    "was, a, b, text, by_a, by_b",
    [
        ((A, B), (A5, B), (A7, B), "line 1: quantity", (A5, B), (A7, B)),
        ((A, B), (B,), (A5, B), "line 1: removed on a, edited on b", (B,), (A5, B)),
        ((A,), (A, C), (A, line("C", 9)), "a new line: quantity", (A, C), (A, line("C", 9))),
        ((A, B, C), (B, A, C), (A, C, B), "both sides moved lines", (B, A, C), (A, C, B)),
    ],
)
def test_what_both_changed_is_named_and_the_rule_decides_that_alone(
    was: tuple[Line, ...],
    a: tuple[Line, ...],
    b: tuple[Line, ...],
    text: str,
    by_a: tuple[Line, ...],
    by_b: tuple[Line, ...],
) -> None:
    spec = lines(key=("article",))
    assert merge_lines(spec, (was, was), (a, b), None).clashes == (text,)
    sides: tuple[tuple[Side, tuple[Line, ...]], ...] = (("a", by_a), ("b", by_b))
    for side, merged in sides:
        assert merge_lines(spec, (was, was), (a, b), side).lines == merged


@given(SPECS, LISTS, LISTS, LISTS, st.sampled_from([None, "a", "b"]))
def test_law_of_merged_lines(
    spec: object, was: tuple[Line, ...], a: tuple[Line, ...], b: tuple[Line, ...], prefer: Side | None
) -> None:
    """Who alone changed is right; equal edits are one; swapped sides give the same."""
    assert merge_lines(spec, (was, was), (a, was), None).clashes == ()  # type: ignore[arg-type]
    mirrored: dict[Side | None, Side | None] = {None: None, "a": "b", "b": "a"}
    found = merge_lines(spec, (was, was), (a, b), prefer)  # type: ignore[arg-type]
    turned = merge_lines(spec, (was, was), (b, a), mirrored[prefer])  # type: ignore[arg-type]
    assert bool(found.clashes) == bool(turned.clashes)
    if not found.clashes:
        assert found.lines == turned.lines


@given(LISTS, LISTS)
def test_law_of_lines_that_one_side_changed(was: tuple[Line, ...], a: tuple[Line, ...]) -> None:
    assert merge_lines(lines(), (was, was), (a, was), None).lines == a
    assert merge_lines(lines(), (was, was), (was, a), None).lines == a


def test_old_lists_that_do_not_fit_are_nobody_s() -> None:
    assert merge_lines(lines(), ((A,), ()), ((A5,), (B,)), None).clashes
    assert merge_lines(lines(), ((A,), ()), ((A5,), (B,)), "b").lines == (B,)


def test_each_side_is_compared_with_what_it_held_itself() -> None:
    """b rounds: that was settled, and is no edit of b."""
    was = (line("A", 1, "1.255"),), (line("A", 1, "1.26"),)
    now = (line("A", 2, "1.255"),), (line("A", 1, "1.26"), C)
    assert merge_lines(lines(key=("article",)), was, now, None).lines == (line("A", 2, "1.255"), C)
    assert Decimal("1.26") != Decimal("1.255")
