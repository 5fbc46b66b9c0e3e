"""Values and shapes: every spelling is read as what it means, written back as the vendor wants it, and never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from actors.core.errors import TandemError
from actors.core.values import BadValue, Value, same
from clients.connectors.http.shape import Field, Shape
from clients.connectors.http.values import Form, fits, read_value, write_value

NOON = datetime(2024, 7, 1, 10, 30, tzinfo=UTC)

BOTH_WAYS: list[tuple[Form, Any, Value]] = [
    (Form(), "x", "x"),
    (Form(type="integer"), 7, 7),
    (Form(type="decimal"), Decimal("12345678901234.123456"), Decimal("12345678901234.123456")),
    (Form(type="decimal"), 5, Decimal(5)),
    (Form(type="decimal", decimals="text"), "1.5", Decimal("1.5")),
    (Form(type="decimal", decimals="comma", places=2), "1234,50", Decimal("1234.5")),
    (Form(type="boolean"), True, True),
    (Form(type="boolean", true=("Yes", 1), false=("No", 0)), "No", False),
    (Form(type="boolean", true=(1,), false=(0,)), 1, True),
    (Form(type="date"), "2024-02-29", date(2024, 2, 29)),
    (Form(type="date", format="%d.%m.%Y"), "29.02.2024", date(2024, 2, 29)),
    (Form(type="date", format="dotnet"), "/Date(1709164800000)/", date(2024, 2, 29)),
    (Form(type="date", format="dotnet", zone="Europe/Brussels"), "/Date(1719792000000)/", date(2024, 7, 1)),
    (Form(type="instant"), "2024-07-01T10:30:00Z", NOON),
    (Form(type="instant", format="epoch_s"), 1719829800, NOON),
    (Form(type="instant", format="epoch_ms"), 1719829800000, NOON),
    (Form(type="instant", format="%Y-%m-%d %H:%M:%S", zone="Europe/Berlin"), "2024-07-01 12:30:00", NOON),
    (Form(type="list"), ["a", "b"], ("a", "b")),
    (Form(nulls=("", "-- choose --"), null_as=""), "", None),
    (Form(type="date", nulls=("0001-01-01",), null_as="0001-01-01"), "0001-01-01", None),
]


@pytest.mark.parametrize("form, raw, value", BOTH_WAYS, ids=str)
def test_both_ways(form: Form, raw: Any, value: Value) -> None:
    assert same(read_value(raw, form), value)
    assert fits(raw, form)
    written = write_value(value, form)
    assert written == raw
    assert not isinstance(written, float)


@pytest.mark.parametrize("raw", ["/Date(1719784800000)/", "/Date(1719792000000)/"], ids=["there", "UTC"])
def test_midnight_there_and_midnight_utc_are_the_same_day(raw: str) -> None:
    form = Form(type="date", format="dotnet", zone="Europe/Brussels")
    assert read_value(raw, form) == date(2024, 7, 1)


@pytest.mark.parametrize(
    "form, raw, value",
    [
        (Form(), 7, "7"),
        (Form(), Decimal("1.50"), "1.50"),
        (Form(type="integer"), "007", 7),
        (Form(type="integer"), Decimal("3.0"), 3),
        (Form(type="decimal", decimals="comma"), "1.234,5", Decimal("1234.5")),
        (Form(type="date"), "2024-07-01T23:30:00-05:00", date(2024, 7, 1)),  # the day as it is written
        (Form(type="date", nulls=("0001-01-01T01:00:00+01:00",)), "0001-01-01T01:00:00+01:00", None),
        (Form(type="integer", nulls=(0,)), Decimal("0.0"), None),
        (Form(type="instant"), "2024-07-01T12:30:00+02:00", NOON),
        (Form(type="boolean", nulls=("",)), "", None),
        (Form(type="decimal"), None, None),
    ],
    ids=str,
)
def test_read_only(form: Form, raw: Any, value: Value) -> None:
    assert same(read_value(raw, form), value)


@pytest.mark.parametrize(
    "form, raw, shown",
    [
        (Form(type="decimal"), "1.5", "1.5"),  # a text where a number was promised
        (Form(type="decimal", decimals="comma"), "1,5 kg", "1,5 kg"),
        (Form(type="integer"), Decimal("1.5"), "1.5"),
        (Form(type="boolean"), 1, "1"),
        (Form(type="boolean"), "true", "true"),
        (Form(type="date"), "31.12.2024", "31.12.2024"),
        (Form(type="date"), "2024-02-30", "2024-02-30"),
        (Form(type="instant", format="epoch_ms"), 10**30, str(10**30)),
        (Form(), {"id": 1}, '{"id":1}'),
        (Form(type="list"), [{"id": 1}], '[{"id":1}]'),
    ],
    ids=str,
)
def test_what_does_not_fit_is_shown_as_it_is(form: Form, raw: Any, shown: str) -> None:
    """So that this one record is parked with words, and no page of records is lost to it."""
    assert read_value(raw, form) == shown
    assert not fits(raw, form)


@pytest.mark.parametrize(
    "form, value",
    [
        (Form(type="integer"), Decimal("1.5")),
        (Form(type="integer"), True),
        (Form(type="decimal"), "x"),
        (Form(type="boolean"), "yes"),
        (Form(type="date"), NOON),
        (Form(type="instant"), date(2024, 1, 1)),
        (Form(type="instant", format="epoch_s"), datetime(2024, 1, 1)),  # noqa: DTZ001 - without a zone on purpose
        (Form(type="list"), "x"),
        (Form(), date(2024, 1, 1)),
        (Form(type="integer", nulls=(0,)), 0),
        (Form(nulls=("-",)), "-"),
    ],
    ids=str,
)
def test_what_can_not_be_written(form: Form, value: Value) -> None:
    with pytest.raises(BadValue):
        write_value(value, form)


def test_ids_of_other_records_are_written_as_numbers() -> None:
    assert write_value("42", Form(type="integer")) == 42


def shape(**settings: Any) -> Shape:
    return Shape(
        "customers",
        "id",
        [
            Field(name="id", form=Form(type="integer"), writable=False),
            Field(name="name", required=True),
            Field(name="branch", form=Form(type="integer"), read="branch.id", write="branch"),
            Field(name="city", read="address.city", write="address.city"),
            Field(name="zip", read="address.zip", write="address.zip"),
            Field(name="changed", form=Form(type="instant")),
        ],
        **settings,
    )


ROW = {
    "id": 7,
    "name": "Ö",
    "branch": {"id": 3, "value": "North"},
    "address": {"city": None},
    "changed": "2024-07-01T10:30:00Z",
    "etag": "abc",
}


def test_a_record() -> None:
    found = shape(version="etag", modified="changed").record(ROW, ["name", "branch", "city", "zip"])
    assert (found.id, found.version, found.modified) == ("7", "abc", NOON.timestamp())
    assert found.native == {"name": "Ö", "branch": 3, "city": None}, "what is not delivered is missing"
    assert shape(missing_is_null=True).record(ROW, ["zip"]).native == {"zip": None}


def test_a_body() -> None:
    body = shape().body({"name": "x", "branch": "3", "city": "Y", "zip": None})
    assert body == {"name": "x", "branch": 3, "address": {"city": "Y", "zip": None}}
    with pytest.raises(TandemError, match="no_such_field"):
        shape().body({"no_such_field": 1})


@pytest.mark.parametrize("row", [{}, {"id": None}, {"id": ""}, {"id": {}}, [], "x"])
def test_a_row_without_an_id_is_no_record(row: Any) -> None:
    with pytest.raises(TandemError, match="no id"):
        shape().id_of(row)


def test_instants_with_an_offset() -> None:
    east = datetime(2024, 7, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    assert write_value(east, Form(type="instant", format="epoch_s")) == 1719829800
