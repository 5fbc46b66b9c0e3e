"""Declarations of the connector rest: all faults at once with their lines, the schema says the same as the loader, secrets
stay secret, and what a declaration promises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from actors.core.blueprint.schema import plain
from actors.core.errors import Kind, TandemError
from actors.ports import Find
from clients.connectors.catalog import CATALOG
from clients.connectors.systems import rest, rest_entries
from clients.connectors.systems import rest_reference as reference
from clients.connectors.systems.rest_ids import check_pattern, draw
from clients.connectors.systems.rest_load import SETTINGS, load
from clients.connectors.systems.rest_plan import Literals
from clients.connectors.yaml_nodes import parse
from tests.connectors import rest_shop, test_rest
from tests.tidy import repository

SMALL = """
name: shop
url: https://shop.example/api
objects:
  things:
    path: things
    key: id
    fields: {id: integer, name: text}
"""
VALIDATOR = jsonschema.Draft202012Validator(json.loads(reference.schema_text()))


def loaded(text: Any, **settings: Any) -> Any:
    return load({"declaration": text, **settings}, rest.DECLARATION)


def refused(text: Any, **settings: Any) -> str:
    with pytest.raises(TandemError) as caught:
        loaded(text, **settings)
    assert caught.value.kind is Kind.CONFIG
    return caught.value.message


def declarations() -> Mapping[str, str]:
    """Every declaration of the repository, by where it stands."""
    texts = repository.texts()
    found = {
        path: texts[path]
        for path in texts
        if path.startswith("examples/") and path.endswith("pocketbase.yaml")
    }
    page = re.search(
        r"^```yaml\n(name: shop.*?)^```", texts["docs/connectors/rest.md"], re.MULTILINE | re.DOTALL
    )
    assert page is not None
    return {
        **found,
        "docs/connectors/rest.md": page[1],
        "shop": rest_shop.DECLARATION,
        "people": test_rest.DECLARATION,
    }


def test_schema_and_page_are_what_the_tables_make_of_them() -> None:
    assert reference.SCHEMA.read_text("utf-8") == reference.schema_text(), "run make docs"
    text = reference.PAGE.read_text("utf-8")
    assert text == reference.page(text), "run make docs"
    assert set(re.findall(r"<!-- table: (\w+) -->", text)) == set(reference.TABLES)


@pytest.mark.parametrize("where", declarations())
def test_every_declaration_loads_and_the_schema_takes_it(where: str) -> None:
    text = declarations()[where]
    names = {"password": "invented", "key": "invented", "token": "invented", "url": "x"}
    plan = loaded(text, url="http://127.0.0.1:1", secrets=names, variables={"user": "ann"})
    assert plan.objects
    assert [error.message for error in VALIDATOR.iter_errors(plain(parse(text)[0]))] == []


FAULTS = [
    ("name: shop", "name: My Shop", "line 2: name: 'My Shop' does not look like"),
    ("url: https://shop.example/api", "url: ftp://x", "line 3: url: the address of rest is none"),
    ("url: https://shop.example/api", "", "the address of rest is none"),
    ("key: id", "key: number", "line 7: objects.things.key: there is no field 'number'"),
    ("key: id", "kee: id", "did you mean key?"),
    ("id: integer", "id: whole", "is not one of text, integer"),
    ("name: text}", "name: {type: date, format: day}}", "'day' is not a format"),
    ("name: text}", "name: {type: instant, zone: Mars}}", "no time zone 'Mars'"),
    ("key: id", "key: id\n    list: {after: {x: '{id}'}}", "`after` needs a list that is `sorted`"),
    ("key: id", "key: id\n    tag: name", "say `find` too"),
    ("key: id", "key: id\n    delete: {if_match: true}", "needs a `version`"),
    ("key: id", "key: id\n    new_ids: '[a-z]{3}'", "gives too few ids"),
    ("key: id", "key: id\n    new_ids: number", "is neither uuid nor like"),
    ("key: id", "key: id\n    modified: {field: name}", "neither an instant nor an integer"),
    ("key: id", "key: id\n    find: {fields: [nmae]}", "no field 'nmae'"),
    ("key: id", "key: id\n    list: {paging: {kind: next_link}}", "where the next link stands"),
    ("key: id", "key: id\n    list: {paging: {kind: cursor}}", "where the cursor stands"),
    ("key: id", "key: id\n    list: {paging: {kind: page, size_max: 0}}", "not a whole number from 1"),
    ("objects:", "auth: {kind: bearer}\nobjects:", "`token` is missing for bearer"),
    ("objects:", "auth: {kind: bearer, token: '${tokn}'}\nobjects:", "no variable or secret 'tokn'"),
    ("objects:", "auth: {kind: basic, user: u, password: p}\nobjects:", "can't be told apart"),
    ("objects:", "limits: {deadline: 20}\nobjects:", "is not a duration"),
    ("objects:", "answers: [{status: 400}]\nobjects:", "`means` is missing"),
    ("fields: {id: integer, name: text}", "fields: {}", "at least one entry"),
]


@pytest.mark.parametrize("said, instead, words", FAULTS)
def test_a_fault_is_named_with_its_place(said: str, instead: str, words: str) -> None:
    assert said in SMALL
    loaded(SMALL)
    message = refused(SMALL.replace(said, instead, 1))
    assert words in message
    assert "line" in message


def test_all_faults_are_named_at_once() -> None:
    text = (
        SMALL.replace("name: shop", "name: S").replace("key: id", "key: x").replace("id: integer", "id: int")
    )
    message = refused(text)
    assert message.count("line") == 2, "what the tables refuse"
    assert "line 2" in message and "line 8" in message
    assert refused(SMALL.replace("key: id", "key: x\n    tag: y")).count("line") == 3, (
        "what entries owe each other"
    )


@pytest.mark.parametrize(
    "text", ["", "   ", "name: [\n  x", "a: 1\na: 2\n", "- x\n- y\n", "name: !!python/object x\nb: 1\n"]
)
def test_what_is_no_declaration_at_all(text: str) -> None:
    assert "the declaration" in refused(text)


def test_a_secret_never_gets_into_a_fault() -> None:
    text = SMALL.replace("id: integer", "id: '${token}'")
    message = refused(text, secrets={"token": "hush-hush-hush"})
    assert "hush" not in message
    assert "***" in message


def test_a_declaration_may_be_a_file_or_a_map(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SMALL)
    assert loaded(str(file)).declaration.name == "shop"
    data, _ = parse(SMALL)
    assert loaded(data).declaration.name == "shop"
    assert "objects.things.key" in refused(parse(SMALL.replace("key: id", "key: x"))[0])
    assert "can't be read" in refused(str(tmp_path / "none.yaml"))
    assert "neither a YAML text nor" in refused("/etc/hostname")


def test_what_a_declaration_promises() -> None:
    careful = loaded(SMALL).declaration
    assert (careful.find, careful.absence, careful.precondition) == ((Find.FULL,), "hint", "reread")
    assert (careful.draws_ids, careful.tag, careful.find_by_field, careful.webhook) == (
        False,
        False,
        False,
        None,
    )
    shop = load({"declaration": rest_shop.DECLARATION, "url": "http://x"}, rest.DECLARATION, strict=False)
    assert (shop.declaration.precondition, shop.declaration.find) == ("atomic", (Find.MODIFIED,))
    assert shop.declaration.settings == SETTINGS


def test_webhooks_depend_on_the_declaration() -> None:
    """They are asked for before anything is open, and without the secrets."""
    webhook = "webhook: {signature: hmac_sha256, header: X-Sign, ids: 'json:id', events: [changed]}\n"
    text = SMALL + webhook + "auth: {kind: bearer, token: '${token}'}\n"
    declared = CATALOG["rest"].declared({"declaration": text}).webhook
    assert declared is not None
    assert (declared.signature, declared.ids, declared.events) == ("hmac_sha256", "json:id", ("changed",))
    assert CATALOG["rest"].declaration.webhook is None
    assert CATALOG["csv"].declared({}) is CATALOG["csv"].declaration


@pytest.mark.parametrize(
    "escape, text, literal",
    [
        ("double", "O'Brien", "'O''Brien'"),
        ("backslash", "O'Br\\ien", "'O\\'Br\\\\ien'"),
        ("backslash_quote", "O'Br\\ien", "'O\\'Br\\ien'"),
    ],
)
def test_literals(escape: str, text: str, literal: str) -> None:
    assert Literals("'", escape).of(text) == literal


def test_ids_are_drawn() -> None:
    assert check_pattern("[a-z0-9]{15}") == check_pattern("uuid") == ""
    drawn = {draw("[a-z0-9]{15}") for _ in range(100)}
    assert len(drawn) == 100
    assert all(re.fullmatch("[a-z0-9]{15}", one) for one in drawn)
    assert len(draw("uuid")) == 36


def test_every_entry_says_what_it_means() -> None:
    silent = [entry.name for table in reference.TABLES.values() for entry in table if not entry.doc]
    assert not silent
    assert rest_entries.DECLARATION
