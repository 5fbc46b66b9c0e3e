"""The laws of every lens on generated values, and each lens's own behaviour on the cases that made it necessary."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.countries import COUNTRIES
from actors.core.lens_laws import lens_faults
from actors.core.lenses import Case, Chain, Default, Empty, Length, MapValues, Same, Scale, Trim
from actors.core.lenses_text import CountryCode, DateText, Day, Join, ListText, NumberText, Phone
from actors.core.policy import Lens, LensError
from actors.core.values import Value, canonical, same

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12).map(
    lambda text: str(canonical(text))
)
blanks = st.text(" \tab", max_size=4)
numbers = st.one_of(
    st.integers(-(10**12), 10**12),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-9999, max_value=9999),
).map(canonical)
dates = st.dates(date(1, 1, 1), date(9999, 12, 31))
naive = st.datetimes(datetime(1, 1, 1)).map(lambda instant: instant.replace(microsecond=0))  # noqa: DTZ001
number_texts = st.from_regex(r"-?([0-9]{1,3}(\.[0-9]{3}){1,2}|[0-9]{1,6})(,[0-9]{1,4})?", fullmatch=True)
phones = st.one_of(st.from_regex(r"(\+|00|0)?[0-9 ()/-]{1,14}", fullmatch=True), texts)
words = st.lists(st.sampled_from(("Anna", "Maria", "de", "Vos", "Otto", "-")), max_size=4).map(" ".join)
loose_dates = dates.map(lambda day: f"{day.day}.{day.month}.{day.year:04}")
letters = Chain(Trim(), (Case("upper"), MapValues((("A", 1), ("B", 2), ("C", 1)), "letters")))
vat_groups = MapValues(
    (("G1", "goods"), ("G2", "goods"), ("S", "services"), (7, "seven"), ("", None)), "vat groups"
)
yes_no = MapValues((("J", True), ("N", False), ("", False), (None, False)), "yes and no")


def or_null(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.one_of(st.none(), values)


# Every lens with native values that it meets; the shared values are those it reads from them, and anything else.
CASES: dict[str, tuple[Lens, st.SearchStrategy[Value]]] = {
    "same": (Same(), or_null(st.one_of(texts, numbers, dates, st.booleans()))),
    "trim": (Trim(), or_null(st.one_of(texts, blanks))),
    "case upper": (Case("upper"), or_null(texts)),
    "case lower": (Case("lower"), or_null(texts)),
    "case fold": (Case("fold"), or_null(texts)),
    "default": (Default("Stk"), or_null(texts)),
    "empty": (Empty(("-", 0, "")), or_null(st.one_of(texts, st.sampled_from(("-", 0, 1))))),
    "length": (Length(3), or_null(texts)),
    "scale": (Scale(2), or_null(numbers)),
    "scale half up": (Scale(0, "half_up"), or_null(numbers)),
    "scale cents": (Scale(0, factor=Decimal(100)), or_null(st.integers(-(10**9), 10**9))),
    "scale factor alone": (Scale(factor=Decimal("0.25")), or_null(numbers)),
    "map": (vat_groups, st.sampled_from(("G1", "G2", "S", 7, "7", "", None, "X"))),
    "bool": (yes_no, st.sampled_from(("J", "N", "", None, "X"))),
    "number": (NumberText(",", "."), or_null(st.one_of(number_texts, numbers, texts))),
    "number places": (NumberText(".", places=2), or_null(st.one_of(numbers.map(str), blanks))),
    "date text": (DateText("%d.%m.%Y"), or_null(st.one_of(loose_dates, blanks))),
    "date tight": (
        DateText("%Y%m%d", "00000000"),
        or_null(dates.map(lambda day: f"{day:%m%d}".rjust(8, "2"))),
    ),
    "date time": (DateText("%Y-%m-%d %H:%M:%S"), or_null(naive.map(str))),
    "day": (Day(), or_null(st.one_of(dates, naive))),
    "day utc": (Day("utc"), or_null(naive.map(lambda instant: instant.replace(tzinfo=UTC)))),
    "phone": (Phone("DE"), or_null(phones)),
    "phone without trunk": (Phone("IT"), or_null(phones)),
    "country": (CountryCode("numeric"), st.sampled_from(("276", 40, "040", "", None, "xx"))),
    "country iso3": (CountryCode("iso3"), st.sampled_from(("DEU", "aut", " CHE ", "", None, "DE"))),
    "list": (ListText("; "), or_null(st.one_of(texts, st.text("a; ", max_size=8)))),
    "chain": (letters, st.sampled_from((" a", "B", "c ", None, "x"))),
    "chain number": (Chain(NumberText(","), (Scale(2),)), or_null(st.one_of(number_texts, numbers))),
}


def readable(lens: Lens, native: tuple[Value, ...]) -> bool:
    try:
        lens.get(native)
    except LensError:
        return False
    return True


def check_laws(lens: Lens, old: tuple[Value, ...], source: tuple[Value, ...], foreign: Value) -> None:
    """GetPut on both records; PutGet and no change, no write for a value read here and for one from elsewhere."""
    for native in (old, source):
        if readable(lens, native) and not (lens.lossy and lens.get(native) is None):
            assert lens.put(native, lens.get(native)) == native
    if readable(lens, source):
        assert lens_faults(lens, old, lens.get(source), own=True) == []
        assert lens_faults(lens, (), lens.get(source), own=True) == []
    assert lens_faults(lens, old, foreign, own=False) == []
    assert lens_faults(lens, old, None, own=not lens.lossy and lens is not yes_no) == []


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_the_laws_hold_for_every_lens(name: str, data: st.DataObject) -> None:
    lens, natives = CASES[name]
    old, source = (data.draw(natives),), (data.draw(natives),)
    check_laws(lens, old, source, data.draw(or_null(st.one_of(texts, numbers, dates, st.booleans()))))


@pytest.mark.parametrize("empty", ["", "-"])
@pytest.mark.parametrize("rest", ["first", "last", "whole", "lines"])
@given(data=st.data())
def test_the_laws_hold_for_joined_names(rest: str, empty: str, data: st.DataObject) -> None:
    parts = st.tuples(*[or_null(st.one_of(words, texts))] * 3)
    lens = Join(3, rest=rest, empty=empty)  # type: ignore[arg-type]
    value = data.draw(st.one_of(words, texts).filter(lambda text: text != "-"))
    old = data.draw(parts)
    check_laws(lens, old, data.draw(parts), value)
    put = lens.put(old, value)
    assert same(lens.get(put), value)
    assert not empty or same(lens.get(old), value) or None not in put


def test_a_part_without_a_word_may_be_filled() -> None:
    lens = Join(2, empty="-")
    assert lens.put((), "Dupont") == ("-", "Dupont")
    assert lens.get(("-", "Dupont")) == "Dupont"
    assert lens.put(("-", "Dupont"), "Jean Dupont") == ("-", "Jean Dupont")
    assert lens.put(("Jean", "Dupont"), "Dupont") == ("-", "Dupont")
    assert lens.get(("-", "-")) is None
    assert lens.put(("-", "-"), None) == ("-", "-")
    with pytest.raises(LensError, match="stands for no word"):
        lens.put((), "-")


@given(
    old=numbers,
    value=st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-9999, max_value=9999),
)
def test_a_scaled_number_with_few_enough_places_comes_back_exactly(old: Value, value: Decimal) -> None:
    for lens in (Scale(2), Scale(0, factor=Decimal(100)), Scale(2, "half_up")):
        assert same(lens.get(lens.put((old,), canonical(value))), canonical(value))


def test_a_value_map_keeps_the_group_that_already_fits() -> None:
    assert vat_groups.put(("G2",), "goods") == ("G2",)
    assert vat_groups.put(("S",), "goods") == ("G1",)
    assert vat_groups.put((None,), "goods") == ("G1",)


def test_a_value_map_names_itself_and_what_it_lacks() -> None:
    with pytest.raises(LensError, match='the vat groups has no entry for "G9"') as read:
        vat_groups.get(("G9",))
    with pytest.raises(LensError, match='the vat groups has no entry that means "rent"') as written:
        vat_groups.put(("S",), "rent")
    assert read.value.waits
    assert written.value.waits


def test_a_number_finds_its_text_entry_and_the_map_is_not_fooled_by_booleans() -> None:
    assert vat_groups.get(("7",)) == "seven"
    lens = MapValues(((1, "one"), (True, "yes")), "m")
    assert (lens.get((1,)), lens.get((True,)), lens.get(("1",))) == ("one", "yes", "one")


def test_blank_and_null_read_as_no_and_are_left_alone() -> None:
    assert yes_no.get((None,)) is False
    assert yes_no.put((None,), False) == (None,)
    assert yes_no.put(("J",), False) == ("N",)
    assert yes_no.get(yes_no.put(("J",), None)) is False


@pytest.mark.parametrize(
    "old, value, new",
    [
        (("Anna Maria", None, "de Vos"), "Anna Maria de Vos", ("Anna Maria", None, "de Vos")),
        (("Anna Maria", None, "de Vos"), "Anna Maria de Wit", ("Anna Maria", None, "de Wit")),
        (("Anna Maria", None, "de Vos"), "Anna de Vos", ("Anna", None, "de Vos")),
        (("Anna Maria", "", "de Vos"), "Eva Maria de Vos", ("Eva Maria", "", "de Vos")),
        (("Anna", "Maria", "de Vos"), "Anna de Vos", ("Anna", None, "de Vos")),
        (("Anna", None, "Vos"), "Peter Schmidt", ("Peter", None, "Schmidt")),
        (("Anna", "Maria", "Vos"), None, (None, None, None)),
        ((None, None, None), "Anna Maria de Vos", ("Anna", "Maria", "de Vos")),
        ((None, None, None), "Anna Vos", ("Anna", None, "Vos")),
        ((None, None, None), "Vos", (None, None, "Vos")),
        ((), "Anna Vos", ("Anna", None, "Vos")),
        ((5, "x", None), "Anna Vos", ("Anna", None, "Vos")),
        (("Anna", None, "Vos"), "Anna  Vos", (None, None, "Anna  Vos")),
    ],
)
def test_a_joined_name_changes_as_few_parts_as_possible(
    old: tuple[Value, ...], value: Value, new: tuple[Value, ...]
) -> None:
    assert Join(3).put(old, value) == new


def test_a_company_name_goes_whole_into_the_first_line() -> None:
    lens = Join(2, rest="whole")
    assert lens.put((None, None), "Weingut Otto & Söhne KG") == ("Weingut Otto & Söhne KG", None)
    assert lens.put(("Weingut Otto", "Filiale Nord"), "Weingut Otto Filiale Süd") == (
        "Weingut Otto",
        "Filiale Süd",
    )
    assert Join(2, rest="first").put((), "Anna Maria Vos") == ("Anna Maria", "Vos")


def test_the_lines_of_an_address_are_filled_from_the_first_on() -> None:
    lens = Join(3, "\n", "lines")
    assert lens.put((), "Havnegade 1") == ("Havnegade 1", None, None)
    assert lens.put((), "Havnegade 1\n2. sal") == ("Havnegade 1", "2. sal", None)
    assert lens.put((), "A\nB\nC\nD") == ("A", "B", "C\nD")
    assert lens.put(("Havnegade 1", None, "2. sal"), "Torvet 4\n2. sal") == ("Torvet 4", None, "2. sal")


@pytest.mark.parametrize(
    "lens, value, native",
    [
        (Scale(2), Decimal("1.245"), Decimal("1.24")),
        (Scale(2, "half_up"), Decimal("1.245"), Decimal("1.25")),
        (Scale(0, factor=Decimal(100)), Decimal("12.5"), 1250),
        (Scale(2), None, None),
        (NumberText(",", ".", 2), Decimal("1234.5"), "1234,50"),
        (NumberText("."), 5, "5"),
        (DateText("%d.%m.%Y"), date(987, 2, 3), "03.02.0987"),
        (Day(), date(2026, 3, 1), datetime(2026, 3, 1)),  # noqa: DTZ001
        (Day("utc"), date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC)),
        (Phone("DE"), "030 / 12 34 56", "+4930123456"),
        (CountryCode("iso3"), "DE", "DEU"),
        (CountryCode("numeric"), "AT", "040"),
        (ListText("; "), ("a", "b"), "a; b"),
        (Length(3), "abcdef", "abc"),
        (Default("Stk"), None, "Stk"),
        (Trim(), "  x ", "x"),
    ],
)
def test_what_a_new_record_gets(lens: Lens, value: Value, native: Value) -> None:
    (written,) = lens.put((), value)
    assert same(written, native)


@pytest.mark.parametrize(
    "lens, old, value",
    [
        (Phone("DE"), "030/123 456", "+4930123456"),
        (Phone("DE"), "0049 (0)30 123456", "+4930123456"),
        (Phone("IT"), "06 1234 5678", "+390612345678"),
        (Phone("US"), "1 (202) 555-0123", "+12025550123"),
        (Phone("HU"), "06 1 234 5678", "+3612345678"),
        (Phone("DE"), " ask Anna ", "ask Anna"),
        (Phone("DE"), "110", "110"),
        (Phone("DE"), "123 456", "123 456"),
        (Phone("DK"), "33 12 34 56", "+4533123456"),
        (Case("lower"), "Info@Example.org", "info@example.org"),
        (Trim(), "  ", None),
        (CountryCode("iso2"), "de", "DE"),
        (CountryCode("numeric"), 40, "AT"),
        (NumberText(",", "."), "1.234,500", Decimal("1234.5")),
        (DateText("%d.%m.%Y"), "1.2.2026", date(2026, 2, 1)),
        (DateText("%d.%m.%Y"), "01.01.0001", None),
        (Day(), datetime(1, 1, 1), None),  # noqa: DTZ001
        (Day(), datetime(2026, 2, 1, 9, 30), date(2026, 2, 1)),  # noqa: DTZ001
        (Scale(2), Decimal("12.345"), Decimal("12.34")),
        (Length(3), "abcdef", "abcdef"),
        (ListText(";"), "a ;b;", ("a", "b")),
        (Empty(("-", 0)), 0, None),
    ],
)
def test_a_side_keeps_its_own_writing_of_the_same_value(lens: Lens, old: Value, value: Value) -> None:
    assert same(lens.get((old,)), value)
    assert lens.put((old,), value) == (old,)


@pytest.mark.parametrize(
    "lens, native",
    [
        (CountryCode("iso2"), "XX"),
        (CountryCode("iso2"), "Germany"),
        (NumberText(","), "12.50"),
        (NumberText(",", "."), "1.23"),
        (NumberText(","), "twelve"),
        (DateText("%d.%m.%Y"), "31.02.2026"),
        (DateText("%d.%m.%Y"), "2026-02-01"),
        (DateText("%d.%m.%Y"), 20260201),
        (Day(), "2026-02-01"),
        (Scale(2), "12"),
        (Scale(2), True),
        (Scale(2), Decimal(10**70)),
        (Join(2), 5),
    ],
)
def test_what_fits_no_rule_is_refused_when_read(lens: Lens, native: Value) -> None:
    with pytest.raises(LensError) as refused:
        lens.get((native, None))
    assert not refused.value.waits


@pytest.mark.parametrize(
    "lens, value",
    [
        (CountryCode("iso2"), "Germany"),
        (Empty(("-", 0)), "-"),
        (NumberText(","), "12"),
        (DateText("%d.%m.%Y"), datetime(2026, 1, 1)),  # noqa: DTZ001
        (DateText("%d.%m.%Y %H:%M"), datetime(2026, 1, 1, 1, 1, 1)),  # noqa: DTZ001
        (DateText("%d.%m.%Y"), date(1, 1, 1)),
        (Day(), "2026-02-01"),
        (ListText(";"), ("a;b",)),
        (ListText(";"), "a"),
        (Join(2), 5),
    ],
)
def test_what_a_side_cant_say_is_refused_rather_than_changed(lens: Lens, value: Value) -> None:
    with pytest.raises(LensError):
        lens.put((None, None) if isinstance(lens, Join) else (None,), value)


def test_a_chain_goes_on_where_the_old_value_cant_be_read() -> None:
    lens = Chain(Trim(), (MapValues((("D", "DE"),), "m"),))
    assert lens.put((" unknown ",), "DE") == ("D",)
    assert lens.put((" unknown ",), None) == (None,)
    assert lens.put((" D ",), "DE") == (" D ",)


def test_null_is_written_as_the_system_says_it() -> None:
    assert Empty(("-- choose --", 0)).put(("x",), None) == ("-- choose --",)
    assert DateText("%d.%m.%Y", "00.00.0000").put(("01.02.2026",), None) == ("00.00.0000",)


def test_a_chain_is_as_lossy_as_its_worst_link() -> None:
    assert Chain(Trim(), (Length(3),)).lossy
    assert not Chain(Join(2), (Trim(),)).lossy


def test_the_table_of_countries_is_whole() -> None:
    assert len(COUNTRIES) == 249
    for form in ("iso3", "numeric"):
        assert len({getattr(country, form) for country in COUNTRIES.values()}) == 249
    known = {"DE": ("DEU", "276", "49", "0"), "DK": ("DNK", "208", "45", ""), "US": ("USA", "840", "1", "1")}
    for iso2, row in known.items():
        country = COUNTRIES[iso2]
        assert (country.iso3, country.numeric, country.calling, country.trunk) == row
