"""What stands in the way, from counts to words; the entry `setup` of a blueprint and its faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from actors.core import preflight
from actors.core.blueprint.compiler import BlueprintError, compile_blueprint
from actors.core.blueprint.setup import TAKEN, objects_of
from actors.core.policy import SettingSpec
from actors.core.preflight import Found
from actors.core.roles import Role
from actors.core.settings import Kept
from actors.core.setup import Check, CheckKind, Chosen, Moment, Place, Required, SetupSpec, Severity
from actors.core.types import Side

NAMES: Mapping[Side, str] = {"a": "north", "b": "south"}


def compiled(setup: object) -> SetupSpec:
    """The entry in the smallest blueprint."""
    stream = {
        "a": "people",
        "b": "kunden",
        "complete_read": "1h",
        "match": [["name"]],
        "fields": {"name": {"a": "name", "b": "name"}},
    }
    side = {"connector": "csv"}
    data = {"blueprint": "people", "version": 1, "a": side, "b": side, "streams": {"people": stream}}
    return compile_blueprint({**data, "setup": setup}).setup


@pytest.mark.parametrize(
    "kind, found, said",
    [
        (CheckKind.EMPTY, Found(0), None),
        (CheckKind.EMPTY, Found(3), "t of south has to be empty and holds 3 records"),
        (CheckKind.EMPTY, Found(1, sample=1), "1 record; 1 of them are sample data, which count as data"),
        (CheckKind.EMPTY, Found(500, more=True), "holds at least 500 records"),
        (CheckKind.NO_CLASH, Found(2, named=("x", "y")), "2 records in t of south, by name, stand in o on"),
        (CheckKind.SOME, Found(0), "t of south is empty"),
        (CheckKind.SOME, Found(1), None),
        (CheckKind.FILLED, Found(2, named=("1",)), "2 records in t of south lack name (1, ...)"),
        (
            CheckKind.UNIQUE,
            Found(2, named=("1", "2")),
            "2 records in t of south share name with another (1, 2)",
        ),
    ],
)
def test_what_stands_in_the_way_is_said_with_counts(kind: CheckKind, found: Found, said: str | None) -> None:
    check = Check("b", "t", kind, by=("name",), against="o")
    one = preflight.obstacle(SetupSpec(), check, found, NAMES)
    if said is None:
        assert one is None
    else:
        assert one is not None and said in one.text
        assert (one.side, one.object, one.count) == ("b", "t", found.count)


def test_the_way_out_is_the_rules_own_or_the_obvious_one() -> None:
    plain, told = Check("b", "t", CheckKind.EMPTY), Check("b", "t", CheckKind.EMPTY, ways_out=("leave it",))
    for check, ways in ((plain, ("remove the records of t from south",)), (told, ("leave it",))):
        one = preflight.obstacle(SetupSpec(), check, Found(1), NAMES)
        assert one is not None and one.ways_out == ways


def test_an_operator_goes_on_only_where_the_rules_let_him_and_never_over_anything_else() -> None:
    checks = [
        Check("b", "t", kind, by=("x",), against="o") for kind in CheckKind if kind is not CheckKind.SOME
    ]
    for custom in (True, False):
        found = [preflight.obstacle(SetupSpec(custom=custom), check, Found(1), NAMES) for check in checks]
        there = [one for one in found if one is not None]
        assert len(there) == len(checks) == len(preflight.refusing(there))
        assert len(preflight.refusing(there, override=True)) == len(checks) - custom
    warned = preflight.obstacle(
        SetupSpec(), Check("b", "t", CheckKind.EMPTY, severity=Severity.WARN), Found(1), NAMES
    )
    assert warned is not None
    assert (preflight.refusing([warned]), preflight.warning([warned])) == ([], [warned])


@pytest.mark.parametrize(
    "setting, chosen, keys, values, said",
    [
        (Required("journal"), None, None, None, "journal is not chosen"),
        (Required("journal"), "  ", None, None, "journal is not chosen"),
        (Required("journal"), "S1", None, None, None),
        (Required("journal"), "S1", None, {"S2"}, "is 'S1', which is not there"),
        (Required("kind", choices=("x", "y")), "z", None, None, "is 'z', which is not there"),
        (Required("kind", choices=("x", "y")), "x", None, None, None),
        (
            Required("vat", keys=Place("a", "g", "c")),
            {"low": "06"},
            {"low", "high"},
            None,
            "lacks an entry for high",
        ),
        (
            Required("vat", keys=Place("a", "g", "c")),
            {"low": "06", "high": ""},
            {"low", "high"},
            None,
            "for high",
        ),
        (Required("vat", keys=Place("a", "g", "c")), {"low": "06"}, {"low"}, {"21"}, "not there (low: 06)"),
        (Required("vat", keys=Place("a", "g", "c")), {"low": "06", "old": "x"}, {"low"}, {"06"}, None),
        (Required("vat", keys=Place("a", "g", "c")), "06", {"low"}, None, "lacks an entry for low"),
        (Required("vat", keys=Place("a", "g", "c")), None, set(), None, None),
    ],
)
def test_what_a_required_setting_lacks_is_named(
    setting: Required, chosen: Any, keys: Any, values: Any, said: str | None
) -> None:
    one = preflight.lacking(setting, chosen, keys, values, NAMES)
    assert (one is None) is (said is None)
    if one is not None and said is not None:
        assert said in one.text and "links prepare" in one.ways_out[0]


def test_what_the_settings_rest_on_and_moved_is_named_with_both_values() -> None:
    assert preflight.moved({"country": "BE"}, {"country": "BE", "more": "1"}) == ()
    assert preflight.moved({"country": "BE"}, {"country": "NL"}) == ("country was 'BE' and is 'NL'",)
    assert preflight.moved({"country": "BE"}, {}) == ("country was 'BE' and is ''",)
    assert preflight.moved({}, {"country": "BE"}) == ()


def test_names_that_the_store_needs_for_itself_are_the_same_everywhere() -> None:
    assert set(TAKEN) == set(Kept.__struct_fields__)


def test_without_an_entry_nothing_is_asked() -> None:
    spec = compiled(None)
    assert (spec.kind, spec.handshake, spec.checks, spec.roles["a"]) == ("people", False, (), Role.PEER)


def test_a_secondary_is_empty_unless_said_otherwise() -> None:
    roles = {"a": "primary", "b": "secondary"}
    assert compiled({"roles": roles}).checks == (Check("b", "kunden", CheckKind.EMPTY),)
    warned = {"side": "b", "object": "kunden", "check": "empty", "severity": "warn"}
    assert [one.severity for one in compiled({"roles": roles, "checks": [warned]}).checks] == [Severity.WARN]
    other = {"side": "a", "object": "kunden", "check": "some"}
    assert len(compiled({"roles": roles, "checks": [other]}).checks) == 2
    turned = compiled({"roles": {"a": "secondary", "b": "primary"}})
    assert turned.checks == (Check("a", "people", CheckKind.EMPTY),)


def test_every_entry_is_read_and_everything_it_names_is_known() -> None:
    place = {"side": "a", "object": "companies", "field": "country"}
    spec = compiled(
        {
            "kind": "customers",
            "handshake": True,
            "proposed_by": "b",
            "irreversible": True,
            "expires": "2d",
            "features": ["data-sync"],
            "access": "required",
            "in_mode_4": "allow",
            "custom": True,
            "checks": [
                {"side": "b", "object": "tills", "check": "some", "ways_out": ["make a till"]},
                {
                    "side": "b",
                    "object": "g",
                    "check": "no_clash",
                    "against": "h",
                    "by": ["name"],
                    "sample": {"d": 1},
                },
            ],
            "settings": {
                "vat": {"doc": "VAT codes", "keys": place, "where": {"land": place}, "values": place},
                "kind": {"choices": ["x", "y"]},
            },
            "rests_on": {"country": place},
        }
    )
    assert (spec.kind, spec.proposed_by, spec.expires_s, spec.features) == (
        *("customers", "b", 2 * 86400.0, ("data-sync",)),
    )
    assert spec.irreversible and spec.access and spec.in_mode_4 and spec.custom and spec.handshake
    assert [check.at for check in spec.checks] == [Moment.ACTIVATION, Moment.PROPOSAL]
    assert spec.rests_on == {"country": Place("a", "companies", "country")}
    assert objects_of(spec) == {
        "a": {"companies": {"country", "land"}, "h": {"name"}},
        "b": {"tills": set(), "g": {"name", "d"}},
    }


@pytest.mark.parametrize(
    "setup, said",
    [
        ({"rolls": 1}, "did you mean roles"),
        ({"roles": {"a": "primary", "b": "primary"}}, "primary on one and secondary on the other"),
        ({"roles": {"a": "primary"}}, "`b` is missing"),
        ({"access": "required"}, "needs `handshake: true`"),
        ({"proposed_by": "a"}, "nobody proposes without"),
        ({"expires": "10s"}, "is not between"),
        ({"checks": [{"side": "a", "object": "x"}]}, "`check` is missing"),
        ({"checks": [{"side": "a", "object": "x", "check": "unique"}]}, "`by: [field]` is missing"),
        ({"checks": [{"side": "a", "object": "x", "check": "empty", "against": "y"}]}, "belongs to it"),
        (
            {"checks": [{"side": "a", "object": "x", "check": "no_clash", "by": ["n"]}]},
            "`against` is the object",
        ),
        ({"checks": [{"side": "c", "object": "x", "check": "empty"}]}, "is not one of a, b"),
        (
            {"checks": [{"side": "a", "object": "x", "check": "empty", "sample": {"a": 1, "b": 2}}]},
            "one field",
        ),
        (
            {"settings": {"vat": {"where": {"x": {"side": "a", "object": "o", "field": "f"}}}}},
            "there are none",
        ),
        ({"settings": {"rules": {}}}, "the daemon's own"),
        ({"rests_on": {"x": {"side": "a", "object": "o"}}}, "`field` is missing"),
    ],
)
def test_what_is_wrong_in_it_is_said_with_its_place(setup: Any, said: str) -> None:
    with pytest.raises(BlueprintError) as caught:
        compiled(setup)
    assert any(said in fault.message and fault.path.startswith("setup") for fault in caught.value.faults)


def test_a_check_may_ask_for_what_a_setting_says_and_names_the_way_out() -> None:
    """T10, S14: the record that a setting names has to be there."""
    where = {
        "code": {"setting": "journal"},
        "open": True,
        "country": {"side": "a", "object": "firm", "field": "land"},
    }
    data = {"side": "b", "object": "journals", "check": "some", "where": where}
    setup = compiled({"checks": [data], "settings": {"journal": {}}})
    (check,) = setup.checks
    assert check.where == {"code": Chosen("journal"), "open": True, "country": Place("a", "firm", "land")}
    assert objects_of(setup) == {"a": {"firm": {"land"}}, "b": {"journals": {"code", "open", "country"}}}
    one = preflight.obstacle(setup, check, Found(0), NAMES, {"code": "VK", "open": "true"})
    assert one is not None
    assert one.text == "journals of south has no record, where code is 'VK' and open is 'true'"
    assert one.ways_out == ("choose another one: tandemctl links prepare <link> --settings journal=...",)


def test_the_setting_that_a_check_asks_for_has_to_be_declared() -> None:
    data = {"side": "b", "object": "journals", "check": "some", "where": {"code": {"setting": "jurnal"}}}
    with pytest.raises(BlueprintError) as found:
        compiled({"checks": [data], "settings": {"journal": {}}})
    (fault,) = found.value.faults
    assert "jurnal" in fault.message and "journal" in fault.message


def test_what_was_chosen_is_told_as_a_system_writes_it_and_a_default_counts() -> None:
    specs = [SettingSpec("kind", "text", default="person", has_default=True), SettingSpec("journal", "text")]
    assert preflight.chosen({"journal": " VK "}, specs, "journal") == "VK"
    assert preflight.chosen({"journal": 7}, specs, "journal") == "7"
    assert preflight.chosen({}, specs, "kind") == "person"
    assert preflight.chosen({}, specs, "journal") is None
