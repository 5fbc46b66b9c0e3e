"""Formulas: what they say, what they refuse, and that they end, whatever they say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.formula import DEPTH_MAX, LENGTH_MAX, RESULT_MAX, FormulaError, compiled
from actors.core.values import canonical, same

ROW = {
    "n": 7,
    "net": Decimal("10.10"),
    "name": "Ada",
    "none": None,
    "yes": True,
    "tags": ("x", "y"),
    "day": date(2024, 2, 29),
    "at": datetime(2024, 2, 29, tzinfo=UTC),
    "plain": datetime(2024, 2, 29),  # noqa: DTZ001
    "address.street": "Lane 1",
}


def said(text: str, row: dict[str, Any] = ROW) -> Any:
    return compiled(text, tuple(row))(tuple(row.values()))


ANSWERS: dict[str, Any] = {
    "1 + 2 * 3": 7,
    "(1 + 2) * 3": 9,
    "-n + 10 % 4": -5,
    "net * (100 + 20) / 100": Decimal("12.12"),
    "round(10 / 3, 2)": Decimal("3.33"),
    "round(2.5)": 3,
    "round(-2.5)": -3,
    "0.1 + 0.2 == 0.3": True,
    "n == 7 && net > 10": True,
    "n == 7.0": True,
    "yes == 1": False,
    "none == null": True,
    "yes || n / 0 == 1": True,
    "!yes || name != 'Ada'": False,
    "n < 7 ? 'less' : n == 7 ? 'seven' : 'more'": "seven",
    "'x' in tags && !('z' in tags)": True,
    "name in ['Ada', 'Bob']": True,
    "'d' in name": True,
    "size(name) + size(tags)": 5,
    'name + " \\"L.\\""': 'Ada "L."',
    "`address.street`.startsWith('Lane')": True,
    "name.endsWith('a') && name.contains('d')": True,
    "upper(trim('  x ')) + lower('Y')": "Xy",
    "default(none, '-')": "-",
    "default(name, '-')": "Ada",
    "text(12.50) + '/' + text(yes) + '/' + text(day)": "12.5/true/2024-02-29",
    "number('12.50') * 2": 25,
    "day <= day": True,
    "[1, 'x', null]": (1, "x", None),
}


@pytest.mark.parametrize("text", ANSWERS)
def test_a_formula_says(text: str) -> None:
    assert same(said(text), canonical(ANSWERS[text])), said(text)


@pytest.mark.parametrize(
    "text, why",
    [
        ("name + 1", "is not a number"),
        ("name < 1", "is not a number"),
        ("day < at", "is not a number"),
        ("at < plain", "can't be compared"),
        ("n / (n - 7)", "divides by zero"),
        ("n % 0", "divides by zero"),
        ("none + 1", "nothing is not a number"),
        ("n ? 1 : 2", "is not true or false"),
        ("yes && n", "is not true or false"),
        ("size(n)", "has no size"),
        ("upper(n)", "is not a text"),
        ("number('12,50')", "is not a number"),
        ("round(n, 2.5)", "0 to 20 places"),
        ("n in n", "is not a list"),
        ("[[1], 2]", "beyond all bounds"),
    ],
)
def test_a_formula_without_an_answer_says_why(text: str, why: str) -> None:
    with pytest.raises(FormulaError, match=why):
        said(text)


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "ends in the middle"),
        ("1 +", "ends in the middle"),
        ("(1", r"'\)' is missing"),
        ("1 2", "nothing is expected"),
        ("nobody", "names nobody"),
        ("exec('x')", r"there is no exec\(\)"),
        ("name.upper()", r"there is no \.upper\(\)"),
        ("name.__class__", r"there is no \.__class__\(\)"),
        ("round()", "takes 1 to 2 values"),
        ("size(1, 2)", "takes 1 values"),
        ("a ; b", "can't be read"),
        ("'open", "can't be read"),
        ("(" * (DEPTH_MAX + 2) + "1" + ")" * (DEPTH_MAX + 2), "nested at most"),
        ("-" * 100 + "1", "nested at most"),
        ("+".join("1" * 300), "at most 100 operators"),
        ("1" * (LENGTH_MAX + 1), "at most 1000 characters"),
    ],
)
def test_a_formula_that_can_not_be_read_is_refused(text: str, why: str) -> None:
    with pytest.raises(FormulaError, match=why):
        said(text)


def test_results_are_bounded() -> None:
    long = {"x": "x" * RESULT_MAX}
    with pytest.raises(FormulaError, match="longer than"):
        said("x + x", long)
    with pytest.raises(FormulaError, match="beyond all bounds"):
        said("*".join(["x"] * 99), {"x": 10**999})


WORDS = st.sampled_from(
    [
        *ROW,
        *"+-*/%<>!?:()[],.`'",
        "&&",
        "||",
        "==",
        "<=",
        "in",
        "size",
        "round",
        "text",
        "default",
        "1",
        "2.5",
        "'x'",
        " ",
    ]
)


@given(st.lists(WORDS, max_size=25))
def test_whatever_stands_there_is_answered_or_refused(words: list[str]) -> None:
    try:
        answer = said(" ".join(words))
    except FormulaError:
        return
    assert same(canonical(answer), answer)


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_it_counts_exactly(left: int, right: int) -> None:
    row = {"x": Decimal(left).scaleb(-2), "y": Decimal(right).scaleb(-2)}
    assert said("x + y", row) == row["x"] + row["y"]
    assert said("x - y < 0 || x >= y", row) is True
    assert said("x * y", row) == row["x"] * row["y"]
