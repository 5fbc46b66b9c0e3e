"""The lens between a net price with its tax code and a gross price, to the cent. Exact decimals throughout.

Must not: know a country's rates; they are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import cached_property
from typing import Final, Literal

import msgspec

from actors.core.lenses import as_number, shown
from actors.core.policy import LensError
from actors.core.values import Scalar, Value, canonical, same

_WIDE: Final = Context(prec=60, traps=[InvalidOperation])
_ROUNDING: Final = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP}
_HUNDRED: Final = Decimal(100)


class Gross(msgspec.Struct, frozen=True, omit_defaults=True, tag=True, dict=True):
    """A net price and its tax code as one gross price (S13). `rates`: (tax code, per cent).

    gross = net x (100 + rate) / 100, rounded to `places`. Written is the net price alone, with `net_places`, so that it
    reads as that gross price again; the tax code stays. With no more net places than gross ones not every gross price
    can be said (at 19 % none is 0.03 from net cents): then it is lossy.
    """

    rates: tuple[tuple[Scalar, Decimal], ...]
    places: int = 2
    net_places: int = 4
    rounding: Literal["half_even", "half_up"] = "half_up"
    name: str = "tax rates"

    @property
    def lossy(self) -> bool:
        """Whether some gross price has no net price."""
        return self.net_places <= self.places

    @property
    def one_way(self) -> bool:
        """It writes."""
        return False

    def writes(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """The net price; the tax code is only read."""
        return paths[:1]

    @cached_property
    def _rates(self) -> Mapping[str, Decimal]:
        return {str(code): rate for code, rate in self.rates}

    def get(self, native: tuple[Value, ...]) -> Value:
        """See policy.Lens."""
        net = as_number(native[0])
        if net is None:
            return None
        gross = _WIDE.divide(_WIDE.multiply(net, _HUNDRED + self._rate(native[1])), _HUNDRED)
        return canonical(self._rounded(gross, self.places))

    def put(self, old: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        """See policy.Lens. What can't be said (a price without its tax code) is refused, not guessed."""
        net, code = old if old else (None, None)
        if value is None:
            return None, code
        gross = self._rounded(_number(value), self.places)
        if net is not None and self._reads(net, code, gross):
            return net, code
        wanted = _WIDE.divide(_WIDE.multiply(gross, _HUNDRED), _HUNDRED + self._rate(code))
        return canonical(self._rounded(wanted, self.net_places)), code

    def _reads(self, net: Value, code: Value, gross: Decimal) -> bool:
        try:
            return same(self.get((net, code)), canonical(gross))
        except LensError:
            return False

    def _rate(self, code: Value) -> Decimal:
        if code is None or code == "":
            raise LensError(
                "there is no tax code, so net and gross can't be told from each other", waits=True
            )
        found = self._rates.get(str(code))
        if found is None:
            raise LensError(f"the {self.name} have no entry for {shown(code)}", waits=True)
        return found

    def _rounded(self, number: Decimal, places: int) -> Decimal:
        try:
            return number.quantize(Decimal(1).scaleb(-places), _ROUNDING[self.rounding], _WIDE)
        except InvalidOperation as error:
            raise LensError(f"{number} has too many digits to be rounded exactly") from error


def _number(value: Value) -> Decimal:
    number = as_number(value)
    assert number is not None
    return number
