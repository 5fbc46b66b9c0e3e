"""What is made of a changed line without the rules is what the rules say; and plain changes don't need them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.changes import Change, Changes, Standing, action_of, changes_for
from actors.core.lenses import Case, Chain, Same, Trim
from actors.core.policy import FieldSide, FieldSpec, ForeignEdit, Owner, OwnerCase, StreamSpec
from actors.core.rows import RowShape, is_plain
from actors.core.stream_rules import Reactivation
from actors.core.texts import line_of
from actors.core.types import FieldDecision, Side
from tests.core.pairs import one, stream
from tests.core.test_rows import BY_KIND, FIELDS

NOW = 1_000_000.0
BREAKER = 3
ONCE_BOUND = (OwnerCase(Owner.B, once_bound=True),)


@st.composite
def cases(draw: st.DrawFn) -> tuple[StreamSpec, dict[Any, RowShape], Side, str, str, dict[str, Any]]:
    """A stream of a few fields, how both objects cross, a side, its line before and now, and what was counted."""
    fields, kinds, before, now = [], {"a": {}, "b": {}}, [], []  # type: ignore[var-annotated]
    side: Side = draw(st.sampled_from(("a", "b")))
    for place, (kind_a, kind_b, at, to) in enumerate(
        draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=4))
    ):
        rules: dict[str, Any] = {
            "owner": draw(st.sampled_from((Owner.BOTH, Owner.BOTH, Owner.A, Owner.B))),
            "group": draw(st.sampled_from(("", "", "g"))),
            "required": draw(st.sampled_from((False, False, True))),
            "on_create_only": draw(st.sampled_from((False, False, True))),
            "owner_cases": draw(st.sampled_from(((), (), ONCE_BOUND))),
            "foreign_edit": draw(st.sampled_from(ForeignEdit)),
        }
        if rules["owner"] is Owner.BOTH and not rules["group"]:
            rules["reactivation"] = draw(st.sampled_from(Reactivation))
        places = FieldSide((f"a{place}",), at), FieldSide((f"b{place}",), to)
        fields.append(FieldSpec(f"f{place}", *places, **rules))
        kinds["a"][f"a{place}"], kinds["b"][f"b{place}"] = kind_a, kind_b
        text = st.one_of(st.none(), BY_KIND[kind_a if side == "a" else kind_b])
        before.append(draw(text))
        now.append(draw(st.one_of(st.just(before[-1]), text)))
    match = draw(st.sampled_from(((), (("f0",),))))
    there = "b" if side == "a" else "a"
    key = draw(st.sampled_from(("id", f"{there}0")))
    nulls = draw(st.sets(st.sampled_from(sorted(kinds[there])))) if draw(st.booleans()) else kinds[there]
    shapes = {
        side: RowShape("id", kinds[side]),
        there: RowShape(key, kinds[there], frozenset(nulls)),
    }
    counted = st.tuples(st.integers(1, BREAKER), st.sampled_from((NOW - 10, NOW - 100_000)))
    contests = draw(st.dictionaries(st.sampled_from((f"{there}.f0", f"{there}.f1", "x.f")), counted))
    return (
        stream(*fields, match=match),
        shapes,
        side,
        line_of(["R1", *before]),
        line_of(["R1", *now]),
        contests,
    )


@settings(max_examples=600)
@given(cases())
def test_changes_say_what_the_rules_say(case: tuple[Any, ...]) -> None:
    spec, shapes, side, before, now, contests = case
    found = changes_for(spec, side, shapes)
    assert found is not None
    stored, read = found.looks.stored([before, now], is_plain(f"{before}\n{now}"))
    if not stored or not read or stored == read:
        return
    at = Standing(7, 3, "R2", found.looks.careful(before).partition("\t")[2], contests)
    assert found.plan(now, read, at, NOW, BREAKER) == found.careful(now, at, NOW, BREAKER)


# ---------------------------------------------------------------------------------------------- what is plain


def customers(**rules: Any) -> tuple[StreamSpec, dict[Any, RowShape]]:
    """Customers as they are in most tables."""
    upper_trim = Chain(Trim(), (Case("upper"),))
    spec = stream(
        one("name", a=Trim(), b=Trim()),
        one("country", a=upper_trim, b=upper_trim),
        one("email", a=Case("lower"), b=Case("lower")),
        one("credit", **rules),
        one("since"),
        one("active"),
        match=(("email",),),
    )
    kinds = {
        "name": "text",
        "country": "text",
        "email": "text",
        "credit": "decimal",
        "since": "date",
        "active": "boolean",
    }
    shape = RowShape("id", kinds, frozenset(kinds))
    return spec, {"a": shape, "b": shape}


WAS = ("Käthe", "DE", "k@haus.example", "12.5", "2026-11-25", "true")


def planned(spec: StreamSpec, shapes: dict[Any, RowShape], *now: str | None, **said: Any) -> Change | None:
    """The change of record 7 of side a, which is bound to B7, from WAS to `now`."""
    found = changes_for(spec, "a", shapes)
    assert found is not None
    was, line = line_of(["7", *WAS]), line_of(["7", *now])
    stored, read = found.looks.stored([was, line], is_plain(f"{was}\n{line}"))
    at = msgspec.structs.replace(Standing(1, 4, "B7", stored.partition("\t")[2]), **said)
    return found.plan(line, read, at, NOW, BREAKER)


@pytest.mark.parametrize("was, now, goes", [("false", "true", False), ("true", "false", True)])
def test_what_is_active_again_on_one_side_alone_is_no_plain_change(was: str, now: str, goes: bool) -> None:
    spec = stream(one("active", reactivation=Reactivation.IGNORE))
    shapes: dict[Any, RowShape] = {side: RowShape("id", {"active": "boolean"}) for side in ("a", "b")}
    found = changes_for(spec, "a", shapes)
    assert found is not None
    before, line = line_of(["7", was]), line_of(["7", now])
    stored, read = found.looks.stored([before, line], is_plain(f"{before}\n{line}"))
    change = found.plan(line, read, Standing(1, 4, "B7", stored.partition("\t")[2]), NOW, BREAKER)
    assert [change.values] == [[now]] if goes and change is not None else change is None


def test_a_plain_change_needs_no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Changes, "careful", lambda *_: pytest.fail("a plain change needs no care"))
    change = planned(*customers(), " Zoë ", "at", WAS[2], "20.0", None, "true")
    assert change is not None
    assert change.written == change.guarded == ("country", "credit", "name", "since")
    assert change.values == ["AT", "20", "Zoë", None]
    assert change.held == ["DE", "12.5", "Käthe", "2026-11-25"]
    assert change.kinds == ("overwrites", "clears")
    assert change.contests == {f"b.{name}": (1, NOW) for name in change.written}
    action = action_of("customers", "b", change, NOW + 30)
    assert (action.binding, action.target, action.origin, action.deadline) == (1, "B7", "7", NOW + 30)
    assert action.fields == {"country": "AT", "credit": 20, "name": "Zoë", "since": None}
    assert action.before["credit"] == Decimal("12.5") == action.seen_native["credit"]
    decided = FieldDecision("credit", "changed on a", 20, Decimal("12.5"), 20, Decimal("12.5"))
    assert decided in action.decisions


@pytest.mark.parametrize(
    "now, said",
    [
        pytest.param(WAS, {}, id="nothing is new"),
        pytest.param((*WAS[:2], "z@haus.example", *WAS[3:]), {}, id="a match key is new"),
        pytest.param(
            (*WAS[:3], "13", *WAS[4:]), {"is_plain": False}, id="there is more to say of the binding"
        ),
        pytest.param(
            (*WAS[:3], "13", *WAS[4:]), {"contests": {"b.credit": (BREAKER, NOW - 5)}}, id="written too often"
        ),
        pytest.param((*WAS[:3], "13", *WAS[4:]), {"base": '{"name":"Käthe"}'}, id="not all was ever settled"),
    ],
)
def test_what_needs_more_than_its_line_goes_the_general_way(now: Any, said: dict[str, Any]) -> None:
    assert planned(*customers(), *now, **said) is None


def test_a_field_that_the_other_side_owns_goes_the_general_way() -> None:
    now = (*WAS[:3], "13", *WAS[4:])
    assert planned(*customers(owner=Owner.B), *now) is None
    change = planned(*customers(owner=Owner.A), *now)
    assert change is not None and change.rule == "owned by a"


def test_what_is_required_and_was_emptied_goes_the_general_way() -> None:
    emptied = (*WAS[:3], None, *WAS[4:])
    assert planned(*customers(required=True), *emptied) is None
    assert planned(*customers(), *emptied) is not None


def test_a_reference_goes_the_general_way() -> None:
    shape = RowShape("id", {"f": "text", "g": "text"}, frozenset({"f", "g"}))
    assert (
        changes_for(stream(one("f"), one("g", reference="articles")), "a", {"a": shape, "b": shape}) is None
    )


def test_another_field_may_be_changed_by_its_lens_alone() -> None:
    spec = stream(FieldSpec("f", FieldSide(("f",), Same()), FieldSide(("f",), Trim())))
    shape = RowShape("id", {"f": "text"}, frozenset({"f"}))
    found = changes_for(spec, "a", {"a": shape, "b": shape})
    assert found is not None
    change = found.plan("7\tnew", '7\t{"f":"new"}', Standing(1, 1, "B7", '{"f":"old"}'), NOW, BREAKER)
    assert change is not None and change.values == ["new"]
