"""The picture of a product that is kept in step: one document in its carousel, known by its name.

Pictures of other names are other people's, and left alone. A document is made in two steps: its row, which yields a locator
(a signed address of a file store), and its content, which is put there. A row whose content never came is none. A new
picture takes the place of an old one when the old one's row is deleted: until then the older one counts, so that a write
that was cut has either taken place or not, and the next one tidies up. The API tells no hash: a content is fetched to be
known, and known from then on by its row's id, time and size. Must not: hold a content, or touch another document.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from actors.core.attachments import HEAD, SIZE_MAX, describe, media_type
from actors.core.errors import Kind, Scope
from actors.core.policy import ATTACHED
from actors.core.values import UNKNOWN, Seen
from actors.ports import Setting
from clients.connectors.http.client import segment
from clients.connectors.http.together import together
from clients.connectors.http.values import as_text
from clients.connectors.http.wire import Answer, HttpError, Request, at
from clients.connectors.systems.sage_sales_management_api import BAD_REQUEST, Api, asked, numbers

OBJECT: Final = "products"
PICTURE: Final = f"image{ATTACHED}"
SETTINGS: Final = (
    Setting(
        "picture_name",
        default="Photo",
        doc="the name of the picture in a product's carousel that is kept in step; others are left alone",
    ),
    Setting(
        "pictures",
        default="list",
        choices=("list", "each"),
        doc="list: documents of many products are asked for at once, by their field productId; each: those of every product "
        "by a request of its own",
    ),
    Setting(
        "file_hosts",
        "list",
        default=["amazonaws.com"],
        doc="hosts at which the system keeps files, beside its own; they get no credentials of ours",
    ),
)
KNOWN_MAX: Final = 50_000  # descriptions that are remembered
CONCURRENCY: Final = 4
_ENDINGS: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/bmp": "bmp",
}
_NOT_THERE: Final = (
    403,
    404,
    410,
)  # what a file store answers where nothing was put yet, or the address has run out

Row = Mapping[str, Any]


class Pictures:
    """Pictures of one account's products."""

    def __init__(self, api: Api, settings: Mapping[str, Any]) -> None:
        self._api = api
        self._name = settings["picture_name"]
        self._hosts = settings["file_hosts"]
        self._one_by_one = settings["pictures"] == "each"
        self._known: OrderedDict[tuple[str, str, str], str] = OrderedDict()

    async def described(self, products: Sequence[str]) -> dict[str, Seen]:
        """What each product shows; null where it has no picture, UNKNOWN where it has one that can't be fetched now."""
        rows = await self._rows(products)

        async def one(product: str) -> Seen:
            for row in rows.get(product, ()):
                if (told := await self._told(row)) is not None:
                    return told
            return None

        shown = await together(list(products), one, CONCURRENCY)
        return dict(zip(products, shown, strict=True))

    async def content(self, product: str) -> bytes | None:
        """The picture that a product shows."""
        for row in (await self._rows([product])).get(product, ()):
            if (content := await self._fetched(row)) is not None:
                return content
        return None

    async def put(self, product: str, content: bytes | None) -> Answer | None:
        """Another picture in the place of what is there; None where that was done, else the system's no. Raises UNKNOWN
        once anything may have been done."""
        there = (await self._rows([product])).get(product, [])
        if content is not None:
            made = await self._made(product, content)
            if made is not None:
                return made
        for row in there:
            path = f"documents/{segment(as_text(row['id']))}"
            request = Request(doing="remove a picture", method="DELETE", path=path, record=True)
            answer = await self._surely(request)
            if answer.meaning not in ("ok", "gone") and answer.words != BAD_REQUEST:
                return answer
        return None

    async def _made(self, product: str, content: bytes) -> Answer | None:
        ending = _ENDINGS.get(media_type(content[:HEAD]), "bin")
        request = Request(
            doing="add a picture",
            method="POST",
            path=f"{OBJECT}/{segment(product)}/documents",
            json={"name": f"{self._name}.{ending}", "isCarrousel": True, "folderId": "-1"},
            scope=Scope.RECORD,
        )
        answer = await self._api.http.call(request)
        if answer.meaning != "ok":
            return answer
        locator = at(self._api.http.body_of(request, answer), "locator")
        if not isinstance(locator, str):
            raise _unknown(request, "the answer has no locator")
        put = Request(
            doing="bring a picture",
            method="PUT",
            path=locator,
            body=content,
            content_type="application/octet-stream",
            scope=Scope.RECORD,
        )
        stored = await self._api.http.elsewhere(put, self._hosts)
        if stored.status >= 400:  # its row is there, and counts for nothing
            words = f"the file store answered {stored.status} to the picture"
            return msgspec.structs.replace(stored, meaning="refused", words=words)
        return None

    async def _surely(self, request: Request) -> Answer:
        """An answer to a step that others came before: whatever goes wrong now, something was done."""
        try:
            return await self._api.http.call(request)
        except HttpError as error:
            raise _unknown(request, error.message) from error

    async def _rows(self, products: Sequence[str]) -> dict[str, list[Row]]:
        """Our documents by product, the oldest first."""
        found: dict[str, list[Row]] = {}
        if self._one_by_one:

            async def one(product: str) -> list[dict[str, Any]]:
                return await self._api.whole(f"{OBJECT}/{product}/documents")

            asked_for = [product for product in products if product.isascii() and product.isdecimal()]
            answers = await together(asked_for, one, CONCURRENCY)
            found = {product: list(rows) for product, rows in zip(asked_for, answers, strict=True)}
        else:
            wanted = set(products)
            for cases, _ in asked("productId", numbers(products)):
                for row in await self._api.whole("documents", cases):
                    told = row.get("productId")  # bare here, in the vendor's examples; a number or a text
                    product = as_text(told.get("id") if isinstance(told, Mapping) else told)
                    if product in wanted:
                        found.setdefault(product, []).append(row)
        return {
            product: sorted(filter(self._is_ours, rows), key=lambda row: int(row["id"]))
            for product, rows in found.items()
        }

    def _is_ours(self, row: Row) -> bool:
        name = str(row.get("name") or row.get("description") or "")
        stem = name.rpartition(".")[0] if "." in name else name
        return bool(row.get("carrousel")) and stem.casefold() == self._name.casefold()

    async def _told(self, row: Row) -> Seen:
        key = (as_text(row["id"]), str(row.get("dateUpdated")), str(row.get("size")))
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        content = await self._fetched(row)
        if content is None:
            return UNKNOWN if _came(row) else None
        told = self._known[key] = describe(content)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return told

    async def _fetched(self, row: Row) -> bytes | None:
        """The content of a document; None where it never came, can't be had, or is larger than what we would bring."""
        size, link = row.get("size"), row.get("link")
        if not isinstance(link, str) or (isinstance(size, int) and size > SIZE_MAX):
            return None
        answer = await self._api.http.elsewhere(Request(doing="fetch a picture", path=link), self._hosts)
        if answer.status in _NOT_THERE or not answer.body:
            return None
        if answer.status >= 400:
            raise HttpError(
                Kind.TRANSIENT,
                f"can't fetch a picture: the file store answered {answer.status}",
                scope=Scope.STREAM,
            )
        return answer.body


def _came(row: Row) -> bool:
    """Whether a document's content was put there once: its address may have run out since."""
    size = row.get("size")
    return isinstance(size, int) and size > 0


def _unknown(request: Request, words: str) -> HttpError:
    return HttpError(Kind.UNKNOWN, f"can't {request.doing}: {words}", scope=Scope.RECORD)
