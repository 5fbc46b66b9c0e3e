"""Reading blueprints as YAML: types as people mean them, the line of every fault, no tags, no bombs; and the examples."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.blueprint.compiler import BlueprintError, Fault
from actors.core.lens_laws import law_faults
from actors.core.mapping import observe, show
from actors.core.policy import DeletePolicy, LinkSpec, Owner
from actors.core.types import Record
from actors.core.values import Value
from clients.connectors import yaml_nodes
from daemon.blueprints_yaml import load, parse

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

SMALL = """\
blueprint: small
version: 1
a: {connector: csv, poll: 2s}
b: {connector: postgres}
streams:
  customers:
    a: KUNDEN
    b: customers
    complete_read: 1h
    fields:
      name: {a: NAME, b: name}
      price:
        a: PREIS
        b: price
        owner: x
      street: {a: STRASSE,
               b: street, lens_c: trim}
"""


def refused(text: str) -> tuple[Fault, ...]:
    with pytest.raises(BlueprintError) as error:
        load(text)
    return error.value.faults


def test_every_fault_comes_with_its_line() -> None:
    owner, lens = refused(SMALL)
    path = "streams.customers.fields"
    assert str(owner) == f'line 15: {path}.price.owner: "x" is not one of a, b, both, local'
    assert str(lens).startswith(
        f"line 17: {path}.street.lens_c: there is no such entry (did you mean lens_b?); known are a,"
    )
    assert (owner.column, lens.column) == (9, 27)


def test_a_small_blueprint_is_loaded() -> None:
    spec = load(SMALL.replace("owner: x", "owner: a").replace(", lens_c: trim", ""))
    assert spec.stream("customers").field("price").owner is Owner.A
    assert spec.poll_s == {"a": 2.0, "b": 60.0}


def test_a_key_that_stands_twice_is_refused_with_both_faults_listed() -> None:
    text = SMALL.replace("    b: customers", "    b: customers\n    b: clients").replace(
        "version: 1", "version: 1\nversion: 2"
    )
    assert [(fault.line, fault.message[:25]) for fault in refused(text)] == [
        (3, '"version" stands twice he'),
        (10, '"b" stands twice here; th'),
    ]


@pytest.mark.parametrize(
    "text, value",
    [
        ("NO", "NO"),
        ("on", "on"),
        ("J", "J"),
        ("01067", "01067"),
        ("'12'", "12"),
        ("12", 12),
        ("-12.50", Decimal("-12.50")),
        ("12:30", "12:30"),
        ("1e3", "1e3"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("2026-01-31", "2026-01-31"),
        (".inf", ".inf"),
        ("true", True),
        ("~", None),
        ("", None),
        ("!!str 12", "12"),
        ("9" * 5000, "9" * 5000),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_values_are_what_people_mean(text: str, value: object) -> None:
    data, _ = parse(f"x: {text}")
    assert data == {"x": value}
    assert isinstance(data, dict)
    assert type(data["x"]) is type(value)


def test_keys_have_types_too_so_that_value_maps_can_name_natives() -> None:
    data, positions = parse("true: J\n276: DE\n'276x': AT\n~: none\n")
    assert data == {True: "J", 276: "DE", "276x": "AT", None: "none"}
    assert positions[(None,)] == (4, 1)


def test_anchors_and_merges_are_understood() -> None:
    data, positions = parse(
        "base: &base {owner: a, lens: trim}\nother: &other {lens: same, set: true}\n"
        "x: {<<: *base, owner: b}\ny: *base\nz:\n  <<: [*base, *other]\n"
    )
    assert isinstance(data, dict)
    assert data["x"] == {"owner": "b", "lens": "trim"}
    assert data["y"] == {"owner": "a", "lens": "trim"}
    assert data["z"] == {"owner": "a", "lens": "trim", "set": True}
    assert positions[("x", "owner")] == (3, 16)
    assert positions[("y",)] == (4, 1)


@pytest.mark.parametrize(
    "text, line, message",
    [
        ("", 1, "the blueprint is empty"),
        ("# nothing\n", 1, "the blueprint is empty"),
        ("a: 1\n  b: [", 2, "this is no YAML: "),
        ("a: *x\n", 1, "this is no YAML: "),
        ("a: 1\n---\nb: 1\n", 2, "this is no YAML: "),
        ("a: \x07\n", 1, "this is no YAML: "),
        ("a: \ud800\n", 1, "this is no YAML: "),
        (
            "a: 1\nb: !!python/object/apply:os.system [ls]\n",
            2,
            "tag:yaml.org,2002:python/object/apply:os.system is a tag",
        ),
        ("a: !secret x\n", 1, "!secret is a tag"),
        ("a: !!set {x}\n", 1, "tag:yaml.org,2002:set is a tag"),
        ("[x, y]: 1\n", 1, "a list or mapping can't be a name"),
        ("a: {<<: 5}\n", 1, "<< needs a mapping"),
        ("a: &a [*a]\n", 1, "more than"),
        ("a: &a {b: *a}\n", 1, "more than"),
        ("[" * 5000, 1, "nested deeper than"),
        ("x: 1\n" + "# filler\n" * 40_000, 1, "the text has"),
    ],
)
def test_what_is_no_safe_yaml_is_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(BlueprintError) as error:
        parse(text)
    (fault,) = error.value.faults
    assert fault.message.startswith(message), fault
    assert fault.line == line


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (fault,) = refused("\n".join(lines))
    assert "aliases counted" in fault.message


def test_both_loaders_of_the_yaml_library_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (EXAMPLES / "quickstart/erp-crm.yaml").read_text(encoding="utf-8")
    fast = parse(text)
    monkeypatch.setattr(yaml_nodes, "_LOADER", yaml.SafeLoader)
    assert parse(text) == fast


@given(st.text("ab:-[]{}&*!|>'\"#<~\n ,", max_size=40))
@settings(max_examples=300)
def test_any_text_is_read_or_refused(text: str) -> None:
    assert refused(text)


def quickstart() -> LinkSpec:
    return load((EXAMPLES / "quickstart/erp-crm.yaml").read_text(encoding="utf-8"))


ERP: Mapping[str, Value] = {
    "KUNDENNR": "10001",
    "NAME1": "Weingut Beispiel",
    "NAME2": "Filiale Nord",
    "STRASSE": "Musterweg 1 ",
    "PLZ": "01067",
    "ORT": "Dresden",
    "LAND": "DE",
    "TELEFON": "0351 / 123 45 67",
    "EMAIL": "Info@Example.org",
    "USTID": "DE123456789",
    "KREDITLIMIT": "1.500,00",
    "GESPERRT": "",
}
CRM: Mapping[str, Value] = {
    "number": "10001",
    "name": "Weingut Beispiel Filiale Nord",
    "street": "Musterweg 1",
    "zip": "01067",
    "city": "Dresden",
    "country": "DE",
    "phone": "+493511234567",
    "email": "info@example.org",
    "vat_id": "DE123456789",
    "credit_limit": 1500,
    "blocked": False,
    "owner": "sales",
    "notes": None,
}
ARTICLE: Mapping[str, Value] = {
    "ARTIKELNR": "A-1",
    "BEZEICHNUNG": "Riesling",
    "EINHEIT": "Fl",
    "WARENGRUPPE": "Wein",
    "PREIS": "1.234,565",
    "AKTIV": "J",
    "BESTAND": "12",
}


def test_the_quickstart_reads_both_sides_of_one_customer_as_equal() -> None:
    stream = quickstart().stream("customers")
    a = observe(stream, "a", Record("10001", ERP), 0.0)
    b = observe(stream, "b", Record("7", CRM), 0.0)
    assert (a.problem, b.problem) == ("", "")
    assert a.fields == b.fields
    assert show(stream, "a", ERP, b.fields).native == {}
    assert show(stream, "b", CRM, a.fields).native == {}


def test_the_quickstart_writes_the_erp_as_the_erp_writes() -> None:
    stream = quickstart().stream("customers")
    changes: dict[str, Value] = {
        "name": "Weingut Beispiel Filiale Süd",
        "phone": "+49351999888",
        "credit_limit": Decimal("2000.5"),
    }
    written = show(stream, "a", ERP, changes).native
    assert written == {"NAME2": "Filiale Süd", "TELEFON": "+49351999888", "KREDITLIMIT": "2000,50"}
    assert show(stream, "a", {}, {"name": "Otto KG", "blocked": True}).native == {
        "NAME1": "Otto KG",
        "GESPERRT": "J",
    }


def test_the_quickstart_sends_articles_one_way() -> None:
    stream = quickstart().stream("articles")
    seen = observe(stream, "a", Record("A-1", ARTICLE), 0.0)
    assert seen.problem == ""
    written = show(stream, "b", {}, seen.fields)
    assert (written.native["price"], written.native["stock"]) == (Decimal("1234.56"), 12)
    assert {field.owner for field in stream.fields} == {Owner.A}
    assert stream.creates == {"a"}
    assert stream.deletes == {"a": DeletePolicy.MARK, "b": DeletePolicy.IGNORE}


def test_the_laws_hold_for_the_quickstart() -> None:
    changed = {
        **ERP,
        "NAME1": "Otto",
        "NAME2": "",
        "TELEFON": "ask Anna",
        "GESPERRT": "J",
        "KREDITLIMIT": "",
        "EMAIL": "",
    }
    other = {
        **CRM,
        "name": "  Otto  GmbH",
        "phone": "0049 351 1",
        "credit_limit": None,
        "blocked": None,
        "country": None,
    }
    samples = {
        "customers": [("a", ERP), ("a", changed), ("b", CRM), ("b", other)],
        "articles": [("a", ARTICLE)],
    }
    assert law_faults(quickstart(), samples) == ()  # type: ignore[arg-type]


BLUEPRINTS = [path for path in EXAMPLES.rglob("*.yaml") if "\nblueprint:" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", sorted(BLUEPRINTS), ids=lambda path: path.name)
def test_every_blueprint_among_the_examples_loads(path: Path) -> None:
    assert load(path.read_text(encoding="utf-8")).streams


@pytest.mark.parametrize("text", ["streams.customers.poll=1", "- streams", "42"])
def test_settings_that_are_no_entries_take_the_place_of_no_blueprint(text: str) -> None:
    with pytest.raises(BlueprintError) as refused:
        load(SMALL, text)
    (fault,) = refused.value.faults
    assert str(fault).startswith("settings line 1: settings are entries like a blueprint's")
