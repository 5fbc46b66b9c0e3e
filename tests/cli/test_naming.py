"""Names of commands follow from names in the proto files by rule; the real API gets the names that a person would expect."""

from __future__ import annotations

import pytest

from clients.cli import naming
from clients.cli.api import Api


@pytest.mark.parametrize(
    "group, expected",
    [
        (
            "connections",
            "list-connectors create update test probe get list describe-objects delete",
        ),
        ("blueprints", "list get check"),
        ("settings", "get change rehearse list-versions revert"),
        ("webhooks", "create get delete"),
        (
            "links",
            "create get list pause resume list-preparations prepare activate deactivate review verify delete",
        ),
        ("accesses", "create list update delete enter check-grant get-grant-key"),
        ("proposals", "create get list check confirm decline withdraw"),
        ("features", "ask list enable disable"),
        ("runs", "start watch cancel undo get list list-items"),
        ("plans", "list get list-actions approve reject"),
        ("conflicts", "list resolve"),
        ("documents", "list import"),
        ("quarantine", "list-parked retry-parked dismiss-parked"),
        ("records", "get explain erase refresh"),
        (
            "system",
            "get-status list-actors drain create-tenant list-tenants create-token list-tokens revoke-token",
        ),
    ],
)
def test_commands_of_the_api(schema: Api, group: str, expected: str) -> None:
    assert list(naming.command_names(naming.group_names(schema)[group])) == expected.split()


def test_every_method_has_exactly_one_command(schema: Api) -> None:
    commands = [
        method.full_name
        for service in naming.group_names(schema).values()
        for method in naming.command_names(service).values()
    ]
    assert sorted(commands) == sorted(method.full_name for method in schema.methods())


@pytest.mark.parametrize(
    "name, words",
    [("ListRunItems", "list run items"), ("GetHTTPStatus", "get http status"), ("Sync2Now", "sync2 now")],
)
def test_words(name: str, words: str) -> None:
    assert naming.words(name) == words.split()


@pytest.mark.parametrize(
    "plural, expected", [("connections", "connection"), ("entities", "entity"), ("quarantine", "quarantine")]
)
def test_singular(plural: str, expected: str) -> None:
    assert naming.singular(plural) == expected


def test_help_names_commands_instead_of_methods() -> None:
    spelled = naming.spell_methods(
        "See ListConnectors, not ListNothing.", {"ListConnectors": "connections list-connectors"}
    )
    assert spelled == "See `connections list-connectors`, not ListNothing."
