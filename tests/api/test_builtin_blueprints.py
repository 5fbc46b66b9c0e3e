"""The blueprints that come with the daemon, over the API: listed, shown, and taken by their names."""

from __future__ import annotations

import pytest

from daemon import blueprints, blueprints_yaml
from daemon.api.founding import chosen
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


@pytest.mark.parametrize(
    "word", ["no-such-pair", "shop-books.yaml", "@shop-books.yaml", "rules/shop-books.yaml"]
)
async def test_a_word_that_is_no_name_says_which_there_are_and_how_a_file_is_given(
    admin: Client, word: str
) -> None:
    refused = await admin.refused(
        admin.blueprints.CheckBlueprint, blueprints_pb2.CheckBlueprintRequest(blueprint=word)
    )
    assert refused.code == "FAILED_PRECONDITION"
    assert refused.message == f"there is no built-in blueprint '{word}'"
    assert "webcrm-uniconta" in refused.hint
    assert refused.hint.endswith(f" @{word.removeprefix('@')}")


async def test_a_connector_that_there_is_not_is_named_with_its_line(admin: Client) -> None:
    bad = blueprints.text("webcrm-uniconta").replace("connector: webcrm", "connector: webcrn")
    line = next(number for number, text in enumerate(bad.splitlines(), 1) if "webcrn" in text)
    found = await admin(admin.blueprints.CheckBlueprint, blueprints_pb2.CheckBlueprintRequest(blueprint=bad))
    (fault,) = found.faults
    assert (fault.line, fault.path) == (line, "a.connector")
    assert fault.message.startswith("there is no connector 'webcrn' (did you mean webcrm?)")
    assert not found.streams


def test_how_often_a_pair_is_looked_at_may_be_a_setting() -> None:
    text = blueprints.text("webcrm-uniconta")
    assert blueprints_yaml.load(text, "", {}).poll_s == {"a": 300.0, "b": 300.0}
    quick = "settings: {poll: {default: 30s}}"
    assert blueprints_yaml.load(text, quick, {}).poll_s == {"a": 30.0, "b": 30.0}


def test_a_whole_number_is_taken_for_the_text_that_it_is_written_as() -> None:
    spec = blueprints_yaml.load(blueprints.text("sage50fr-sage-sales-management"))
    assert chosen(spec, {"administrator": 12.0, "branch": 1}) == {"administrator": "12", "branch": "1"}
    assert chosen(spec, {"administrator": "012", "branch": 1.5}) == {"administrator": "012", "branch": 1.5}
    other = blueprints_yaml.load(blueprints.text("webcrm-uniconta"))
    assert chosen(other, {"gate_word": 7, "need_phone": False}) == {"gate_word": "7", "need_phone": False}
