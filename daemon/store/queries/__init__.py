"""The SQL of the store: one file per area, each query under a `-- name` line of its own.

Owns loading and the only substitutions: `{side}` and `{level}`, which are checked, never user text, and four parts that
many statements begin with. `{fence}`: the link's row, shared, where the lease $1, $2, $3 (link, owner, epoch) is still
held; a statement that hangs all its work on it changes nothing under a lost lease, in one round trip. `{late}`: this
transaction is not waited for at the disk; whatever is committed after it carries it along. `{stream}`: the number of
stream $2 of link $1, and `{streams}` those of all its streams.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

FOLDER = Path(__file__).parent
FENCE = """fence as materialized (
    select 1
    from links
    where id = $1 and owner = $2 and epoch = $3 and lease_until > clock_timestamp()
    for share
)"""
LATE = "late as materialized (select set_config('synchronous_commit', 'off', true))"
STREAM = "(select id from streams where link = $1 and name = $2)"
STREAMS = "(select id from streams where link = $1)"
_HEADER = re.compile(r"^-- ([a-z][a-z0-9_]*)$", re.MULTILINE)


@functools.cache
def sql(name: str, side: str = "a", level: int = 0) -> str:
    """The query; `{side}` becomes the side's column prefix, `{level}` the 1-based place in an array of keys."""
    if side not in {"a", "b"}:
        raise ValueError(f"{side!r} is no side")
    text = _all()[name].replace("{side}", side).replace("{level}", str(level + 1))
    for part, stands_for in (
        ("{fence}", FENCE),
        ("{late}", LATE),
        ("{stream}", STREAM),
        ("{streams}", STREAMS),
    ):
        text = text.replace(part, stands_for)
    return text


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
