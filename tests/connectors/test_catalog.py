"""The catalog is the one list: complete, lazy, and every connector in it is declared well and held to the contract."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from actors.core.errors import Kind, TandemError
from actors.ports import Find
from clients.connectors.catalog import CATALOG, Entry, entry, open_connector
from clients.connectors.definition import checked_settings

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"name": "shop", "objects": {"people": {"path": "people", "key": "id", "fields": {"id": "text"}}}}
SETTING_TYPES = {"text", "integer", "decimal", "boolean", "path", "list", "map", "document"}


def names_in(path: Path) -> set[str]:
    """What a module's top level binds or uses, without importing it."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def opens(path: Path) -> bool:
    """Whether a module is a system's own: it has `connect`. Its helpers, whatever their names, don't."""
    body = ast.parse(path.read_text("utf-8")).body
    return any(isinstance(node, ast.AsyncFunctionDef) and node.name == "connect" for node in body)


def has_secrets(name: str) -> bool:
    """Whether a connector asks for something that is sealed."""
    return any(setting.secret for setting in CATALOG[name].declaration.settings)


def test_every_system_is_in_the_catalog() -> None:
    systems = {path.stem for path in (ROOT / "clients/connectors/systems").glob("*.py") if opens(path)}
    assert systems == set(CATALOG)


@pytest.mark.parametrize("name", CATALOG)
def test_every_connector_is_held_to_the_contract(name: str) -> None:
    assert "ConnectorContract" in names_in(ROOT / f"tests/connectors/test_{name}.py")


@pytest.mark.parametrize("name", CATALOG)
def test_declarations_are_complete(name: str) -> None:
    declared = CATALOG[name].declaration
    assert declared.name == name
    assert declared.doc
    assert set(declared.find) <= set(Find)
    assert declared.find
    settings = declared.settings
    assert len({setting.name for setting in settings}) == len(settings)
    assert not [setting.name for setting in settings if not setting.doc or setting.type not in SETTING_TYPES]
    assert not [setting.name for setting in settings if setting.secret and setting.default is not None]
    assert callable(CATALOG[name].connect)


@pytest.mark.parametrize("name", CATALOG)
def test_defaults_pass_their_own_check(name: str) -> None:
    declared = CATALOG[name].declaration
    samples = {"integer": 1, "decimal": 1, "boolean": True, "list": [], "map": {}}
    given = {
        setting.name: (setting.choices or (samples.get(setting.type, "x"),))[0]
        if setting.required and setting.default is None
        else setting.default
        for setting in declared.settings
    }
    checked = checked_settings(declared, given)
    assert set(checked) == {setting.name for setting in declared.settings}


# Those with secrets; the address of postgres is one itself.
@pytest.mark.parametrize("name", [name for name in CATALOG if has_secrets(name) and name != "postgres"])
def test_every_address_counts_for_where_secrets_go(name: str) -> None:
    declared = CATALOG[name].declaration
    given = {setting.name: setting.default for setting in declared.settings}
    given |= {"url": "https://Shop.example:8443/v1"} | ({"declaration": SMALL} if name == "rest" else {})
    assert "https://shop.example:8443" in CATALOG[name].destinations(given)


def test_a_declaration_may_lead_to_several_hosts() -> None:
    log_in = {"kind": "log_in", "path": "https://${who}@login.example/token", "log_out": {"path": "out"}}
    given = {"declaration": {**SMALL, "url": "http://api.example", "auth": log_in}}
    assert CATALOG["rest"].destinations(given) == {"http://api.example", "https://login.example"}


@pytest.mark.anyio
async def test_an_unknown_connector_names_the_known_ones() -> None:
    with pytest.raises(TandemError, match="no connector 'sap'") as caught:
        await open_connector("sap", {})
    assert caught.value.kind is Kind.CONFIG
    assert caught.value.hint == f"use one of: {', '.join(sorted(CATALOG))}"


@pytest.mark.anyio
async def test_settings_are_checked_before_anything_is_opened() -> None:
    with pytest.raises(TandemError, match="'path' is required") as caught:
        await open_connector("csv", {"paht": "/nowhere"})
    assert caught.value.kind is Kind.CONFIG
    assert "'paht' is not a setting" in str(caught.value)


def test_a_module_that_cannot_be_loaded_says_so() -> None:
    with pytest.raises(TandemError, match=r"systems\.gone cannot be loaded") as caught:
        _ = Entry("clients.connectors.systems.gone").declaration
    assert caught.value.kind is Kind.CONFIG


def has_class(name: str, bases: str) -> bool:
    """Whether a test module of a connector has a class of one of these groups of cases."""
    modules = (ROOT / "tests" / "connectors").glob(f"test_{name}*.py")
    return any(re.search(rf"^class Test\w*\(({bases})\)", one.read_text("utf-8"), re.M) for one in modules)


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_who_takes_lines_passes_their_contract(name: str) -> None:
    assert has_class(name, "(Feeds|Reads|Takes)Lines") is (entry(name).declaration.lines != "none")


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_who_has_attachments_passes_their_contract(name: str) -> None:
    assert has_class(name, "(Reads|Takes)Attachments") is entry(name).declaration.attachments


def test_a_system_is_imported_only_when_it_is_asked_for() -> None:
    code = """
import sys
from clients.connectors.catalog import CATALOG
assert not [name for name in sys.modules if name.startswith("clients.connectors.systems.")]
assert CATALOG["csv"].declaration.name == "csv"
assert not {"asyncpg", "clients.connectors.systems.postgres"} & set(sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_the_catalog_cannot_be_changed() -> None:
    assert entry("csv") is CATALOG["csv"]
    with pytest.raises(TypeError):
        CATALOG["other"] = Entry("x")  # type: ignore[index]
