"""`python -m examples.quickstart.sql "SELECT ..."`: speak to the quickstart's CRM while `make run` is up."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
import asyncpg

from examples.quickstart.__main__ import ROOT


async def main(statement: str) -> int:
    """Run one statement and print what it answers, a line a row."""
    settings = Path(ROOT, "crm.json")
    if not settings.exists():
        print("the quickstart is not set up: start it with `make run`", file=sys.stderr)
        return 1
    try:
        crm = await asyncpg.connect(json.loads(settings.read_text())["url"])
    except OSError:
        print("the CRM is not up: start it with `make run`", file=sys.stderr)
        return 1
    try:
        for row in await crm.fetch(statement):
            print(" | ".join("" if value is None else str(value) for value in row.values()))
    except asyncpg.PostgresError as error:
        print(f"the CRM said: {error}", file=sys.stderr)
        return 1
    finally:
        await crm.close()
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('usage: python -m examples.quickstart.sql "SELECT ..."')
    sys.exit(anyio.run(main, sys.argv[1]))
