"""Values of OData in JSON and in addresses, keys as ids, and batches in their two forms."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from actors.core.values import BadValue, Value, same
from clients.connectors.http.wire import Unreadable, dumps
from clients.connectors.systems.odata_batch import (
    Part,
    error_words,
    json_batch,
    json_replies,
    multipart_batch,
    multipart_replies,
)
from clients.connectors.systems.odata_metadata import EntitySet, Property
from clients.connectors.systems.odata_values import (
    assigned,
    decoded,
    delivered,
    encoded,
    id_of_address,
    key_predicate,
    literal,
    record_id,
)


def of(type_: str, **more: Any) -> Property:
    return Property("field", f"Edm.{type_}", **more)


@pytest.mark.parametrize(
    "type_, raw, value",
    [
        ("Decimal", "12345678901234.1234", Decimal("12345678901234.1234")),
        ("Decimal", Decimal("1.50"), Decimal("1.5")),
        ("Decimal", "1.0e-06", Decimal("0.000001")),
        ("Int64", "9007199254740993", 9007199254740993),
        ("Int32", 5, 5),
        ("Double", "INF", "INF"),
        ("Boolean", True, True),
        ("Date", "2024-02-29", date(2024, 2, 29)),
        ("Date", "12024-02-29", "12024-02-29"),
        ("DateTimeOffset", "2024-02-29T12:00:00.1234567+02:00", datetime(2024, 2, 29, 10, 0, 0, 123456, UTC)),
        ("Guid", "ABCDEF00-0000-0000-0000-00000000000A", "abcdef00-0000-0000-0000-00000000000a"),
        ("Binary", "_-8=", b"\xff\xef"),
        ("Binary", "/+8", b"\xff\xef"),
        ("TimeOfDay", "12:30:00", "12:30:00"),
        ("Int32", "five", "five"),
        ("Boolean", "yes", "yes"),
        ("String", None, None),
    ],
    ids=str,
)
def test_values_are_read(type_: str, raw: Any, value: Value) -> None:
    assert same(decoded(of(type_), raw), value)


@pytest.mark.parametrize(
    "type_, value, raw",
    [
        ("Decimal", Decimal("0.000001"), "0.000001"),
        ("Decimal", 1000, "1000"),
        ("Decimal", "1.50", "1.50"),
        ("Int64", 9007199254740993, "9007199254740993"),
        ("Int32", Decimal(5), 5),
        ("Double", Decimal("1.5"), Decimal("1.5")),
        ("Double", "-INF", "-INF"),
        ("Date", date(2024, 2, 29), "2024-02-29"),
        ("DateTimeOffset", datetime(2024, 2, 29, 10, 0, tzinfo=UTC), "2024-02-29T10:00:00Z"),
        ("DateTimeOffset", date(2024, 2, 29), "2024-02-29T00:00:00Z"),
        ("Binary", b"\xff\xef", "_-8="),
        ("String", Decimal("1.5"), "1.5"),
        ("String", True, "true"),
        ("Boolean", False, False),
    ],
    ids=str,
)
def test_values_are_written(type_: str, value: Value, raw: Any) -> None:
    written = encoded(of(type_), value)
    assert (type(written), written) == (type(raw), raw)


@pytest.mark.parametrize(
    "type_, value",
    [
        ("Decimal", "dear"),
        ("Decimal", True),
        ("Int32", Decimal("1.5")),
        ("Boolean", "yes"),
        ("Date", datetime(2024, 2, 29, 10, 0, tzinfo=UTC)),
        ("Guid", "K1"),
        ("String", ("a", "b")),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(type_: str, value: Value) -> None:
    with pytest.raises(BadValue, match="field"):
        encoded(of(type_), value)


@pytest.mark.parametrize(
    "property_, value, text",
    [
        (of("String"), "O'Hara", "'O''Hara'"),
        (of("Int32"), 5, "5"),
        (of("Guid"), "00000000-0000-0000-0000-00000000000A", "00000000-0000-0000-0000-00000000000a"),
        (of("Duration"), "PT1H", "duration'PT1H'"),
        (of("String", enum="Sample.Kind"), "Customer", "Sample.Kind'Customer'"),
        (of("Date"), date(2024, 2, 29), "2024-02-29"),
        (of("Boolean"), True, "true"),
        (of("String"), None, "null"),
    ],
    ids=str,
)
def test_literals(property_: Property, value: Value, text: str) -> None:
    assert literal(property_, value) == text


def test_no_literal_says_more_than_its_value() -> None:
    with pytest.raises(BadValue):
        literal(of("Date"), "2024-01-01 or true")


ONE = EntitySet("people", "T", ("id",), {"id": Property("id", "Edm.String")})
NUMBERED = EntitySet("articles", "T", ("no",), {"no": Property("no", "Edm.Int32")})
TWO = EntitySet(
    "prices", "T", ("a", "b"), {"a": Property("a", "Edm.String"), "b": Property("b", "Edm.Int32")}
)


@pytest.mark.parametrize(
    "entity_set, body, id_, predicate",
    [
        (ONE, {"id": "a/b 'c'?"}, "a/b 'c'?", "(%27a%2Fb%20%27%27c%27%27%3F%27)"),
        (NUMBERED, {"no": 5}, "5", "(5)"),
        (TWO, {"a": "x=1,y", "b": 2}, "a=%27x%3D1%2Cy%27,b=2", "(a=%27x%3D1%2Cy%27,b=2)"),
    ],
    ids=["text", "number", "two"],
)
def test_keys_are_ids_and_back(entity_set: EntitySet, body: Any, id_: str, predicate: str) -> None:
    assert record_id(entity_set, body) == id_
    assert key_predicate(entity_set, id_) == predicate
    assert id_of_address(entity_set, f"https://host/service/{entity_set.name}{predicate}") == id_


@pytest.mark.parametrize("entity_set, id_", [(NUMBERED, "five"), (NUMBERED, ""), (TWO, "5"), (TWO, "a='1'")])
def test_what_can_be_no_id(entity_set: EntitySet, id_: str) -> None:
    with pytest.raises(BadValue):
        key_predicate(entity_set, id_)


def test_paths_into_complex_values() -> None:
    body: dict[str, Any] = {}
    assigned(body, "address/city", "Ulm")
    assigned(body, "address/zip", None)
    assert body == {"address": {"city": "Ulm", "zip": None}}
    assert delivered(body, "address/city") == (True, "Ulm")
    assert delivered({"address": None}, "address/city") == (True, None)
    assert delivered({"address": {}}, "address/city") == (False, None)


PARTS = [
    Part(path="people('K1')"),
    Part(path="people", method="POST", json={"note": "--tandem-batch\r\nä"}),
    Part(path="people('K2')", method="DELETE", headers={"If-Match": 'W/"1"'}),
]


def test_a_json_batch_is_read_by_its_ids() -> None:
    sent = json_batch(PARTS)["requests"]
    assert [(one["id"], one["method"], one["url"]) for one in sent] == [
        ("0", "GET", "people('K1')"),
        ("1", "POST", "people"),
        ("2", "DELETE", "people('K2')"),
    ]
    assert sent[2]["headers"]["if-match"] == 'W/"1"'
    responses = [
        {"id": "2", "status": 204},
        {"id": "0", "status": 200, "headers": {"ETag": "x"}, "body": {"amount": Decimal("1.10")}},
    ]
    first, second, third = json_replies({"responses": responses}, 3)
    assert first is not None
    assert first.headers == {"etag": "x"}
    assert first.body == dumps({"amount": Decimal("1.10")})
    assert second is None
    assert third is not None
    assert (third.status, third.body) == (204, b"")


@pytest.mark.parametrize("body", [None, [], {"responses": 1}, {"responses": [{"id": "7", "status": 200}]}])
def test_what_is_no_answer_to_a_json_batch(body: Any) -> None:
    with pytest.raises(Unreadable):
        json_replies(body, 3)


def test_a_multipart_batch_has_a_change_set_for_each_write() -> None:
    sent = multipart_batch(PARTS).decode()
    assert sent.count("--tandem-batch\r\nContent-Type: application/http") == 1
    assert sent.count("boundary=tandem-change-") == 2
    assert sent.endswith("--tandem-batch--\r\n")
    length = len('{"note":"--tandem-batch\\r\\nä"}'.encode())
    assert f"Content-Length: {length}\r\n" in sent


REPLY = (
    b"preamble\r\n--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: 21\r\n\r\n"
    b'{"note":"\\n--b\\r\\n" }\r\n'
    b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n"
    b"HTTP/1.1 204 No Content\r\n\r\n\r\n--c--\r\n"
    b"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 412 Precondition Failed\r\n\r\n\r\n--b--\r\n"
)


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"], ids=["crlf", "lf"])
def test_a_multipart_batch_is_read_in_order(ends: bytes) -> None:
    replies = multipart_replies(REPLY.replace(b"\r\n", ends), "multipart/mixed; boundary=b", 4)
    assert [reply.status if reply else None for reply in replies] == [200, 204, 412, None]
    assert replies[0] is not None
    assert replies[0].headers["etag"] == "x"
    assert replies[0].json() == {"note": "\n--b\r\n"}


@pytest.mark.parametrize(
    "body, kind",
    [
        (REPLY, "application/json"),
        (REPLY[:-8], "multipart/mixed; boundary=b"),
        (b"", "multipart/mixed; boundary=b"),
        (b"--b\r\nContent-Type: application/http\r\n\r\nnonsense\r\n--b--", "multipart/mixed; boundary=b"),
    ],
    ids=["type", "truncated", "empty", "nonsense"],
)
def test_what_is_no_answer_to_a_multipart_batch(body: bytes, kind: str) -> None:
    with pytest.raises(Unreadable):
        multipart_replies(body, kind, 4)


@pytest.mark.parametrize(
    "body, words",
    [
        ({"error": {"code": "1", "message": "No.", "target": "name"}}, "name: No."),
        ({"error": {"message": {"lang": "en", "value": "No."}}}, "No."),
        (
            {
                "error": {
                    "message": "Two faults",
                    "details": [{"message": "a", "target": "x"}, {"message": "b"}],
                }
            },
            "Two faults; x: a; b",
        ),
        ({"error": "plain"}, ""),
        ([], ""),
    ],
)
def test_words_of_errors(body: Any, words: str) -> None:
    assert error_words(dumps(body)) == words
    assert error_words(b"<html>") == ""
