"""The simulation from the command line: many seeds, or one of them again with its whole story."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from tests.sim.simulation import simulate
from tests.sim.world import Outcome

TRACE_LINES = 40


def report(outcome: Outcome, lines: int = TRACE_LINES) -> str:
    """A failing seed: what was broken, and the end of the story up to the first violation that has a time."""
    told = [f"seed {outcome.seed}: {len(outcome.violations)} violations"]
    told += [f"  {violation}" for violation in outcome.violations]
    until = min((violation.at for violation in outcome.violations if violation.at), default=float("inf"))
    story = [line for line in outcome.trace if float(line[:11]) <= until + 0.001]
    told += [f"    {line}" for line in story[-lines:]]
    told.append(f"  replay: python -m tests.sim --seed {outcome.seed} --trace")
    return "\n".join(told)


def failing(seeds: Sequence[int], tell: Callable[[str], None] = print) -> list[Outcome]:
    """Run seeds, tell of each that fails, and return those."""
    found = []
    for seed in seeds:
        outcome = simulate(seed)
        if outcome.violations:
            tell(report(outcome))
            found.append(outcome)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every invariant held; 1: some did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: the whole story")
    chosen = parser.parse_args(arguments)
    if chosen.seed is None:
        failed = failing(range(chosen.first, chosen.first + chosen.seeds))
        print(f"{chosen.seeds} seeds, {len(failed)} failed: {[outcome.seed for outcome in failed]}")
        return 1 if failed else 0
    outcome = simulate(chosen.seed)
    if chosen.trace:
        print("\n".join(outcome.trace))
    print(report(outcome, 0 if chosen.trace else TRACE_LINES))
    return 1 if outcome.violations else 0
