"""The blueprints that come with the daemon, over the API: listed, shown, and taken by their names."""

from __future__ import annotations

import pytest

from daemon import blueprints, blueprints_yaml
from tandem.v1 import blueprints_pb2
from tests.api.world import Client

pytestmark = pytest.mark.anyio


async def test_they_are_listed_and_shown_with_their_text(admin: Client) -> None:
    listed = await admin(admin.blueprints.ListBlueprints, blueprints_pb2.ListBlueprintsRequest())
    assert [one.name for one in listed.blueprints] == list(blueprints.names())
    assert all(one.description and one.a and one.streams and not one.text for one in listed.blueprints)
    name = listed.blueprints[0].name
    shown = await admin(admin.blueprints.GetBlueprint, blueprints_pb2.GetBlueprintRequest(name=name))
    assert shown.text == blueprints.text(name)
    missing = await admin.refused(
        admin.blueprints.GetBlueprint, blueprints_pb2.GetBlueprintRequest(name="no-such-pair")
    )
    assert missing.code == "NOT_FOUND"


async def test_a_name_is_taken_where_a_blueprint_is_asked_for(admin: Client) -> None:
    name = blueprints.names()[0]
    by_name, by_text = [
        await admin(
            admin.blueprints.CheckBlueprint, blueprints_pb2.CheckBlueprintRequest(blueprint=blueprint)
        )
        for blueprint in (name, blueprints.text(name))
    ]
    assert by_name == by_text and by_name.streams


def test_how_often_a_pair_is_looked_at_may_be_a_setting() -> None:
    text = blueprints.text("webcrm-uniconta")
    assert blueprints_yaml.load(text, "", {}).poll_s == {"a": 300.0, "b": 300.0}
    quick = "settings: {poll: {default: 30s}}"
    assert blueprints_yaml.load(text, quick, {}).poll_s == {"a": 30.0, "b": 30.0}
