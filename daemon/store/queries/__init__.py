"""The SQL of the store: one file per area, each query under a `-- name` line of its own.

Owns loading and the one kind of substitution: `{side}` and `{level}`, which are checked, never user text.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

FOLDER = Path(__file__).parent
_HEADER = re.compile(r"^-- ([a-z][a-z0-9_]*)$", re.MULTILINE)


@functools.cache
def sql(name: str, side: str = "a", level: int = 0) -> str:
    """The query; `{side}` becomes the side's column prefix, `{level}` the 1-based place in an array of keys."""
    if side not in {"a", "b"}:
        raise ValueError(f"{side!r} is no side")
    return _all()[name].replace("{side}", side).replace("{level}", str(level + 1))


@functools.cache
def _all() -> dict[str, str]:
    queries: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.sql")):
        for name, text in parse(path.read_text("utf-8")):
            if name in queries:
                raise ValueError(f"{path.name}: there is a query {name} already")
            queries[name] = text
    return queries


def parse(text: str) -> list[tuple[str, str]]:
    """(name, query) pairs; what stands before the first header is a comment on the file."""
    parts = _HEADER.split(text)[1:]
    return [(name, body.strip().rstrip(";")) for name, body in zip(parts[::2], parts[1::2], strict=True)]
