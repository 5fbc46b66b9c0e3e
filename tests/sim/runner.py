"""The simulation from the command line: many seeds on all cores, or one of them again with its whole story."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.sim.simulation import simulate
from tests.sim.world import Outcome

TRACE_LINES = 40
CHUNK = 5
PROGRESS_EVERY_S = 5.0


@dataclass(frozen=True)
class Told:
    """What is left of a seed once it was run: small enough to pass between processes. `story`: "" if all held."""

    seed: int
    drawn: tuple[str, ...]
    rounds: int
    story: str


@dataclass
class Figures:
    """What many seeds came to."""

    seeds: int = 0
    failed: list[int] = field(default_factory=list)
    drawn: Counter[str] = field(default_factory=Counter)
    rounds: list[int] = field(default_factory=list)
    took_s: float = 0.0

    def add(self, told: Told) -> None:
        """Count one seed."""
        self.seeds += 1
        self.drawn.update(told.drawn)
        self.rounds.append(told.rounds)
        if told.story:
            self.failed.append(told.seed)

    def lines(self) -> Iterator[str]:
        """For people: seeds, faults by kind, rounds to be in step, speed."""
        yield f"{self.seeds} seeds, {len(self.failed)} failed: {sorted(self.failed)}"
        yield "faults drawn, by seeds that had them: " + ", ".join(
            f"{name} {count}" for name, count in sorted(self.drawn.items())
        )
        rounds = sorted(self.rounds) or [0]
        yield f"rounds to be in step once faults had ended: p50 {rounds[len(rounds) // 2]}, max {rounds[-1]}"
        yield f"{self.seeds / max(self.took_s, 1e-9):.1f} seeds per second ({self.took_s:.0f} s)"


def report(outcome: Outcome, lines: int = TRACE_LINES) -> str:
    """A failing seed: what it drew, what was broken, and the end of the story up to the first violation with a time."""
    told = [f"seed {outcome.seed}: {len(outcome.violations)} violations"]
    told.append(f"  drawn: {', '.join(outcome.drawn) or 'nothing'}")
    told += [f"  {violation}" for violation in outcome.violations]
    until = min((violation.at for violation in outcome.violations if violation.at), default=float("inf"))
    story = [line for line in outcome.trace if float(line[:11]) <= until + 0.001]
    told += [f"    {line}" for line in story[-lines:]]
    told.append(f"  replay: python -m tests.sim --seed {outcome.seed} --trace")
    return "\n".join(told)


def run_one(seed: int) -> Told:
    """Run one seed. What it raises is told of it, and does not end the run of the others."""
    try:
        outcome = simulate(seed)
    except Exception:
        return Told(seed, (), 0, f"seed {seed}: {traceback.format_exc()}")
    return Told(seed, outcome.drawn, outcome.rounds, report(outcome) if outcome.violations else "")


def prepare() -> None:
    """Nothing that was imported is ever garbage, and little of a seed is before its end."""
    gc.freeze()
    gc.set_threshold(50_000)


def run_many(seeds: Iterable[int], workers: int) -> Iterator[Told]:
    """Run seeds, each in one of so many processes, as they come in."""
    if workers <= 1:
        yield from map(run_one, seeds)
        return
    # Not forked: a fresh interpreter holds nothing of whoever calls.
    with multiprocessing.get_context("spawn").Pool(workers, initializer=prepare) as pool:
        yield from pool.imap_unordered(run_one, seeds, chunksize=CHUNK)


def figures(seeds: Sequence[int], workers: int, tell: Callable[[str], None] = print) -> Figures:
    """Run seeds, tell of each that fails, and say what all came to. Progress goes to the error stream."""
    found, began, said = Figures(), time.monotonic(), time.monotonic()
    for told in run_many(seeds, workers):
        found.add(told)
        found.took_s = time.monotonic() - began
        if told.story:
            tell(told.story)
        if time.monotonic() - said >= PROGRESS_EVERY_S:
            said = time.monotonic()
            per_s = found.seeds / found.took_s
            text = f"{found.seeds}/{len(seeds)} seeds, {len(found.failed)} failed, {per_s:.1f} per second"
            print(text, file=sys.stderr, flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every invariant held; 1: some did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: the whole story")
    chosen = parser.parse_args(arguments)
    if chosen.seed is None:
        found = figures(range(chosen.first, chosen.first + chosen.seeds), chosen.workers)
        print("\n".join(found.lines()))
        return 1 if found.failed else 0
    outcome = simulate(chosen.seed)
    if chosen.trace:
        print("\n".join(outcome.trace))
    print(report(outcome, 0 if chosen.trace else TRACE_LINES))
    return 1 if outcome.violations else 0
