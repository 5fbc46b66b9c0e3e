"""What a planted fault is, as data, and whether it still fits the code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """One edit of the product that switches one mechanism off.

    `scenario`: row of docs/decisions/redteam.md. `fault`: what is wrong with the code then. `old`: text that stands in
    `file` exactly once; `new` takes its place. `tests`: of these (ids as pytest knows them) at least one has to fail.
    """

    scenario: int
    fault: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def planted(self, text: str) -> str:
        """The file's text with the fault; ValueError where the old text does not stand there exactly once."""
        count = text.count(self.old)
        if count != 1:
            raise ValueError(f"{self.file}: {count} times instead of once: {self.old!r}")
        return text.replace(self.old, self.new)


def stale(mutants: tuple[Mutant, ...], root: Path) -> list[str]:
    """Mutants that don't fit the code any more, in words."""
    found = []
    for mutant in mutants:
        try:
            text = (root / mutant.file).read_text(encoding="utf-8")
            planted = mutant.planted(text)
        except (OSError, ValueError) as error:
            found.append(f"{mutant.scenario} {mutant.fault}: {error}")
            continue
        if mutant.file.endswith(".py"):
            compile(planted, mutant.file, "exec")  # a fault that is no Python proves nothing
    return found
