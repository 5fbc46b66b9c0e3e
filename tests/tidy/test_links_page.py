"""docs/LINKS.md says what the code does: the table of steps is the one of the pure core, and every word of `setup` is
there.
"""

from __future__ import annotations

import re

from actors.core.blueprint.setup_entries import SETUP
from actors.core.lifecycle import TRANSITIONS
from actors.core.permissions import Mode
from actors.core.setup import CheckKind
from tests.tidy import repository

PAGE = "docs/LINKS.md"


def table() -> str:
    """The steps as the page has to show them."""
    rows = [f"| `{now}` | `{step}` | `{after}` |" for (now, step), after in TRANSITIONS.items()]
    return "\n".join(["| it is | and somebody says | then it is |", "|---|---|---|", *rows])


def test_the_steps_on_the_page_are_those_of_the_core() -> None:
    page = repository.texts()[PAGE]
    found = re.search(r"<!-- transitions -->\n(.*)\n<!-- transitions end -->", page, re.DOTALL)
    assert found is not None and found[1] == table(), f"it should be\n{table()}"


def test_every_entry_check_and_mode_is_explained() -> None:
    page = repository.texts()[PAGE]
    words = [f"`{kind.value}`" for kind in CheckKind]
    words += [f"| {mode.value} | " for mode in Mode]
    entries = [f"\n  {entry.name}:" for entry in SETUP]
    assert [word for word in (*words, *entries) if word not in page] == []
