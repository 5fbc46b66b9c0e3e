"""What every test gets: asyncio under anyio, no silent skips in CI, repeatable Hypothesis, free ports.

Must not: start servers or hold fixtures that only one folder needs; those live in that folder's own conftest.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest

from tests import ports

REQUIRE_ALL = os.environ.get("TANDEM_REQUIRE_ALL") == "1"

# Repeatable in CI: the same examples each time, so that a red run is red again; deadlines would measure the machine.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
hypothesis.settings.register_profile("dev", deadline=None, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") or REQUIRE_ALL else "dev")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncpg and grpc.aio run on asyncio alone; session-wide, so that servers may be fixtures of any scope."""
    return "asyncio"


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on. Prefer port 0 where the server can say which it got."""
    return ports.free_port()


def skip_as_failure(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that carries its reason; an expected failure (xfail) stays what it is."""
    if report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid}: nothing may be skipped with TANDEM_REQUIRE_ALL=1, but: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if REQUIRE_ALL:
        skip_as_failure(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    report = yield
    if REQUIRE_ALL:
        skip_as_failure(report)
    return report


def pytest_configure() -> None:
    """A shell that starts the tests in the background ignores SIGINT, and every child would: tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
