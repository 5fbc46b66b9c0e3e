"""Plants the faults one by one, in copies of the tree, and runs the tests that must notice each.

A mutant is caught when one of its tests fails. It survives when all pass, is stale when its text is not in the file exactly
once, and broken when its tests can't be run at all. All named tests have to pass without any fault first.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from tests.mutants import nursery
from tests.mutants.catalog import MUTANTS
from tests.mutants.mutant import Mutant, stale

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("actors", "clients", "daemon", "proto", "tests")
TEST_TIMEOUT_S = 40  # a fault may well make something wait for ever
RUN_TIMEOUT_S = 900
FAILED, PASSED = 1, 0  # pytest's exit status


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant. `by`: the first test that noticed, or what went wrong."""

    mutant: Mutant
    state: str  # caught | survived | broken
    by: str
    took_s: float


class Tree:
    """A copy of the packages in which faults are planted."""

    def __init__(self, source: Path, place: Path) -> None:
        self._place = place
        self._stamp = int(time.time())
        for package in PACKAGES:
            if (source / package).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source / package, place / package, ignore=ignored)
        shutil.copy(source / "pyproject.toml", place / "pyproject.toml")
        self._nursery = subprocess.Popen(
            [sys.executable, "-I", nursery.__file__],
            cwd=place,
            env={**os.environ, "CI": "1"},  # the same examples each time
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def judge(self, mutant: Mutant) -> Verdict:
        """Plant, run, take out again."""
        began = time.monotonic()
        path = self._place / mutant.file
        text = path.read_text(encoding="utf-8")
        try:
            self._write(path, mutant.planted(text))
            status, said = self.tested(mutant.tests, "-x")
        finally:
            self._write(path, text)
        state = {FAILED: "caught", PASSED: "survived"}.get(status, "broken")
        by = _first_failure(said) if state == "caught" else said.strip()[-300:] if state == "broken" else ""
        return Verdict(mutant, state, by, time.monotonic() - began)

    def tested(self, tests: Iterable[str], *options: str) -> tuple[int, str]:
        """Run tests of the copy: pytest's exit status and what it said."""
        plain = ["-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", f"--timeout={TEST_TIMEOUT_S}"]
        plain += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # plugins are loaded already
        said = self._place / "said"
        request = {
            "arguments": [*plain, *options, *tests],
            "said": str(said),
            "timeout_s": RUN_TIMEOUT_S,
        }
        assert self._nursery.stdin is not None and self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps(request) + "\n")
        self._nursery.stdin.flush()
        status = int(self._nursery.stdout.readline())
        return status, said.read_text(encoding="utf-8", errors="replace") if said.exists() else ""

    def close(self) -> None:
        """End what runs the tests."""
        assert self._nursery.stdin is not None and self._nursery.stdout is not None
        self._nursery.stdin.close()
        self._nursery.wait(timeout=60)
        self._nursery.stdout.close()

    def _write(self, path: Path, text: str) -> None:
        """Python tells compiled files apart by whole seconds and size: every state of a file gets a second of its own."""
        path.write_text(text, encoding="utf-8")
        self._stamp += 1
        os.utime(path, (self._stamp, self._stamp))


def run(
    mutants: Sequence[Mutant], source: Path, jobs: int, tell: Callable[[str], None] = print
) -> list[Verdict]:
    """Judge all of them; each job works in a tree of its own. Raises where a named test fails without any fault."""
    waiting: SimpleQueue[Mutant] = SimpleQueue()
    for mutant in mutants:
        waiting.put(mutant)
    verdicts: list[Verdict] = []
    faults: list[str] = []
    everything = sorted({test for mutant in mutants for test in mutant.tests})

    def work(number: int, tree: Tree) -> None:
        mine = everything[number::jobs]
        status, said = tree.tested(mine, "--timeout=300") if mine else (PASSED, "")
        if status != PASSED:
            faults.append(f"without any fault the named tests have to pass, and did not:\n{said}")
        while not faults:
            try:
                verdict = tree.judge(waiting.get_nowait())
            except Empty:
                return
            verdicts.append(verdict)
            tell(_line(verdict))

    with tempfile.TemporaryDirectory(prefix="tandem-mutants-") as folder:
        Path(folder).chmod(0o755)  # servers that tests start may run as another user
        trees = [Tree(source, Path(folder) / str(number)) for number in range(jobs)]
        threads = [threading.Thread(target=work, args=(n, tree)) for n, tree in enumerate(trees)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for tree in trees:
            tree.close()
    if faults:
        raise AssertionError(faults[0])
    return sorted(verdicts, key=lambda one: (one.mutant.scenario, one.mutant.fault))


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every fault was caught; 1: not."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many trees at once")
    parser.add_argument("--only", type=int, nargs="*", help="scenarios (rows of the table); else all")
    chosen = parser.parse_args(arguments)
    mutants = [one for one in MUTANTS if chosen.only is None or one.scenario in chosen.only]
    if old := stale(tuple(mutants), ROOT):
        print("\n".join(f"stale: {one}" for one in old))
        return 1
    began = time.monotonic()
    try:
        verdicts = run(mutants, ROOT, max(1, chosen.jobs))
    except AssertionError as error:
        print(error)
        return 1
    bad = [one for one in verdicts if one.state != "caught"]
    scenarios = len({one.mutant.scenario for one in verdicts})
    print(
        f"{len(verdicts)} faults for {scenarios} scenarios, {len(verdicts) - len(bad)} caught, {len(bad)} not,"
        f" in {time.monotonic() - began:.0f} s"
    )
    for one in bad:
        print(f"{one.state}: {one.mutant.scenario} {one.mutant.fault} ({one.mutant.file}) {one.by}")
    return 1 if bad else 0


def _line(verdict: Verdict) -> str:
    mutant = verdict.mutant
    return f"{mutant.scenario:3} {verdict.state:8} {verdict.took_s:5.1f} s  {mutant.fault}  <- {verdict.by or mutant.file}"


def _first_failure(said: str) -> str:
    """The name of the first test that pytest's summary lists."""
    for line in said.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.split(" ", 2)[1].rpartition("::")[2]
    return "a test that never came to an end"
