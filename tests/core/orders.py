"""Orders with lines for the core's tests: streams, lines and looks. Must not: hold tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from actors.core.lenses import MapValues, Scale
from actors.core.policy import FieldSpec, LinesSpec, Owner, StreamSpec, Sum
from actors.core.values import Line, Scalar, line_of
from tests.core.pairs import one, place, stream

TOTAL = Sum("total", "quantity * price", ("article", "quantity", "price"))


def of_line(*names: str) -> tuple[FieldSpec, ...]:
    """Fields of a line that are called the same on both sides."""
    return tuple(one(name) for name in names)


ARTICLES = of_line("article", "quantity", "price")
TRANSLATED = (
    FieldSpec("article", place("ART"), place("article_id"), reference="articles"),
    FieldSpec("vat", place("VAT", MapValues((("H", "full"), ("L", "low")))), place("vat_code")),
    FieldSpec("quantity", place("QTY"), place("qty", Scale(2))),
)


def lines(**rules: Any) -> LinesSpec:
    """Of article, quantity and price, where nothing else is said."""
    return LinesSpec(**{"fields": ARTICLES, **rules})


def orders(spec: LinesSpec | None = None, owner: Owner = Owner.BOTH, **rules: Any) -> StreamSpec:
    """Orders: number, note, total and lines."""
    items = FieldSpec("items", place("items"), place("items"), owner=owner, lines=spec or lines())
    return stream(one("number"), one("note"), one("total"), items, **rules)


def line(
    article: Scalar, quantity: Scalar = 1, price: str = "10", id_: str | None = None, **more: Scalar
) -> Line:
    """One line; with an id it is a native one."""
    cells: dict[str, Scalar] = {"article": article, "quantity": quantity, "price": Decimal(price), **more}
    return line_of(cells if id_ is None else {**cells, "@id": id_})
