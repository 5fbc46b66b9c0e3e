"""Attachments by what they are: described alike on both sides, and asked of a blueprint with nothing beside."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.attachments import (
    HEAD,
    Description,
    describe,
    described,
    media_type,
    own_path,
    read_description,
    to_bring,
)
from actors.core.blueprint.compiler import BlueprintError, compile_blueprint
from actors.core.mapping import paths
from actors.core.plan import Context, half_binding, plan_new
from actors.core.policy import FieldSpec
from tests.core.blueprint_samples import Document
from tests.core.pairs import one, place, seen, stream

PNG = b"\x89PNG\r\n\x1a\n"
IMAGE = FieldSpec("image", place("BILD#"), place("image#"), attachment=True)


@given(st.binary(max_size=200))
def test_a_description_says_what_the_content_is(content: bytes) -> None:
    told = read_description(describe(content))
    assert told is not None
    assert (told.size, told.digest) == (len(content), hashlib.sha256(content).hexdigest())
    # A system that tells head, size and digest without the content tells the same.
    assert described(content[:HEAD], told.size, told.digest) == describe(content)


@pytest.mark.parametrize(
    "head, type_",
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7", "application/pdf"),
        (b"RIFF\x00\x00\x00\x00WAVE", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_content_tells_its_type(head: bytes, type_: str) -> None:
    assert media_type(head) == type_


@pytest.mark.parametrize("value", [None, 7, "", "image/png 12", "image/png x " + "0" * 64, b"x"])
def test_anything_else_is_no_description(value: object) -> None:
    assert read_description(value) is None  # type: ignore[arg-type]
    assert str(Description("image/png", 1, "0" * 64)) == "image/png 1 " + "0" * 64


def test_a_write_needs_the_content_of_what_it_describes_and_of_nothing_else() -> None:
    spec = stream(one("name"), IMAGE)
    assert list(to_bring(spec, "b", {"image#": "x", "name": "Ada"})) == [("image#", "BILD#")]
    assert list(to_bring(spec, "a", {"BILD#": "x"})) == [("BILD#", "image#")]
    assert list(to_bring(spec, "b", {"image#": None})) == []  # emptied: there is nothing to bring
    assert list(to_bring(spec, "b", {"name": "Ada"})) == []
    assert own_path("image#") == "image"


def blueprint(**field: object) -> Document:
    fields = {
        "sku": {"a": "NR", "b": "sku"},
        "image": {"a": "BILD", "b": "image", "attachment": True, **field},
    }
    articles = {"a": "ARTIKEL", "b": "articles", "match": [["sku"]], "complete_read": "1h", "fields": fields}
    sides = {side: {"connector": "postgres"} for side in ("a", "b")}
    return {"blueprint": "x", "version": 1, **sides, "streams": {"articles": articles}}


def test_a_blueprint_asks_for_the_description() -> None:
    spec = compile_blueprint(blueprint()).stream("articles")
    assert (paths(spec, "a"), paths(spec, "b")) == (("NR", "BILD#"), ("sku", "image#"))
    assert [one.name for one in spec.attached] == ["image"]
    assert compile_blueprint(blueprint(attachment=False)).stream("articles").attached == ()


@pytest.mark.parametrize(
    "wrong", [{"set": True}, {"reference": "articles"}, {"lens": "trim"}, {"a": ["X", "Y"], "lens_a": "join"}]
)
def test_nothing_else_is_said_of_it(wrong: Document) -> None:
    with pytest.raises(BlueprintError):
        compile_blueprint(blueprint(**wrong))


@pytest.mark.parametrize("shown, made", [({"name": "Ada"}, True), ({"image": None}, False)])
def test_an_image_that_is_still_on_its_way_keeps_nobody_waiting(shown: Document, made: bool) -> None:
    """Any other field that was not delivered does (REDTEAM: not delivered is read as empty)."""
    spec = stream(one("name"), IMAGE)
    look = seen("a", shown)
    verdict = plan_new(spec, half_binding(spec, look, 1), look, Context(1.0))
    assert [dict(action.fields) for action in verdict.actions] == ([{"name": "Ada"}] if made else [])
    assert bool(verdict.park) is not made
