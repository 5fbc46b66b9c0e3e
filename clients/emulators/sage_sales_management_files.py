"""Documents of Sage Sales Management: their rows, and the file store that keeps their content.

A row is made first and yields a locator, a signed address; the content is put there and fetched from there. The store takes
no other credentials: a request that brings a session key along is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import uuid4

from aiohttp import web

from clients.emulators.data import By
from clients.emulators.description import Row

if TYPE_CHECKING:
    from clients.emulators.emulator import Emulator

TAKES_FOREIGN = "X-Session-Key"


class FileStore:
    """The files of one account, by their keys."""

    def __init__(self, system: Emulator) -> None:
        self._system = system
        self._contents: dict[str, bytes] = {}

    def routes(self) -> Iterable[web.RouteDef]:
        """The store's own addresses."""
        yield web.put("/files/{key}", self._put)
        yield web.get("/files/{key}", self._get)

    def row(self, product: int, name: str, *, carrousel: bool, by: By) -> Row:
        """The row of a new document; its content is still to come."""
        stem, _, ending = name.rpartition(".")
        link = f"{self._system.address}/files/{uuid4().hex}?signature={uuid4().hex}"
        values = {"productId": product, "description": stem or name, "extension": ending, "link": link}
        return self._system.data.insert("documents", {**values, "carrousel": carrousel}, by=by)

    def hang(self, product: int, content: bytes, name: str = "Photo.jpg") -> None:
        """Somebody adds a picture to a product's carousel."""
        row = self.row(product, name, carrousel=True, by="person")
        self._keep(row, content)

    def shown(self, product: int) -> dict[str, bytes]:
        """The pictures of a product's carousel that came, by their names with the row's id behind it."""
        rows = self._system.data.tables["documents"].values()
        mine = [
            row for row in rows if row["productId"] == product and not row["deleted"] and row["carrousel"]
        ]
        found = {f"{row['description']}:{row['id']}": self._contents.get(_key(row["link"])) for row in mine}
        return {name: content for name, content in found.items() if content is not None}

    def _keep(self, row: Row, content: bytes) -> None:
        self._contents[_key(row["link"])] = content
        self._system.data.edit("documents", row["id"], {"size": len(content)}, by="automation")

    async def _put(self, request: web.Request) -> web.Response:
        row = self._asked(request)
        if row is None:
            return web.Response(
                status=403, text="<Error><Code>AccessDenied</Code></Error>", content_type="application/xml"
            )
        self._keep(row, await request.read())
        return web.Response()

    async def _get(self, request: web.Request) -> web.Response:
        row = self._asked(request)
        content = self._contents.get(_key(row["link"])) if row is not None else None
        if content is None:
            return web.Response(
                status=403, text="<Error><Code>AccessDenied</Code></Error>", content_type="application/xml"
            )
        return web.Response(body=content, content_type="application/octet-stream")

    def _asked(self, request: web.Request) -> Row | None:
        """The document at an address; None for a wrong signature, and for whoever shows his session to a stranger."""
        if TAKES_FOREIGN in request.headers:
            return None
        rows = self._system.data.tables["documents"].values()
        return next((row for row in rows if str(row["link"]).endswith(request.path_qs)), None)


def _key(link: str) -> str:
    return link.rpartition("/")[2]
