"""What a Tribe record shows of the records that it refers to: a customer with its organisation, and that with its address.

Fields of such parts are called by the way there (`Organization.InvoiceAddress.City`); `Phase.Code` is the code of what is
referred to. Reading is one request with a nested `$expand`; writing is one request for each record. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from actors.core.values import Value
from clients.connectors.systems.tribe_objects import CODE, KEY, Thing


class Tree(msgspec.Struct):
    """What is asked for of one entity set: its own fields, and what is to be shown of those it refers to."""

    select: dict[str, None]
    expand: dict[str, Tree]

    def options(self) -> dict[str, str]:
        """As query options."""
        found = {"$select": ",".join(self.select)}
        if self.expand:
            found["$expand"] = ",".join(
                f"{name}({';'.join(f'{key}={text}' for key, text in below.options().items())})"
                for name, below in sorted(self.expand.items())
            )
        return found


def tree(thing: Thing, names: Iterable[str]) -> Tree:
    """The query for these fields of an entity set."""
    whole = Tree({KEY: None}, {})
    links = set(thing.links.split())
    for name in names:
        *heads, last = name.split(".")
        at = whole
        for head in (last,) if not heads and last in links else heads:
            at = at.expand.setdefault(head, Tree({KEY: None}, {}))
        if heads or last not in links:
            at.select[last] = None
    return whole


def by_part(thing: Thing, native: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """The fields of a write by the part that they belong to ("": the record itself), the outermost first. What is said by a
    code belongs to whom it is said of: `Organization.InvoiceAddress.Country.Code` to the address."""
    found: dict[str, dict[str, Value]] = {}
    for name, value in native.items():
        way, _, last = name.rpartition(".")
        if last == CODE and way and way not in thing.parts:
            way, _, nav = way.rpartition(".")
            last = f"{nav}.{CODE}"
        found.setdefault(way, {})[last] = value
    return dict(sorted(found.items(), key=lambda item: item[0].count(".") + bool(item[0])))
