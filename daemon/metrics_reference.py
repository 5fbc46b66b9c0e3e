"""Writes docs/METRICS.md from the table of metrics: `python -m daemon.metrics_reference`. A test compares."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from daemon.metrics import COUNTED, LOOKED_UP, Declared

PAGE: Final = Path(__file__).parents[1] / "docs" / "METRICS.md"
_HEAD: Final = """# Metrics

Written by `python -m daemon.metrics_reference` from `daemon/metrics.py`; edit that. The daemon serves them on
`http_listen` (127.0.0.1:9464) under `/metrics`; beside them are `process_*` (memory, CPU, open files) and `python_gc_*`.
Dashboard, alert rules and a scrape configuration are in `deploy/`.

`link` and `connection` are names, `<tenant>/<name>`; `side` is `a` or `b`. There is never an id of a record in a label.
"""
_COUNTED: Final = """
## Counted as it happens

They begin at zero when the process starts (and when a link is created), so that `rate()` and `increase()` miss nothing.
"""
_LOOKED_UP: Final = """
## Looked up when asked for

They come from the database, so they are the same from every process that shares it, and true after a restart. Without
a database, `tandem_store_up` is 0 and those that need it are missing.
"""


def page() -> str:
    """The whole page."""
    return "".join((_HEAD, _COUNTED, _table(COUNTED), _LOOKED_UP, _table(LOOKED_UP)))


def _table(metrics: Iterable[Declared]) -> str:
    rows = [f"| `{one.name}` | {one.kind} | {_labels(one)} | {one.doc} |" for one in metrics]
    return "\n".join(("", "| metric | kind | labels | meaning |", "|---|---|---|---|", *rows, ""))


def _labels(one: Declared) -> str:
    return ", ".join(f"`{label}`" for label in one.labels)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
