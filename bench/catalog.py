"""THE list of figures: name, unit, what has to be reached and what is aimed at, and what is measured beside it.

Must not: measure anything.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One figure. `must`: the limit it has to keep, `aim`: what it should become; both in `unit`.

    `floor`: what is measured beside it in the same run and given in the same unit, in words; "" where that is nothing.
    """

    name: str
    unit: str
    must: float
    aim: float
    floor: str = ""
    more_is_better: bool = False

    def kept(self, value: float) -> bool:
        """Whether a value is as good as it has to be."""
        return value >= self.must if self.more_is_better else value <= self.must


# Of each pair: the most requests per record of a load that may be needed, and how many it should be. What is read comes by
# the thousand, and is looked at once more before anything is made of it; Uniconta and Winestro take one record per request,
# Sales Management 200, and does not show what it made of them. Tribe does not show the parts of a new record: they are
# looked at, 20 in a request, and a country is asked for once in a batch of 40. SelectLine is asked for thirty by number.
PAIRS: dict[str, tuple[float, float]] = {
    "webcrm-uniconta": (1.02, 1.005),
    "sage50fr-sage-sales-management": (0.012, 0.008),
    "winestro-accounts": (1.02, 1.005),
    "tribe-winbooks": (1.12, 1.06),
    "selectline-cloudkasse": (1.06, 1.025),
}

SILENT = ("selectline-cloudkasse",)  # neither system calls anybody
LIMITED = (
    "sage50fr-sage-sales-management",
)  # one side is a folder, of the other a plan says how much it answers


def _of_pair(pair: str, most: float, aim: float) -> tuple[Figure, ...]:
    loads = [
        Figure(f"pair_load_over_script:{pair}", "x", 1.5, 1.2),
        Figure(f"requests_per_record:{pair}", "", most, aim, "the script"),
    ]
    if pair not in LIMITED:
        loads.append(Figure(f"pair_load_at_20ms_over_script:{pair}", "x", 1.5, 1.2))
    if pair in SILENT:
        return tuple(loads)
    return (
        *loads,
        Figure(f"webhook_to_write_p50_ms:{pair}", "ms", 25, 10, "the relay's own, taken off,"),
        Figure(f"webhook_to_write_p99_ms:{pair}", "ms", 100, 40, "the relay's own, taken off,"),
    )


# In the order in which they are measured: a link that was loaded for one is used by the next.
FIGURES: tuple[Figure, ...] = (
    Figure("noop_ms_10k", "ms", 50, 10, "the script finding nothing new"),
    Figure("change_latency_p50_over_relay", "x", 2, 1.25),
    Figure("change_latency_p99_over_relay", "x", 2, 1.25),
    Figure("load_100k_over_copy", "x", 4, 2.5, "the floor script"),
    Figure("noop_ms_100k", "ms", 50, 10, "the script finding nothing new"),
    Figure("delta_1pct_over_script", "x", 3, 1.5),
    Figure("both_1pct_over_script", "x", 4, 2),
    Figure("load_1m_over_copy", "x", 4, 2, "the floor script"),
    Figure("noop_ms_1m", "ms", 50, 10, "the script finding nothing new"),
    Figure("full_read_rows_per_s", "rows/s", 150_000, 450_000, "COPY of both tables, discarded", True),
    Figure("rss_mb_1m", "MB", 250, 120, "the daemon just started"),
    Figure("idle_link_bytes", "bytes", 10_240, 1_024),
    Figure("grpc_status_over_echo", "x", 0.7, 0.9, "", True),
    *(Figure(f"load_over_script_{connector}", "x", 1.5, 1.2) for connector in ("rest", "odata")),
    *(figure for pair, (most, aim) in PAIRS.items() for figure in _of_pair(pair, most, aim)),
)
NAMES: tuple[str, ...] = tuple(figure.name for figure in FIGURES)


def figure(name: str) -> Figure:
    """The figure of that name; KeyError where there is none."""
    return {one.name: one for one in FIGURES}[name]
