"""Writes what is made from the tables of blueprint entries: docs/blueprint.schema.json, and the tables of entries and lenses
in docs/BLUEPRINTS.md. `python -m daemon.blueprint_reference`; a test compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from actors.core.blueprint.entries import EFFECT, FIELD, GATE, LINK, SIDE, STREAM
from actors.core.blueprint.entries_lines import lines_table
from actors.core.blueprint.entries_objects import OBJECT
from actors.core.blueprint.entries_rules import REQUIRED
from actors.core.blueprint.entries_when import SCHEDULE
from actors.core.blueprint.forms import Entry
from actors.core.blueprint.lens_words import WORDS
from actors.core.blueprint.schema import schema
from actors.core.blueprint.setup_entries import CHECK, PLACE, SETTING, SETUP

DOCS: Final = Path(__file__).parents[1] / "docs"
SCHEMA: Final = DOCS / "blueprint.schema.json"
PAGE: Final = DOCS / "BLUEPRINTS.md"
TABLES: Final[Mapping[str, Sequence[Entry]]] = {
    "link": LINK,
    "side": SIDE,
    "schedule": SCHEDULE,
    "stream": STREAM,
    "object": OBJECT,
    "required": REQUIRED,
    "gate": GATE,
    "effect": EFFECT,
    "field": FIELD,
    "lines": lines_table(FIELD),
    "setup": SETUP,
    "check": CHECK,
    "setting": SETTING,
    "place": PLACE,
}
_MARKED: Final = re.compile(r"<!-- table: (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def page(text: str) -> str:
    """The page with its marked tables written anew."""
    return _MARKED.sub(lambda found: f"<!-- table: {found[1]} -->\n{_table(found[1])}<!-- end -->", text)


def schema_text() -> str:
    """The schema as it stands in its file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _table(name: str) -> str:
    if name == "lenses":
        rows: Iterable[str] = (f"| `{one.example}` | {one.means} | {one.notes} |" for one in WORDS.values())
        return "\n".join(("| lens | native -> shared | notes |", "|---|---|---|", *rows, ""))
    head = ("| entry | meaning | where nothing is said | example | rows |", "|---|---|---|---|---|")
    return "\n".join((*head, *map(_row, TABLES[name]), ""))


def _row(entry: Entry) -> str:
    absent = "required" if entry.required else entry.absent
    example = f"`{entry.example}`" if entry.example else ""
    return f"| `{entry.name}` | {entry.doc} | {absent} | {example} | {', '.join(entry.rows)} |"


def main() -> None:
    """Write both."""
    SCHEMA.write_text(schema_text(), "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
