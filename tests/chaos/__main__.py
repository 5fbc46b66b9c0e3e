"""Chaos on real processes: `python -m tests.chaos --kills 50 --records 10000 --seed N` (`make chaos`).

Real tandemd processes between two real databases with people working in both, killed and frozen at random moments; then
an auditor that knows nothing of Tandem. The last line is a summary of figures as JSON; exit status 0 only if nothing was
found. `--seed` repeats the choices; the machine's timing stays its own.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from tests.chaos.acts import Ending, kills, load, takeovers
from tests.chaos.proxy import slow_line
from tests.chaos.stand import Stand, stand_on
from tests.chaos.storm import Peaks, storm, told
from tests.connectors.pgserver import running_server

SHOWN = 40


def main() -> int:
    """0: nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="SIGKILLs; a fifth more in bulk loading")
    parser.add_argument(
        "--records", type=int, help="people, before anybody is added (10000; in a storm 1000)"
    )
    parser.add_argument(
        "--takeovers", type=int, default=8, help="frozen owners (with a fifth of the records)"
    )
    parser.add_argument("--seed", type=int, default=0, help="repeats the choices; 0 = a new one")
    parser.add_argument("--storm", action="store_true", help="a storm of hints and a slow side, no kills")
    parser.add_argument("--hints", type=int, default=100_000, help="saves of a record in the storm")
    chosen = parser.parse_args()
    seed = chosen.seed or random.SystemRandom().randrange(1, 10**9)
    folder = Path(tempfile.mkdtemp(prefix="tandem-chaos-"))
    folder.chmod(0o755)  # the daemon's own PostgreSQL may run as another user
    with running_server() as server:
        if chosen.storm:
            summary = anyio.run(blow, server, folder, seed, chosen.records or 1000, chosen.hints)
        else:
            records = chosen.records or 10_000
            summary = anyio.run(play, server, folder, seed, chosen.kills, chosen.takeovers, records)
    for line in summary["found"][:SHOWN]:
        print(f"found: {line}")
    if summary["found"]:
        print(f"{len(summary['found'])} found; everything is kept in {folder}")
        summary["found"] = summary["found"][:SHOWN]
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(summary))
    return 1 if summary["found"] else 0


async def play(
    server: str, folder: Path, seed: int, kills_: int, takeovers_: int, records: int
) -> dict[str, Any]:
    """All three acts; their figures in one summary."""
    began = time.monotonic()
    killed = await _act(server, folder / "kills", seed, False, lambda stand: kills(stand, records, kills_))
    frozen = await _act(
        server, folder / "takeovers", seed, True, lambda stand: takeovers(stand, records // 5, takeovers_)
    )
    filled = await _act(
        server, folder / "load", seed, False, lambda stand: load(stand, records, max(1, kills_ // 5))
    )
    (victims, first), (thawed, second), (hit, third) = killed, frozen, filled
    endings = (first, second, third)
    return {
        "seed": seed,
        "kills": {name: n + hit.mishaps.kills[name] for name, n in victims.mishaps.kills.items()},
        "takeovers": thawed.mishaps.takeovers,
        "records": sum(one.records for one in endings),
        "writes_by_people": sum(one.by_people for one in endings),
        "writes_by_tandem": sum(one.by_tandem for one in endings),
        "made_in_bulk": third.in_bulk,
        "conflicts_listed": sum(one.conflicts for one in endings),
        "conflicts_decided": sum(one.decided for one in endings),
        "outcome_unknown": sum(one.outcome_unknown for one in endings),
        "kill_to_settled_s": spread(first.recovery),
        "freeze_to_settled_s": spread(second.recovery),
        "in_step_after_s": [round(one.settling_s, 1) for one in endings],
        "duration_s": round(time.monotonic() - began, 1),
        "found": [line for one in endings for line in one.found],
    }


async def blow(server: str, folder: Path, seed: int, records: int, hints: int) -> dict[str, Any]:
    """The storm; its figures."""
    began = time.monotonic()
    peaks = Peaks()

    async def act(stand: Stand) -> Ending:
        nonlocal peaks
        async with slow_line(stand.systems[1].url) as (line, address):
            stand.systems[1].address = address
            ending, peaks = await storm(stand, line, records, hints)
            await anyio.to_thread.run_sync(stand.close)  # while the line is there
            return ending

    _, ending = await _act(server, folder / "storm", seed, False, act)
    return {
        "seed": seed,
        "records": ending.records,
        **told(peaks, ending),
        "writes_by_tandem": ending.by_tandem,
        "duration_s": round(time.monotonic() - began, 1),
        "found": ending.found,
    }


async def _act(
    server: str, folder: Path, seed: int, is_shared: bool, act: Callable[[Stand], Awaitable[Ending]]
) -> tuple[Stand, Ending]:
    """One act on a stand of its own; what goes wrong with the play itself is found, too."""
    async with stand_on(server, folder, seed, is_shared=is_shared) as stand:
        print(f"{folder.name}: seed {seed}", flush=True)
        try:
            ending = await act(stand)
        except Exception:
            ending = Ending(found=[traceback.format_exc()])
        print(f"{folder.name}: {len(ending.found)} found", flush=True)
        return stand, ending


def spread(values: list[float]) -> dict[str, float]:
    """The middle one and the largest."""
    if not values:
        return {}
    return {"p50": round(statistics.median(values), 2), "max": round(values[-1], 2)}


if __name__ == "__main__":
    sys.exit(main())
