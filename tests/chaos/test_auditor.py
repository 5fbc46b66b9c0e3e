"""The auditor finds what it is there for: each fault, planted in a history that is sound without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.auditor import Edit, Evidence, Row, audit


def row(side: str, name: str, **fields: str) -> Row:
    return {"name": name, "phone": "", "city": "", "origin": f"{side} of {name}" if side else "", **fields}


def sound() -> Evidence:
    """Ann was made in a and edited on both sides; Bob in b, and deleted there; Cyd has a conflict that is listed."""
    return Evidence(
        fields=("phone", "city"),
        shown={
            "a": [row("a", "Ann", phone="2"), row("", "Bob", city="4"), row("a", "Cyd", city="6")],
            "b": [row("", "Ann", phone="2"), row("", "Cyd", city="7")],
        },
        born={"Ann": {"a"}, "Bob": {"b"}, "Cyd": {"a"}},
        edits=[
            Edit("Ann", "phone", "1", ""),
            Edit("Ann", "phone", "2", "1"),
            Edit("Bob", "city", "3", ""),
            Edit("Bob", "city", "4", "3"),
            Edit("Bob", "city", "5", "3"),
            Edit("Cyd", "city", "6", ""),
            Edit("Cyd", "city", "7", ""),
        ],
        conflicts={("Cyd", "city")},
        gone={("b", "Bob"): row("b", "Bob", city="5")},
    )


def shown(a: Callable[[list[Row]], list[Row]] = list, b: Callable[[list[Row]], list[Row]] = list) -> Evidence:
    evidence = sound()
    return replace(evidence, shown={"a": a(list(evidence.shown["a"])), "b": b(list(evidence.shown["b"]))})


def test_a_sound_history_is_sound() -> None:
    assert audit(sound()) == []


def test_a_value_that_a_person_gave_up_in_the_list_is_not_lost() -> None:
    settled = shown(a=lambda rows: [*rows[:2], row("a", "Cyd", city="7")])
    assert audit(replace(settled, conflicts=(), decided=[("Cyd", "city", "7", "6")])) == []


def test_what_is_written_in_a_field_of_the_other_sides_must_be_put_back_where_there_is_another_side() -> None:
    ann = shown(b=lambda rows: [row("", "Ann", phone="2", city="x"), rows[1]])
    assert any("'x' in b was never written there" in line for line in audit(replace(ann, owned=("city",))))
    bob = shown(a=lambda rows: [rows[0], row("", "Bob", phone="x", city="4"), rows[2]])
    assert audit(replace(bob, owned=("phone",))) == []
    assert any("'x' in a was never written there" in line for line in audit(bob))


@pytest.mark.parametrize(
    "evidence, words",
    [
        (shown(b=lambda rows: [*rows, rows[0]]), "Ann stands 2 times in b"),
        (shown(b=lambda rows: rows[1:]), "Ann stands 0 times in b"),
        (shown(b=lambda rows: [*rows, row("", "Bob", city="4")]), "Bob stands 1 times in b"),
        (shown(a=lambda rows: [*rows, row("", "Dan")]), "Dan in a is nobody"),
        (shown(b=lambda rows: [row("", "Ann", phone="1"), rows[1]]), "'2' / '1', not listed"),
        (shown(a=lambda rows: [row("a", "Ann", phone="1"), *rows[1:]]), "'1' / '2', not listed"),
        (shown(a=lambda rows: [*rows[:2], row("a", "Cyd", city="7")]), "lost ['6']"),
        (replace(sound(), conflicts=()), "'6' / '7', not listed"),
        (shown(a=lambda rows: [*rows[:2], row("a", "Cyd", city="7")]), "'7' / '7', listed"),
        (replace(sound(), gone={("b", "Bob"): row("b", "Bob", city="3")}), "lost ['5']"),
        (shown(a=lambda rows: [row("a", "Ann", phone="2", city="6"), *rows[1:]]), "never written there"),
        (shown(b=lambda rows: [row("b", "Ann", phone="2"), rows[1]]), "nobody's business"),
        (replace(sound(), conflicts={("Cyd", "city"), ("Bob", "city")}), "Bob, city: listed, but not a pair"),
    ],
)
def test_what_is_wrong_is_found(evidence: Evidence, words: str) -> None:
    assert any(words in line for line in audit(evidence)), audit(evidence)
