"""A real `tandemd` for the examples, and `tandemctl` to steer it, as an operator would.

Must not: reach into the daemon's state, or know the systems of an example.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio


class StandError(Exception):
    """The stand could not be brought up; the text says what and where to look."""


class Daemon:
    """A daemon that keeps its state below `root`, and one tenant on it."""

    def __init__(
        self, root: Path, tenant: str, listen: str = "127.0.0.1:0", http: str = "127.0.0.1:0"
    ) -> None:
        self.root = root.absolute()
        self.tenant = tenant
        self.data_dir = self.root / "tandem"
        self.log = self.root / "tandemd.log"
        self._listen, self._http = listen, http
        self.daemon: subprocess.Popen[bytes] | None = None
        self.ready: Mapping[str, Any] = {}

    async def start_daemon(self, timeout_s: float = 60.0) -> None:
        """Start `tandemd` and wait until it says where it listens."""
        ready = self.data_dir / "ready.json"
        ready.unlink(missing_ok=True)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")},
            "TANDEM_DATA_DIR": str(self.data_dir),
            "TANDEM_LISTEN": self._listen,
            "TANDEM_HTTP_LISTEN": self._http,
        }
        with self.log.open("ab") as log:
            self.daemon = subprocess.Popen(
                [sys.executable, "-m", "daemon.serve"],
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout_s
        while not ready.exists():
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                raise StandError(
                    f"tandemd did not come up; its last words are in {self.log}:\n{self._last_words()}"
                )
            await anyio.sleep(0.05)
        self.ready = json.loads(ready.read_text())

    async def stop_daemon(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the daemon: SIGTERM lets it come to rest, SIGKILL does not."""
        if self.daemon is None:
            return
        if self.daemon.poll() is None:
            self.daemon.send_signal(how)
        while self.daemon.poll() is None:
            await anyio.sleep(0.02)
        self.daemon = None

    async def ctl(self, *words: str, check: bool = True) -> Any:
        """One `tandemctl` command; its answer as plain data (the last one where it streams)."""
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")},
            "TANDEM_DATA_DIR": str(self.data_dir),
            "TANDEM_ADDRESS": str(self.ready["grpc"]),
            "TANDEM_TENANT": self.tenant,
        }
        command = [str(Path(sys.executable).with_name("tandemctl")), "--output", "json", *words]
        done = await anyio.run_process(command, env=env, check=False)
        if check and done.returncode != 0:
            raise StandError(f"tandemctl {' '.join(words)} said:\n{done.stderr.decode()}")
        return _last_document(done.stdout.decode())

    async def create_tenant(self, name: str) -> None:
        """The tenant, unless it is there already."""
        tenants = await self.ctl("system", "list-tenants")
        if not any(one["id"] == self.tenant for one in tenants.get("tenants", ())):
            await self.ctl("system", "create-tenant", self.tenant, "--name", name)

    async def create_connection(self, name: str, connector: str, settings: Mapping[str, Any]) -> None:
        """A connection; its settings go by a file, since some of them are secrets."""
        path = self.root / f"{name}.json"
        path.write_text(json.dumps(settings, indent=2))
        await self.ctl("connections", "create", name, connector, "--settings", f"@{path}")

    async def shown(self, link: str) -> Mapping[str, Any]:
        """A link as the daemon shows it."""
        found: Mapping[str, Any] = await self.ctl("links", "get", link)
        return found

    def _last_words(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _last_document(text: str) -> Any:
    decoder, at = json.JSONDecoder(), 0
    found: Any = {}
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        found, at = decoder.raw_decode(text, at)
    return found
