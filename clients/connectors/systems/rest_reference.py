"""Writes what is made from the tables of the connector `rest`: docs/rest.schema.json, for editors, and the tables of
docs/connectors/rest.md. `python -m clients.connectors.systems.rest_reference`; a test compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from actors.core.blueprint.forms import Entry
from actors.core.blueprint.schema import table_schema
from clients.connectors.systems import rest_entries as entries

DOCS: Final = Path(__file__).parents[3] / "docs"
SCHEMA: Final = DOCS / "rest.schema.json"
PAGE: Final = DOCS / "connectors" / "rest.md"
TABLES: Final[Mapping[str, Sequence[Entry]]] = {
    "declaration": entries.DECLARATION,
    "auth": entries.AUTH,
    "limits": entries.LIMITS,
    "promises": entries.PROMISES,
    "answer": entries.ANSWER,
    "literals": entries.LITERALS,
    "webhook": entries.WEBHOOK,
    "object": entries.OBJECT,
    "request": entries.asked("each has its own"),
    "list": entries.LIST[len(entries.asked("")) :],
    "paging": entries.PAGING,
    "look": entries.LOOK[len(entries.asked("")) :],
    "find": entries.FIND[len(entries.asked("")) :],
    "modified": entries.MODIFIED[len(entries.asked("")) :],
    "create": entries.CREATE[len(entries.asked("")) :],
    "update": entries.UPDATE[len(entries.asked("")) :],
    "field": entries.FIELD,
    "lines": entries.LINES,
}
_MARKED: Final = re.compile(r"<!-- table: (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def page(text: str) -> str:
    """The page with its marked tables written anew."""
    return _MARKED.sub(lambda found: f"<!-- table: {found[1]} -->\n{_table(found[1])}<!-- end -->", text)


def schema_text() -> str:
    """The schema as it stands in its file."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Declaration of the Tandem connector rest",
        "description": "What a JSON REST API offers. Made from the loader's tables: make docs.",
    }
    whole = {**head, **table_schema(entries.DECLARATION, asks_settings=False)}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _table(name: str) -> str:
    head = ("| entry | meaning | where nothing is said |", "|---|---|---|")
    return "\n".join((*head, *map(_row, TABLES[name]), ""))


def _row(entry: Entry) -> str:
    example = f", as in `{entry.example}`" if entry.example else ""
    absent = "required" if entry.required else entry.absent
    return f"| `{entry.name}` | {entry.doc}{example} | {absent} |"


def main() -> None:
    """Write both."""
    SCHEMA.write_text(schema_text(), "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
