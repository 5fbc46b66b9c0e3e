"""The functions made for whole blocks of lines say what the rules say, line by line; and plain lines don't need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.lenses import Case, Chain, Default, Empty, Length, MapValues, Same, Scale, Trim
from actors.core.lenses_money import Gross
from actors.core.lenses_one_way import Constant, OwnId
from actors.core.lenses_text import Join, Phone
from actors.core.policy import FieldSide, FieldSpec, Lens, Owner, OwnerCase, StreamSpec
from actors.core.rows import Creates, Looks, RowShape, creates_for, is_plain, kept_paths, looks_for
from actors.core.texts import line_of, reader, texts_of
from actors.core.values import canonical, decode
from tests.core.pairs import one, stream

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
spaced = st.sampled_from(
    ("", " ", "Ada", " Ada ", "Köln", 'the "Crown"', "a\\b", "\\N", "N", "tab\there", "ß", "x" * 70)
)
decimals = st.sampled_from(
    ("0", "-0.00", "0.10", "12.5000", "100", "100.00", "-3.70", "NaN", "Infinity", "9" * 70, "1.0000000001")
)
dates = st.sampled_from(("2026-11-25", "0044-03-15 BC", "infinity", "9999-12-31", "12026-01-01"))
instants = st.sampled_from(
    (
        "2026-11-25 10:11:12+00",
        "2026-11-25 10:11:12.5+00",
        "2026-11-25 10:11:12.123456+00",
        "2026-11-25 10:11:12+02",
        "2026-11-25 10:11:12",
        "2026-11-25 10:11:12.25+05:30",
        "infinity",
        "0044-03-15 00:00:00+00 BC",
        "12026-01-01 00:00:00+00",
    )
)
BY_KIND: Mapping[str, st.SearchStrategy[str]] = {
    "text": st.one_of(texts, spaced),
    "integer": st.integers(-(2**70), 2**70).map(str),
    "decimal": decimals,
    "float": st.one_of(decimals, st.just("1e5")),
    "boolean": st.sampled_from(("true", "false")),
    "date": dates,
    "instant": instants,
    "bytes": st.sampled_from(("\\x", "\\xdeadbeef")),
    "other": spaced,
}
upper_trim = Chain(Trim(), (Case("upper"),))
yes_no = MapValues((("J", True), ("N", False), (None, False)), "yes and no")
# What a field may be: its kinds on both sides and its lenses.
FIELDS: Sequence[tuple[str, str, Lens, Lens]] = (
    *((kind, kind, Same(), Same()) for kind in BY_KIND),
    ("text", "text", Trim(), Trim()),
    ("text", "text", Trim(), Same()),
    ("text", "text", Same(), Trim()),
    ("text", "text", Case("upper"), Case("upper")),
    ("text", "text", Case("fold"), Same()),
    ("text", "text", upper_trim, upper_trim),
    ("text", "text", upper_trim, Case("lower")),
    ("text", "text", Same(), Length(3)),
    ("text", "text", Same(), Default("-")),
    ("text", "text", Empty(("-", "")), Same()),
    ("text", "text", Phone("DE"), Phone("DE")),
    ("text", "text", Trim(), Empty(("-",))),
    ("text", "boolean", yes_no, Same()),
    ("integer", "text", Same(), Same()),
    ("decimal", "integer", Same(), Scale(0, factor=Decimal(100))),
    ("decimal", "decimal", Scale(2), Scale(2)),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[StreamSpec, dict[Any, RowShape], list[str]]:
    """A stream of a few fields, how both objects cross, and a block of lines of side a."""
    chosen = draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=4))
    fields, here, there, values = [], {}, {}, []
    for place, (kind_a, kind_b, at, to) in enumerate(chosen):
        rules: dict[str, Any] = {
            "required": draw(st.booleans()),
            "owner": draw(st.sampled_from((Owner.BOTH, Owner.A))),
        }
        fields.append(
            FieldSpec(f"f{place}", FieldSide((f"a{place}",), at), FieldSide((f"b{place}",), to), **rules)
        )
        here[f"a{place}"], there[f"b{place}"] = kind_a, kind_b
        values.append(st.one_of(st.none(), BY_KIND[kind_a]))
    match = draw(st.sampled_from(((), (("f0",),), (("f0",), (fields[-1].name, "f0")))))
    key = draw(st.sampled_from(("id", "b0") if chosen[0][1] in ("text", "integer") else ("id",)))
    nulls = draw(st.sets(st.sampled_from(sorted(there)))) if draw(st.booleans()) else there
    rows = draw(st.lists(st.tuples(*values), min_size=1, max_size=5))
    lines = [line_of([f"A{number}", *row]) for number, row in enumerate(rows)]
    shapes = {"a": RowShape("id", here), "b": RowShape(key, there, frozenset(nulls))}
    return stream(*fields, match=match), shapes, lines


@settings(max_examples=300)
@given(cases())
def test_looks_say_what_the_rules_say(case: tuple[StreamSpec, dict[Any, RowShape], list[str]]) -> None:
    spec, shapes, lines = case
    found = looks_for(spec, "a", shapes["a"])
    assert found is not None
    assert found.stored(lines, is_plain("\n".join(lines))) == [found.careful(line) for line in lines]


@settings(max_examples=300)
@given(cases())
def test_creates_say_what_the_rules_say(case: tuple[StreamSpec, dict[Any, RowShape], list[str]]) -> None:
    spec, shapes, lines = case
    found = creates_for(spec, "a", shapes)
    assert found is not None
    ids = [f"B{number}" for number in range(len(lines))]
    made = found.plan(lines, "\n".join(lines), ids)
    expected = [found.careful(line, new) for line, new in zip(lines, ids, strict=True)]
    assert made.bindings == [both[1] for both in expected if both is not None]
    assert made.odd == [line for line, both in zip(lines, expected, strict=True) if both is None]
    # The same values in perhaps another spelling: 12.50 is sent on as it came.
    meant = partial(values_of, shapes["b"], found.targets)
    assert [*map(meant, made.targets)] == [meant(both[0]) for both in expected if both is not None]


def values_of(shape: RowShape, paths: Sequence[str], line: str) -> list[Any]:
    """What the other system makes of a line."""
    id_, *row = texts_of(line)
    return [id_, *(reader(shape.kinds[path])(text) for path, text in zip(paths, row, strict=True))]


MORE: Mapping[str, tuple[FieldSpec, bool]] = {
    "a constant": (
        FieldSpec("f", FieldSide((), Constant("x")), FieldSide(("f",), Same()), owner=Owner.A),
        False,
    ),
    "an id": (FieldSpec("f", FieldSide(("@id",), OwnId()), FieldSide(("f",), Same()), owner=Owner.A), False),
    "a price": (
        FieldSpec("f", FieldSide(("f", "t"), Gross((("1", Decimal(20)),))), FieldSide(("f",), Same())),
        False,
    ),
    "an owner under conditions": (one("f", owner_cases=(OwnerCase(Owner.B, once_bound=True),)), True),
    "a value to begin with": (one("f", on_create_only=True, starts_with={"b": {"f": "x"}}), True),
}


@pytest.mark.parametrize("name", MORE)
def test_what_a_line_does_not_say_goes_the_general_way(name: str) -> None:
    field, looks = MORE[name]
    shape = RowShape("id", {"name": "text", "f": "text", "t": "text"})
    spec = stream(one("name"), field)
    assert creates_for(spec, "a", {"a": shape, "b": shape}) is None
    assert (looks_for(spec, "a", shape) is not None) is looks
    assert "@id" not in kept_paths(spec, "a")  # no system is asked for it


@given(st.lists(st.one_of(st.none(), texts, spaced), min_size=1))
def test_lines_give_back_their_texts(row: list[str | None]) -> None:
    line = line_of(row)
    assert "\n" not in line and texts_of(line) == row


# ---------------------------------------------------------------------------------------------- what is plain


def customers() -> tuple[StreamSpec, dict[Any, RowShape]]:
    """Customers as they are in most tables."""
    spec = stream(
        one("name", a=Trim(), b=Trim(), required=True),
        one("email", a=Case("lower"), b=Case("lower")),
        one("credit"),
        one("since"),
        one("changed"),
        one("active"),
        match=(("email",),),
    )
    kinds = {
        "name": "text",
        "email": "text",
        "credit": "decimal",
        "since": "date",
        "changed": "instant",
        "active": "boolean",
    }
    shape = RowShape("id", kinds, frozenset(kinds))
    return spec, {"a": shape, "b": shape}


PLAIN = line_of(
    ["7", " Käthe ", "K@Haus.example", "12.5000", "2026-11-25", "2026-11-25 10:11:12.5+00", "true"]
)


def never(*_: str) -> Any:
    raise AssertionError("a plain line needs no care")


def test_a_plain_line_is_planned_by_the_made_function_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, shapes = customers()
    creates, looks = creates_for(spec, "a", shapes), looks_for(spec, "a", shapes["a"])
    assert creates is not None and looks is not None
    monkeypatch.setattr(Creates, "careful", never)
    monkeypatch.setattr(Looks, "careful", never)
    made = creates.plan([PLAIN], PLAIN, ["B7"])
    assert made.targets == [
        line_of(
            ["B7", "Käthe", "k@haus.example", "12.5000", "2026-11-25", "2026-11-25 10:11:12.5+00", "true"]
        )
    ]
    (bound,) = (texts_of(line) for line in made.bindings)
    assert bound[:2] == ["7", "B7"] and bound[2] is not None
    base = decode(bound[2])
    assert base["credit"] == canonical(Decimal("12.5")) and base["name"] == "Käthe"
    assert looks.stored([PLAIN], is_plain(PLAIN)) == [line_of(["7", bound[2]])]


def test_texts_that_are_stored_otherwise_than_they_stand_are_not_plain() -> None:
    spec, shapes = customers()
    found = looks_for(spec, "a", shapes["a"])
    assert found is not None
    composed = PLAIN.replace("ä", "a\u0308")  # two characters that are one letter
    assert found.stored([composed], is_plain(composed)) == found.stored([PLAIN], is_plain(PLAIN))


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param({"reference": "articles"}, id="a reference"),
        pytest.param({"as_set": True}, id="a set"),
        pytest.param({"owner": Owner.B}, id="a number that the other side draws"),
    ],
)
def test_what_needs_more_than_its_line_goes_the_general_way(rules: dict[str, Any]) -> None:
    shape = RowShape("id", {"f": "text", "g": "text"}, frozenset({"f", "g"}))
    spec = stream(one("f"), one("g", **rules))
    assert creates_for(spec, "a", {"a": shape, "b": shape}) is None


def test_a_joined_name_is_read_and_written_by_its_lens() -> None:
    join = Join(2)
    name = FieldSpec("name", FieldSide(("first", "last"), join), FieldSide(("name",), Same()))
    kinds = {"first": "text", "last": "text"}
    shapes: dict[Any, RowShape] = {"a": RowShape("id", kinds), "b": RowShape("id", {"name": "text"})}
    found = creates_for(stream(name), "a", shapes)
    assert found is not None
    line = line_of(["1", "Ada", "Vos"])
    assert found.plan([line], line, ["9"]).targets == [line_of(["9", "Ada Vos"])]
