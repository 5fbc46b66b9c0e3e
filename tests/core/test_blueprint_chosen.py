"""Streams that a link chooses: what leaves the rules with one that is not active, and choices that are for good."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from actors.core.blueprint.compiler import BlueprintError, compile_blueprint
from actors.core.policy import LinkSpec
from actors.core.settings import changes, fixed, impossible

FIELD = {"a": "name", "b": "name"}
RULES: dict[str, Any] = {
    "blueprint": "x",
    "version": 1,
    "a": {"connector": "csv"},
    "b": {"connector": "csv"},
    "settings": {"groups": {"form": "flag", "default": False, "fixed": True}, "notes": {"form": "text", "default": "no"}},
    "setup": {"settings": {"tags": {"choices": ["yes", "no"]}}},
    "streams": {
        "groups": {
            "active": {"setting": "groups"},
            "a": "groups", "b": "groups", "complete_read": "1h", "fields": {"name": FIELD},
        },
        "customers": {
            "a": "customers", "b": "customers", "complete_read": "1h", "parents": ["groups"], "requires": ["groups", "tags"],
            "fields": {"name": FIELD, "group": {"a": "group", "b": "group", "reference": "groups", "required": True}},
        },
        "notes": {
            "active": {"setting": "notes"},
            "a": "notes", "b": "notes", "complete_read": "1h", "fields": {"name": FIELD},
        },
        "tags": {
            "active": {"setting": "tags"},
            "a": "tags", "b": "tags", "complete_read": "1h", "fields": {"name": FIELD},
        },
    },
}  # fmt: skip


def compiled(chosen: dict[str, Any] | None, **changed: Any) -> LinkSpec:
    return compile_blueprint({**copy.deepcopy(RULES), **changed}, settings=chosen)


@pytest.mark.parametrize(
    "chosen, streams",
    [
        (None, ["groups", "tags", "customers", "notes"]),  # it is only checked: all of it
        ({"tags": "no"}, ["customers"]),
        ({"tags": "yes"}, ["tags", "customers"]),
        ({"tags": "no", "groups": True}, ["groups", "customers"]),
        ({"tags": "no", "notes": "on"}, ["customers", "notes"]),
    ],
)
@pytest.mark.parametrize("requires", [["groups", "tags"], {"groups": {"which": "any"}, "tags": {}}])
def test_what_is_not_chosen_is_not_there(
    chosen: dict[str, Any] | None, streams: list[str], requires: list[str] | dict[str, Any]
) -> None:
    rules = copy.deepcopy(RULES["streams"])
    rules["customers"]["requires"] = requires
    spec = compiled(chosen, streams=rules)
    customers = spec.stream("customers")
    assert {stream.name for stream in spec.streams} == set(streams)
    assert ("groups" in streams) == ("group" in [field.name for field in customers.fields])
    assert set(customers.parents) | set(customers.requires) == {"groups", "tags"} & set(streams)


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"active": "perhaps"}, 'streams.tags.active: "perhaps" is not one of yes, on, no, off'),
        ({"active": 1}, 'streams.tags.active: "1" is not one of yes, on, no, off'),
    ],
)
def test_any_other_word_is_refused(changed: dict[str, Any], said: str) -> None:
    streams = {"tags": {**RULES["streams"]["tags"], **changed}}
    with pytest.raises(BlueprintError, match=said.replace(".", r"\.")):
        compiled({"tags": "yes"}, streams=streams)


def test_a_field_of_a_line_goes_as_well() -> None:
    one = {"a": "x", "b": "x"}
    line = {"fields": {"text": one, "tag": {**one, "reference": "tags"}}, "key": ["text"]}
    orders = {"a": "o", "b": "o", "complete_read": "1h", "match": [["number"]], "fields": {
        "number": {"a": "number", "b": "number"}, "lines": {"a": "lines", "b": "lines", "lines": line},
    }}  # fmt: skip
    for tags, names in (("yes", ["text", "tag"]), ("no", ["text"])):
        field = (
            compiled({"tags": tags}, streams={**RULES["streams"], "orders": orders})
            .stream("orders")
            .field("lines")
        )
        assert field.lines is not None and [spec.name for spec in field.lines.fields] == names


def test_with_nothing_active_there_is_no_link() -> None:
    streams = {"tags": {**RULES["streams"]["tags"], "active": False}}
    with pytest.raises(
        BlueprintError, match="no stream is active, so there is nothing to keep in step: tags; switch"
    ):
        compiled({"tags": "yes"}, streams=streams)
    with pytest.raises(BlueprintError) as found:
        compiled({"tags": "no"}, streams={"tags": RULES["streams"]["tags"]})
    assert "tags (setting tags)" in str(found.value.faults[0])  # the way out is named


def test_a_choice_for_good_is_not_changed_by_either_way() -> None:
    old = compiled({"tags": "no"})
    assert [one.path for one in fixed(old, {"tags": "no"}, {"groups": True, "notes": "on"})] == [
        "settings.groups"
    ]
    assert fixed(old, {"groups": True}, {"groups": True}) == []
    other = {**RULES["settings"], "groups": {**RULES["settings"]["groups"], "default": True}}
    assert [one.path for one in impossible(old, compiled({"tags": "no"}, settings=other))] == [
        "settings.groups"
    ]
    freed = {**RULES["settings"], "groups": {"form": "flag", "default": True}}
    assert [one.path for one in impossible(old, compiled({"tags": "no"}, settings=freed))] == [
        "settings.groups"
    ]


def test_a_stream_that_is_switched_leaves_or_joins_the_rules() -> None:
    off, on = compiled({"tags": "no"}), compiled({"tags": "yes"})
    assert (changes(off, on).added, changes(on, off).gone) == (("tags",), ("tags",))
