"""What is read from $metadata: names over aliases and base types, flat complex values, annotations; and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.core.errors import Kind, TandemError
from clients.connectors.systems.odata_metadata import EntitySet, parse_metadata

DOCUMENT = (Path(__file__).parent / "odata_metadata.xml").read_bytes()


@pytest.fixture(scope="module")
def sets() -> dict[str, EntitySet]:
    return dict(parse_metadata(DOCUMENT).sets)


def test_keys_and_properties_come_from_base_types_too(sets: dict[str, EntitySet]) -> None:
    accounts = sets["accounts"]
    assert accounts.key == ("accountid",)
    assert list(accounts.properties)[:2] == ["modifiedon", "accountid"]
    assert accounts.properties["accountid"].type == "Edm.Guid"


def test_complex_values_are_flat_and_end(sets: dict[str, EntitySet]) -> None:
    names = list(sets["accounts"].properties)
    assert {"address/street", "address/geo/zone"} <= set(names)
    # The type holds itself: it is followed so far and no farther.
    assert max(name.count("/") for name in names) == 4


def test_types_behind_other_names(sets: dict[str, EntitySet]) -> None:
    properties = sets["accounts"].properties
    assert properties["kind"].enum == "Sample.Kind"
    assert properties["kind"].field_type == "text"
    assert properties["weight"].type == "Edm.Decimal"
    assert properties["tags"].field_type == "list"
    assert not {"picture", "place", "addresses", "anything"} & set(properties)


def test_what_may_be_written(sets: dict[str, EntitySet]) -> None:
    properties = sets["accounts"].properties
    assert properties["modifiedon"].computed
    assert not properties["modifiedon"].immutable
    assert properties["number"].immutable
    assert properties["name"].doc == "What it is called"
    assert not properties["name"].nullable
    assert properties["credit"].has_default
    assert sets["accounts"].has_etags
    assert (sets["reports"].insertable, sets["reports"].updatable, sets["reports"].deletable) == (
        False,
        True,
        False,
    )


def test_sets_without_a_key_are_no_objects(sets: dict[str, EntitySet]) -> None:
    assert set(sets) == {"accounts", "reports"}


def test_lines_are_known(sets: dict[str, EntitySet]) -> None:
    found = sets["accounts"].lines
    assert {name: (lines.set.type, lines.set.key, lines.owned) for name, lines in found.items()} == {
        "contacts": ("Sample.Contact", ("id",), True)
    }
    assert sets["accounts"].property("contacts[].id").type == "Edm.Int32"
    assert sets["accounts"].has("contacts[].id")
    assert not sets["accounts"].has("contacts[].colour")


def test_a_field_that_is_not_there_is_named_with_those_that_are(sets: dict[str, EntitySet]) -> None:
    with pytest.raises(TandemError, match=r"no field 'colour'.*it has the fields id, total") as caught:
        sets["reports"].property("colour")
    assert caught.value.kind is Kind.CONFIG


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">&b;</edmx:Edmx>"""


@pytest.mark.parametrize(
    "document, words",
    [
        (BOMB, "document type"),
        (b"", "no element"),
        (DOCUMENT[:700], "no description"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "document type"),
        (b'{"$Version": "4.0"}', "not well-formed"),
        (b"<html/>", "no Schema"),
        (b"\xff\xfe\x00", "no description"),
    ],
    ids=["bomb", "empty", "truncated", "page", "json", "other", "bytes"],
)
def test_what_is_no_metadata_is_refused(document: bytes, words: str) -> None:
    with pytest.raises(TandemError, match=words) as caught:
        parse_metadata(document)
    assert caught.value.kind is Kind.CONFIG
    assert "service root" in caught.value.hint
