"""How each figure is measured: figure name -> the function that measures it, and perhaps others with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from bench.catalog import NAMES
from bench.figures import changes, idle, latency, load, memory, pairs, reads, served, status
from bench.report import Result
from bench.session import Session

Measure = Callable[[Session], Awaitable[Sequence[Result]]]

_SERVED = {f"load_over_script_{connector}": partial(served.load, connector) for connector in served.SERVERS}
# Measured together, pair by pair.
_PAIRS = {name: partial(pairs.pair, name.partition(":")[2]) for name in NAMES if ":" in name}

MEASURES: Mapping[str, Measure] = {
    "noop_ms_10k": changes.noop_10k,
    "change_latency_p50_over_relay": latency.changes,
    "change_latency_p99_over_relay": latency.changes,
    "load_100k_over_copy": load.load_100k,
    "noop_ms_100k": changes.noop_100k,
    "delta_1pct_over_script": changes.delta,
    "both_1pct_over_script": changes.both,
    "load_1m_over_copy": load.load_1m,
    "noop_ms_1m": changes.noop_1m,
    "full_read_rows_per_s": reads.full_read,
    "rss_mb_1m": memory.rss,
    "idle_link_bytes": idle.idle_links,
    "grpc_status_over_echo": status.over_echo,
    **_SERVED,
    **_PAIRS,
}
OWN_SYSTEMS = frozenset((*_SERVED, *_PAIRS))  # figures that bring their systems, and need no database
