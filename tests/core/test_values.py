"""Canonical values: one form per content, exact comparison, and written forms that come back as they were."""

from __future__ import annotations

import itertools
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.values import (
    UNKNOWN,
    BadValue,
    Seen,
    Value,
    canonical,
    decode,
    encode,
    fingerprint,
    key_hash,
    same,
)

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
# Naive on purpose: they are the local part of an instant, far enough from the ends for any zone.
local_times = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1))  # noqa: DTZ001
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40, places=6),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.dates(),
    st.datetimes(),
    st.tuples(local_times, zones).map(lambda at: at[0].replace(tzinfo=at[1])),
    st.binary(max_size=6),
)
raw = st.one_of(scalars, st.lists(scalars, max_size=3))
values = raw.map(canonical)
fields = st.dictionaries(texts, values, max_size=4)

# Small domain in which every two members are different things, however alike they look.
DISTINCT: tuple[Seen, ...] = (
    UNKNOWN,
    None,
    True,
    False,
    1,
    0,
    2,
    Decimal("1.5"),
    "",
    "1",
    "1.5",
    "true",
    "None",
    date(2024, 1, 1),
    datetime(2024, 1, 1),  # noqa: DTZ001
    datetime(2024, 1, 1, tzinfo=UTC),
    "2024-01-01",
    b"1",
    b"",
    (),
    (1,),
    ("1",),
    (None,),
)


@given(raw)
def test_the_canonical_form_is_its_own_canonical_form(value: object) -> None:
    once = canonical(value)
    assert same(canonical(once), once)
    assert repr(canonical(once)) == repr(once)


@given(fields)
def test_what_is_written_down_comes_back(written: dict[str, Value]) -> None:
    back = decode(encode(written))
    assert back.keys() == written.keys()
    assert all(same(back[name], value) for name, value in written.items())
    assert encode(back) == encode(written)


@given(fields)
def test_the_order_of_fields_is_not_part_of_what_is_written(written: dict[str, Value]) -> None:
    turned = dict(reversed(written.items()))
    assert encode(turned) == encode(written)
    assert fingerprint([turned]) == fingerprint([written])


def test_different_values_are_never_the_same() -> None:
    for left, right in itertools.product(DISTINCT, DISTINCT):
        assert same(left, right) is (left is right), (left, right)


def test_different_content_has_different_fingerprints() -> None:
    prints = [fingerprint([value]) for value in DISTINCT]
    assert len(set(prints)) == len(DISTINCT)
    pairs = [fingerprint([{"f": left, "g": right}]) for left, right in itertools.product(DISTINCT, DISTINCT)]
    assert len(set(pairs)) == len(DISTINCT) ** 2
    assert fingerprint(["a", "b"]) != fingerprint(["ab"]) != fingerprint([{"a": "b"}])


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_numbers_compare_by_amount_not_by_spelling(number: int, zeros: int) -> None:
    spelled = Decimal(number).scaleb(-2)
    longer = Decimal(f"{spelled:f}" + ("0" * zeros if spelled.as_tuple().exponent else ""))
    assert same(canonical(spelled), canonical(longer))
    assert encode({"f": canonical(spelled)}) == encode({"f": canonical(longer)})
    assert fingerprint([spelled]) == fingerprint([longer])


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40, places=9))
def test_no_digit_of_a_number_is_lost(number: Decimal) -> None:
    kept = canonical(number)
    assert isinstance(kept, Decimal)
    assert kept == number
    assert not format(kept, "f").endswith("0") or "." not in format(kept, "f")


def test_a_number_that_no_store_can_hold_is_refused() -> None:
    with pytest.raises(BadValue):
        canonical(Decimal("1E+200000"))


def test_minus_zero_is_zero() -> None:
    assert str(canonical(Decimal("-0.00"))) == "0"
    assert encode({"f": canonical(-0.0)}) == encode({"f": 0})


@given(texts)
def test_one_spelling_per_text(text: str) -> None:
    forms = {canonical(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")}
    assert len(forms) == 1
    assert canonical("a\r\nb\rc") == canonical("a\nb\nc") == "a\nb\nc"


@given(local_times, zones, zones)
def test_an_instant_is_the_same_in_every_zone(local: datetime, here: timezone, there: timezone) -> None:
    instant = local.replace(tzinfo=here)
    assert same(canonical(instant), canonical(instant.astimezone(there)))
    assert not same(canonical(instant), canonical(local))


@pytest.mark.parametrize(
    "bad",
    ["a\x00b", "\ud800", float("nan"), float("inf"), Decimal("NaN"), object(), {"a": 1}, [[1]], ["a\x00"]],
)
def test_what_no_store_can_hold_is_refused(bad: object) -> None:
    with pytest.raises(BadValue):
        canonical(bad)


@given(st.lists(st.one_of(values, st.just(UNKNOWN)), max_size=3), st.integers(0, 9))
def test_a_key_hash_fits_a_bigint_or_is_none(parts: list[Seen], level: int) -> None:
    hash_ = key_hash(level, parts)
    missing = not parts or any(part is UNKNOWN or part is None for part in parts)
    assert hash_ is None if missing else hash_ is None or -(2**63) <= hash_ < 2**63
    assert hash_ == key_hash(level, list(parts))


@pytest.mark.parametrize("blank", [None, UNKNOWN, "", "  ", "\t\n"])
def test_a_key_with_a_blank_part_matches_nothing(blank: Seen) -> None:
    assert key_hash(0, [blank]) is None
    assert key_hash(0, ["C100", blank]) is None


@given(texts.filter(lambda text: bool(text.strip())), st.integers(0, 3))
def test_keys_ignore_case_and_outer_blanks_and_never_mix_levels(text: str, level: int) -> None:
    assert key_hash(level, [f"  {text} "]) == key_hash(level, [text])
    assert key_hash(level, [text]) != key_hash(level + 1, [text])
    assert key_hash(0, ["C100"]) == key_hash(0, ["c100"]) != key_hash(0, ["C1", "00"])


def test_a_number_and_its_text_are_different_keys() -> None:
    assert key_hash(0, [1]) != key_hash(0, ["1"])
    assert key_hash(0, [Decimal("1.0")]) == key_hash(0, [1])
