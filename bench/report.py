"""What the bench says: one JSON line per figure, and its row in the table of docs/BENCHMARKS.md. Must not: measure."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.catalog import NAMES, Figure, figure

PAGE = Path(__file__).resolve().parents[1] / "docs" / "BENCHMARKS.md"
FIGURES, MACHINE = "figures", "machine"  # the parts of the page that are written here
HEAD = "| figure | value | min to max | must | aim | beside it | command |\n|---|---|---|---|---|---|---|\n"
_ROW = re.compile(r"^\| `([\w:-]+)` \|.*\|$", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """A measured figure. `floor` as the catalogue says; `notes`: what else was seen, for the table."""

    name: str
    values: tuple[float, ...]
    floor: float | None = None
    notes: str = ""
    pooled: float | None = None  # where the value is not the median of the runs

    @property
    def value(self) -> float:
        """The median of the runs."""
        return median(self.values) if self.pooled is None else self.pooled


def line(result: Result) -> str:
    """The JSON line of a figure."""
    known = figure(result.name)
    return json.dumps(
        {
            "figure": result.name,
            "value": _rounded(result.value),
            "unit": known.unit,
            "limit": known.must,
            "floor": None if result.floor is None else _rounded(result.floor),
            "runs": len(result.values),
            "min": _rounded(min(result.values)),
            "max": _rounded(max(result.values)),
        }
    )


def write_page(results: Sequence[Result], page: Path = PAGE) -> None:
    """Put the rows of these figures into the table; the others stay as they are."""
    text = page.read_text(encoding="utf-8")
    rows = rows_of(text) | {result.name: _row(result) for result in results}
    body = "\n".join(rows.get(name, _unmeasured(figure(name))) for name in NAMES)
    text = _between(text, FIGURES, f"{HEAD}{body}")
    page.write_text(_between(text, MACHINE, machine()), encoding="utf-8")


def machine() -> str:
    """What was measured on, as far as the system tells."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return (
        f"{os.cpu_count()} processors ({model[1].strip() if model else platform.machine()}), {memory_gib:.0f} GiB of memory,"
        f" Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}."
    )


def _markers(what: str) -> tuple[str, str]:
    return f"<!-- {what}: written by make bench -->", f"<!-- /{what} -->"


def _between(text: str, what: str, body: str) -> str:
    """The text with `body` between the markers of `what`."""
    begin, end = _markers(what)
    before, rest = text.split(begin)
    return f"{before}{begin}\n{body}\n{end}{rest.split(end)[1]}"


def rows_of(text: str) -> dict[str, str]:
    """Figure -> its row in the table of figures, as it stands in the page."""
    begin, end = _markers(FIGURES)
    return {match[1]: match[0] for match in _ROW.finditer(text.partition(begin)[2].partition(end)[0])}


def kept(result: Result) -> bool:
    """Whether the figure is as good as it has to be."""
    return figure(result.name).kept(result.value)


def _row(result: Result) -> str:
    known = figure(result.name)
    beside = [f"{known.floor}: {_shown(result.floor)}"] if result.floor is not None else []
    beside += [result.notes] if result.notes else []
    span = f"{_shown(min(result.values))} to {_shown(max(result.values))}"
    value = _shown(result.value) if known.kept(result.value) else f"**{_shown(result.value)}** (short)"
    return _cells(known, value, f"{span} ({len(result.values)} runs)", "; ".join(beside))


def _unmeasured(known: Figure) -> str:
    return _cells(known, "not measured", "", "")


def _cells(known: Figure, value: str, span: str, beside: str) -> str:
    must = f"{'over' if known.more_is_better else 'under'} {_shown(known.must)} {known.unit}"
    command = f"`make bench FIGURES={known.name}`"
    cells = (f"`{known.name}`", value, span, must, f"{_shown(known.aim)}", beside, command)
    return f"| {' | '.join(cells)} |"


def _rounded(value: float) -> float:
    """Four figures, as far as any of this is steady."""
    return float(f"{value:.4g}")


def _shown(value: float) -> str:
    return f"{_rounded(value):,.10g}"
