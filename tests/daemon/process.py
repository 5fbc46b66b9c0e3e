"""The daemon as a process: started on free ports with a PostgreSQL of its own, asked, killed. For tests of the whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

REPOSITORY = Path(__file__).parents[2]
PASSWORD = "hush-hush"  # the server lets its user in by the folder's mode; tests look for where this turns up
STOP_TIMEOUT_S = 40.0


class DaemonProcess:
    """A running tandemd and where it listens."""

    def __init__(self, process: subprocess.Popen[bytes], ready: Mapping[str, Any], log: Path) -> None:
        self.process = process
        self.grpc = str(ready["grpc"])
        self.http = f"http://{ready['http']}"
        self.ready = ready
        self.log = log
        self.data_dir = Path(str(ready["data_dir"]))

    @property
    def token(self) -> str:
        """The first admin token."""
        return (self.data_dir / "admin.token").read_text().strip()

    @property
    def dsn(self) -> str:
        """Its own database, as an outsider with the right to the folder reaches it."""
        lines = (self.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
        return f"postgresql://tandem:{PASSWORD}@/tandem?host={lines[4]}&port={lines[3]}"

    def lines(self) -> list[dict[str, Any]]:
        """What it logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_TIMEOUT_S)


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """A clean environment with these settings (`listen="..."`)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TANDEM_", "PG"))}
    paths = [str(REPOSITORY), str(REPOSITORY / "proto" / "gen")]
    ours = {
        "data_dir": str(data_dir),
        "listen": "127.0.0.1:0",
        "http_listen": "127.0.0.1:0",
        "log_format": "json",
        **settings,
    }
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(paths),
        **{f"TANDEM_{name.upper()}": value for name, value in ours.items()},
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "daemon.serve", *arguments]


@contextmanager
def running(data_dir: Path, **settings: str) -> Iterator[DaemonProcess]:
    """A daemon that is ready; killed at the end if it still runs."""
    read_fd, write_fd = os.pipe()
    log = data_dir.parent / f"{data_dir.name}.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command("--ready-fd", str(write_fd)),
            env=environment(data_dir, **settings),
            cwd=data_dir.parent,
            pass_fds=[write_fd],
            stderr=stream,
        )
    os.close(write_fd)
    try:
        with os.fdopen(read_fd) as answer:
            line = answer.readline()  # ends empty when the process does
        assert line, f"the daemon did not start: {log.read_text()}"
        yield DaemonProcess(process, json.loads(line), log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def eventually(condition: Any, timeout_s: float = 60.0) -> Any:
    """Wait until the async condition gives something true, and return it; other processes signal nothing to us."""
    with anyio.fail_after(timeout_s):
        while True:
            found = await condition()
            if found:
                return found
            await anyio.sleep(0.05)
