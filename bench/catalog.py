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
)
NAMES: tuple[str, ...] = tuple(figure.name for figure in FIGURES)


def figure(name: str) -> Figure:
    """The figure of that name; KeyError where there is none."""
    return {one.name: one for one in FIGURES}[name]
