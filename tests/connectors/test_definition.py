"""Settings against a declaration: typed, complete, and every fault named in one error that shows no value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.ports import Declaration, Setting
from clients.connectors.definition import checked_settings

SAMPLE = Declaration(
    name="sample",
    doc="For these tests.",
    settings=(
        Setting("address", required=True, doc="where it is"),
        Setting("password", required=True, secret=True),
        Setting("port", "integer", default=5432),
        Setting("share", "decimal", default=Decimal("0.5")),
        Setting("tls", "boolean", default=True),
        Setting("mode", default="auto", choices=("auto", "manual")),
        Setting("folder", "path"),
        Setting("names", "list", default=[]),
        Setting("objects", "map", default={}),
    ),
)
REQUIRED = {"address": "here", "password": "opened"}


def refused(settings: dict[str, Any]) -> str:
    with pytest.raises(TandemError) as caught:
        checked_settings(SAMPLE, settings)
    assert (caught.value.kind, caught.value.scope) == (Kind.CONFIG, Scope.CONNECTION)
    return str(caught.value)


def test_defaults_fill_what_is_not_given() -> None:
    expected = {"port": 5432, "share": Decimal("0.5"), "tls": True, "mode": "auto", "folder": None}
    assert checked_settings(SAMPLE, REQUIRED) == {**REQUIRED, **expected, "names": [], "objects": {}}


def test_null_and_empty_count_as_not_given() -> None:
    checked = checked_settings(SAMPLE, {**REQUIRED, "port": None, "mode": ""})
    assert (checked["port"], checked["mode"]) == (5432, "auto")
    assert "'address' is required (where it is)" in refused({**REQUIRED, "address": ""})


@pytest.mark.parametrize(
    "name, given, typed",
    [
        ("port", "80", 80),
        ("port", 80, 80),
        ("share", "0.25", Decimal("0.25")),
        ("share", 0.1, Decimal("0.1")),
        ("share", 1, Decimal(1)),
        ("tls", "False", False),
        ("tls", True, True),
        ("address", 42, "42"),
        ("folder", "/srv/files", "/srv/files"),
        ("names", ("a", "b"), ["a", "b"]),
        ("objects", {"a": {"key": "id"}}, {"a": {"key": "id"}}),
    ],
)
def test_values_are_typed(name: str, given: Any, typed: Any) -> None:
    checked = checked_settings(SAMPLE, {**REQUIRED, name: given})[name]
    assert checked == typed
    assert type(checked) is type(typed)


@pytest.mark.parametrize(
    "name, given, words",
    [
        ("port", "eighty", "'port' must be a whole number"),
        ("port", 1.5, "'port' must be a whole number"),
        ("port", True, "'port' must be a whole number"),
        ("share", "1,5", "'share' must be a number"),
        ("share", "NaN", "'share' must be a number"),
        ("tls", 1, "'tls' must be true or false"),
        ("mode", "other", "'mode' must be one of auto, manual"),
        ("address", ["x"], "'address' must be a text"),
        ("folder", "a\x00b", "'folder' must be a path"),
        ("names", "a", "'names' must be a list"),
        ("objects", ["a"], "'objects' must be a map"),
        ("objects", {1: "a"}, "'objects' must be a map"),
        ("passwort", "x", "'passwort' is not a setting; is 'password' meant?"),
        ("zzz", "x", "'zzz' is not a setting"),
    ],
)
def test_faults_name_the_setting(name: str, given: Any, words: str) -> None:
    assert words in refused({**REQUIRED, name: given})


def test_all_faults_come_at_once() -> None:
    text = refused({"port": "x", "mode": "y", "folders": "z"})
    for name in ("'address'", "'password'", "'port'", "'mode'", "'folders'", "connector 'sample'"):
        assert name in text


def test_no_value_is_ever_shown() -> None:
    text = refused({"address": "here", "password": ["hunter2"], "mode": "hunter2", "port": "hunter2"})
    assert "hunter2" not in text
    assert "'password' must be a text" in text


def test_what_was_given_is_not_kept() -> None:
    objects: dict[str, Any] = {"a": {}}
    checked = checked_settings(SAMPLE, {**REQUIRED, "objects": objects})
    objects["b"] = {}
    assert checked["objects"] == {"a": {}}
    checked_settings(SAMPLE, REQUIRED)["names"].append("mine")
    assert checked_settings(SAMPLE, REQUIRED)["names"] == []
