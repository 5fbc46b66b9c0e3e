"""What every connector over HTTP would otherwise write again: the calls that it does not offer, and closing.

Not offered is said as the contract wants it: CONFIG, the ability named.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TypeVar

import anyio

from actors.core.errors import Kind, Scope, TandemError
from actors.core.rows import RowShape
from actors.core.types import Record
from actors.core.values import Value
from actors.ports import Declaration, Find, Page, Rows, RowUpdates, Touched
from clients.connectors.http.client import HttpClient

T = TypeVar("T")


def not_offered(object_name: str, ability: str, hint: str = "") -> TandemError:
    """The error for an ability that is not declared."""
    return TandemError(
        Kind.CONFIG, f"{object_name}: {ability} is not possible here", scope=Scope.STREAM, hint=hint
    )


class HttpConnector:
    """Defaults of `actors.ports.Connector` for a system behind an `HttpClient`. A subclass gives identity, check, describe,
    read, scan, write, and whatever else its declaration promises."""

    def __init__(self, declaration: Declaration, client: HttpClient) -> None:
        self.declaration = declaration
        self.client = client

    def known(self, objects: Mapping[str, T], name: str) -> T:
        """What is kept under the name of an object; CONFIG naming those there are."""
        if name not in objects:
            raise TandemError(
                Kind.CONFIG,
                f"{self.client.name} has no object {name}",
                scope=Scope.STREAM,
                hint=f"it has {', '.join(objects)}",
            )
        return objects[name]

    def find(self, object_name: str) -> Find:
        """The first way that is declared."""
        return self.declaration.find[0]

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """Not offered."""
        raise not_offered(object_name, "changes")

    async def look_token(self, object_name: str) -> str:
        """None is known."""
        return ""

    async def drain(self, limit: int) -> Sequence[Touched]:
        """Not offered."""
        raise not_offered(self.declaration.name, "drain")

    async def ack(self, touched: Sequence[Touched]) -> None:
        """Not offered."""
        raise not_offered(self.declaration.name, "ack")

    async def watch(self) -> AsyncGenerator[None, None]:
        """Nothing to wait for: webhooks come in at the daemon's own port."""
        await anyio.sleep_forever()
        yield

    async def reserve(self, object_name: str, count: int) -> Sequence[str]:
        """Not offered: the system draws its ids."""
        raise not_offered(object_name, "reserve")

    async def find_tagged(self, object_name: str, tag: str, fields: Sequence[str]) -> Sequence[Record]:
        """Not offered."""
        raise not_offered(object_name, "find_tagged")

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """Not offered."""
        raise not_offered(object_name, "find_by")

    async def row_shape(self, object_name: str, fields: Sequence[str]) -> RowShape | None:
        """Records cross one by one."""
        return None

    async def scan_rows(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Rows:
        """Not offered."""
        raise not_offered(object_name, "scan_rows")

    async def create_rows(self, object_name: str, fields: Sequence[str], block: str) -> str:
        """Not offered."""
        raise not_offered(object_name, "create_rows")

    async def change_rows(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Rows:
        """Not offered."""
        raise not_offered(object_name, "change_rows")

    async def update_rows(
        self, object_name: str, updates: Sequence[RowUpdates], fields: Sequence[str]
    ) -> str:
        """Not offered."""
        raise not_offered(object_name, "update_rows")

    async def aclose(self) -> None:
        """Let go of everything; safe to call twice."""
        await self.client.aclose()
