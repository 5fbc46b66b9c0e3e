"""Each connector's page names everything that its declaration says: every setting, every ability, every way to find changes.

The pages are written by hand, because they say what it means; this test says what must not be missing.
"""

from __future__ import annotations

import msgspec
import pytest

from actors.ports import Declaration, Webhook
from clients.connectors.catalog import CATALOG
from tests.tidy import repository

# Not abilities: they head the page, or have a table of their own.
ELSEWHERE = frozenset({"name", "doc", "settings", "find"})
# Abilities that few have: said where they are there.
RARE = frozenset({"attachments", "backlog"})


def missing_from(page: str, declaration: Declaration) -> list[str]:
    """What the declaration says and the page does not, as it would have to stand there."""
    settings = [f"| `{setting.name}` |" for setting in declaration.settings]
    abilities = [
        f"| `{name}` | {spelled(getattr(declaration, name))} |"
        for name in declaration.__struct_fields__
        if name not in ELSEWHERE and not (name in RARE and not getattr(declaration, name))
    ]
    finds = [f"`{find.value}`" for find in declaration.find]
    return [wanted for wanted in (*settings, *abilities, *finds) if wanted not in page]


def spelled(value: object) -> str:
    """A value of a declaration as the pages write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "no"
    if isinstance(value, Webhook):
        return value.signature
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_the_page_of_a_connector_says_what_it_declares(name: str) -> None:
    page = repository.texts()[f"docs/connectors/{name}.md"]
    assert missing_from(page, CATALOG[name].declaration) == []


def test_there_is_no_page_without_a_connector() -> None:
    pages = {path for path in repository.texts() if path.startswith("docs/connectors/")}
    assert pages == {f"docs/connectors/{name}.md" for name in CATALOG}


def test_the_guide_explains_every_field_of_a_declaration() -> None:
    page = repository.texts()["docs/CONNECTORS.md"]
    assert [name for name in Declaration.__struct_fields__ if f"| `{name}` |" not in page] == []


def test_what_is_missing_is_named() -> None:
    declaration = msgspec.structs.replace(CATALOG["csv"].declaration, settings=(), batch_max=7)
    assert "| `batch_max` | 7 |" in missing_from("| `concurrency` | 2 |", declaration)
