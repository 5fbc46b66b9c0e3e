"""The smallest emulator there can be: one table, two verbs. It shows how one is made, and the frame's tests run on it."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from clients.emulators.calls import Call
from clients.emulators.data import Change
from clients.emulators.description import Description, Field, Refused, Table, fields
from clients.emulators.emulator import ENCODER, Emulator, answer, body_of

ARTICLES = Table(
    "articles",
    key="id",
    created="made",
    modified="touched",
    unique=(("sku",),),
    fields=(
        Field("id", "integer"),
        Field("sku", required=True, size=20),
        *fields("title"),
        Field("price", "decimal"),
        Field("weight", "double"),
        *fields("made touched", "instant", writable=False),
    ),
)


class System(Emulator):
    """A shop."""

    description = Description("shop", "Articles of a shop.", (ARTICLES,))

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/articles", self._list),
            web.post("/articles", self._create),
            web.put("/articles/{id}", self._change),
        ]

    def guard(self, change: Change) -> None:
        if change.op == "delete" and change.before is not None and change.before["title"] == "sold":
            raise Refused("it was sold", code="InUse")

    def calls_for(self, change: Change) -> Iterable[Call]:
        if url := self.options.get("hook"):
            yield Call("POST", url, body=ENCODER.encode({"id": change.key, "event": change.op}))

    async def _list(self, request: web.Request) -> web.Response:
        return answer(self.data.shown("articles"))

    async def _create(self, request: web.Request) -> web.Response:
        return answer(self.data.insert("articles", body_of(await request.read())))

    async def _change(self, request: web.Request) -> web.Response:
        key = int(request.match_info["id"])
        return answer(self.data.edit("articles", key, body_of(await request.read())))
