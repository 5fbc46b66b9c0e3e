"""The lenses that stand over several native values, from a blueprint's words: `gross` and `formula`.

Must not: hold any lens's behaviour.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, cast

from actors.core.blueprint.entries_rules import GROSS, GROSS_PLACES, NET_PLACES, RATE
from actors.core.blueprint.nodes import Node
from actors.core.blueprint.settings import FromSetting
from actors.core.formula import FormulaError, compiled
from actors.core.lenses_money import Gross
from actors.core.lenses_one_way import Computed
from actors.core.lenses_text import Join

# Lenses that stand at the native end, over all paths of a field.
Head = Join | Gross | Computed

_NET_PLACES_MORE: Final = 2


def read_gross(node: Node, name: str) -> Gross:
    """`gross: {rates: {A: 20, B: 5.5}, places: 2, net_places: 4, rounding: half_up}`."""
    options = node.table(GROSS)
    rates, places, net = options.get("rates"), options.get("places"), options.get("net_places")
    rounding = options.get("rounding")
    gross_places = places.integer(GROSS_PLACES.lowest, GROSS_PLACES.highest, 2) if places else 2
    setting = rates.value.name if rates and isinstance(rates.value, FromSetting) else ""
    found = Gross(
        rates=_rates(rates) if rates else (),
        places=gross_places,
        net_places=net.integer(NET_PLACES.lowest, NET_PLACES.highest, 4)
        if net
        else gross_places + _NET_PLACES_MORE,
        rounding=cast(
            "Literal['half_even', 'half_up']",
            rounding.word(("half_up", "half_even"), "half_up") if rounding else "half_up",
        ),
        name=f"rates of setting {setting}" if setting else f"tax rates of {name}",
    )
    if rates and not found.rates and not setting:
        rates.fault("a rate for each tax code is needed, as in rates: {A: 20, B: 5.5}")
    return found


def _rates(node: Node) -> tuple[tuple[str, Decimal], ...]:
    if not isinstance(node.value, Mapping):
        node.fault("rates stand by their tax codes, as in rates: {A: 20, B: 5.5}")
        return ()
    found = []
    for code, rate in node.value.items():
        below = Node(rate, (*node.path, code), node.faults)
        below.number(RATE.lowest, RATE.highest, 0)
        exact = isinstance(rate, int | Decimal) and not isinstance(rate, bool)
        found.append((str(code), Decimal(rate) if exact else Decimal(0)))
    return tuple(found)


def read_formula(node: Node, paths: tuple[str, ...]) -> Computed:
    """`formula: "kind == 'stock' ? text(stock) : '-'"`, over the field's own paths."""
    text = node.text("null")
    try:
        compiled(text, paths)
    except FormulaError as error:
        node.fault(f"the formula can't be used: {error}")
        return Computed("null", paths)
    return Computed(text, paths)
