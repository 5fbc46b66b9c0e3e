"""The JSON schema of blueprints says the same as the loader, since both go by the same tables."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from actors.core.blueprint import lens_build
from actors.core.blueprint.compiler import BlueprintError, compile_blueprint
from actors.core.blueprint.entries import FIELD, GATE, LINK, SIDE, STREAM
from actors.core.blueprint.entries_lines import lines_table
from actors.core.blueprint.entries_when import SCHEDULE
from actors.core.blueprint.forms import Entry
from actors.core.blueprint.lens_words import WORDS
from actors.core.blueprint.schema import plain, schema, table_schema
from actors.core.blueprint.setup_entries import CHECK, PLACE, SETTING, SETUP
from daemon import blueprint_reference as reference
from daemon import blueprints_yaml
from tests.core.blueprint_samples import Document, document
from tests.tidy import repository

VALIDATOR = jsonschema.Draft202012Validator(schema())
TABLES: dict[str, Sequence[Entry]] = {
    "link": LINK,
    "side": SIDE,
    "stream": STREAM,
    "gate": GATE,
    "field": FIELD,
    "lines": lines_table(FIELD),
    "schedule": SCHEDULE,
    "setup": SETUP,
    "check": CHECK,
    "setting": SETTING,
    "place": PLACE,
}


def refused(data: object) -> list[str]:
    """What the schema says against a document."""
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(plain(data))]


def loads(data: object) -> bool:
    try:
        compile_blueprint(data)
    except BlueprintError:
        return False
    return True


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_schema_and_page_are_what_the_tables_make_of_them() -> None:
    assert reference.SCHEMA.read_text("utf-8") == reference.schema_text(), "run make docs"
    text = reference.PAGE.read_text("utf-8")
    assert text == reference.page(text), "run make docs"
    assert text.count("<!-- table:") == len(reference.TABLES) + 1


def test_every_word_that_names_a_lens_has_a_builder() -> None:
    assert list(WORDS) and set(WORDS) == set(lens_build._WORDS)


def test_a_blueprint_with_every_entry_passes_both() -> None:
    assert loads(document()) and refused(document()) == []


def blueprints() -> dict[str, str]:
    """Every blueprint of the repository."""
    return {
        path: text
        for path, text in repository.texts().items()
        if path.endswith((".yaml", ".yml")) and text.lstrip("#").find("\nblueprint:") >= 0
    }


def test_the_blueprints_of_the_repository_pass() -> None:
    found = blueprints()
    assert "examples/quickstart/erp-crm.yaml" in found
    for path, text in found.items():
        data, _ = blueprints_yaml.parse(text)
        assert refused(data) == [], path


def examples() -> Iterator[Any]:
    for table, entries in TABLES.items():
        for entry in entries:
            if entry.example:
                yield pytest.param(entry, id=f"{table}.{entry.name}")


@pytest.mark.parametrize("entry", list(examples()))
def test_the_example_of_an_entry_is_one(entry: Entry) -> None:
    data, _ = blueprints_yaml.parse(entry.example)
    assert isinstance(data, Mapping) and list(data) == [entry.name]
    assert not list(jsonschema.Draft202012Validator(table_schema([entry])).iter_errors(plain(data)))


@pytest.mark.parametrize("word", WORDS)
def test_the_example_of_a_lens_is_one(word: str) -> None:
    lens = yaml.safe_load(WORDS[word].example)
    whole = document()
    fields = whole["streams"]["customers"]["fields"]
    over = {"join": ["X", "Y"], "gross": ["X", "Y"], "formula": ["kind", "stock"]}
    fields["vat"] = {"a": over.get(word, "X"), "b": "vat", "lens_a": lens, "lossy": True}
    fields["vat"] |= {"list": {"set": True}, "formula": {"owner": "a"}}.get(word, {})
    assert refused(whole) == []
    compile_blueprint(whole)


FAULTY: list[tuple[tuple[str, ...], object]] = [
    (("steams",), {}),
    (("version",), True),
    (("breaker",), 0),
    (("a",), "csv"),
    (("a", "poll"), 5),
    (("streams",), {}),
    (
        ("streams", "Kunden"),
        {"a": "x", "b": "y", "complete_read": "1h", "fields": {"f": {"a": "x", "b": "y"}}},
    ),
    (("streams", "orders", "kind"), "king"),
    (("streams", "orders", "match"), [["number"], []]),
    (("streams", "orders", "creates"), ["c"]),
    (("streams", "orders", "deletes"), {"a": "burn"}),
    (("streams", "orders", "budgets"), {"deletes": "many"}),
    (("streams", "orders", "delivery"), "weekly"),
    (("streams", "orders", "delivery"), {"to_b": "instant"}),
    (("streams", "customers", "fields", "price", "owner"), "x"),
    (("streams", "customers", "fields", "price", "colour"), "red"),
    (("streams", "customers", "fields", "price", "lens"), "shout"),
    (("streams", "customers", "fields", "price", "lens"), {"case": "loud"}),
    (("streams", "customers", "fields", "tags", "lens_a", "list"), None),
    (("streams", "customers", "fields", "price", "set"), "yes"),
]


@pytest.mark.parametrize("path, value", FAULTY, ids=[f"{'.'.join(path)}={value}" for path, value in FAULTY])
def test_what_can_not_stand_there_is_refused_by_both(path: tuple[str, ...], value: object) -> None:
    data = document()
    put(data, path, value)
    assert not loads(data)
    assert refused(data)


def put(data: Document, path: Sequence[Any], value: object) -> None:
    for step in path[:-1]:
        data = data[step]
    data[path[-1]] = value


def paths(value: object, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield (*above, key)
            yield from paths(below, (*above, key))
    if isinstance(value, list):
        for index, below in enumerate(value):
            yield (*above, index)
            yield from paths(below, (*above, index))


VALUES = st.sampled_from(
    [
        *(
            None,
            True,
            False,
            0,
            1,
            7,
            -3,
            Decimal("2.5"),
            "",
            "a",
            "b",
            "both",
            "ask",
            "newest else a",
            "number",
        ),
        *(
            "5m",
            "1h",
            "20%",
            "10 or 5%",
            "unlimited",
            "nightly",
            "every 15m",
            "30 2 * * *",
            "DE",
            "iso2",
            ",",
            " ",
        ),
        *(
            [],
            ["a"],
            ["a", "b"],
            [["number"]],
            {},
            {"a": "ignore"},
            {"a": "mark"},
            {"count": 3},
            {"a": "instant"},
        ),
        *(
            {"at": "nightly"},
            {"a_to_b": "command"},
            {"map": {"x": "y"}},
            {"scale": 2},
            ["trim", {"case": "lower"}],
        ),
        *(
            {"number": {"decimal": ","}},
            {"list": " "},
            {"bool": {True: "J", False: "N"}},
            {"date": "midnight"},
        ),
    ]
)


@given(st.sampled_from(list(paths(document()))), VALUES)
@example(("streams", "customers", "fields", "prices", "lines", "sums"), {})
def test_the_schema_refuses_nothing_that_the_loader_takes(path: tuple[Any, ...], value: object) -> None:
    data = document()
    put(data, path, copy.deepcopy(value))
    if loads(data):
        assert refused(data) == []
