"""Net and gross, to the cent: the laws of the lens, what it refuses, and what is only read."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.lens_laws import lens_faults
from actors.core.lenses_money import Gross
from actors.core.lenses_one_way import Computed, Constant, OwnId
from actors.core.policy import LensError
from actors.core.values import Value, canonical, same

RATES = (("1", Decimal(19)), ("2", Decimal("5.5")), ("0", Decimal(0)), ("9", Decimal(500)))
cents = st.decimals(-(10**9), 10**9, places=2)
codes = st.sampled_from([code for code, _ in RATES])
nets = st.one_of(st.none(), st.decimals(-(10**9), 10**9, places=4))
roundings = st.sampled_from(("half_up", "half_even"))


@given(gross=cents, net=nets, code=codes, more=st.integers(1, 4), rounding=roundings)
def test_the_laws_hold(gross: Decimal, net: Decimal | None, code: str, more: int, rounding: str) -> None:
    lens = Gross(RATES, places=2, net_places=2 + more, rounding=rounding)  # type: ignore[arg-type]
    old: tuple[Value, ...] = (None if net is None else canonical(net), code)
    assert not lens.lossy
    assert lens_faults(lens, old, canonical(gross), own=True) == []
    assert lens.put(old, lens.get(old)) == old  # whatever is read is written back as it stood
    assert lens.put(old, canonical(gross))[1] == code  # the tax code is nobody's to write


@given(net=st.integers(0, 10**9), code=codes)
def test_gross_is_what_a_till_says(net: int, code: str) -> None:
    exact = Decimal(net) / 100 * (1 + dict(RATES)[code] / 100)
    expected = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert same(Gross(RATES).get((Decimal(net) / 100, code)), canonical(expected))


def test_halves_are_rounded_as_declared() -> None:
    price, code = Decimal("0.5"), "1"
    half = Gross((("1", Decimal(1)),), places=2)
    assert half.get((price, code)) == Decimal("0.51")  # 0.505
    assert Gross(half.rates, places=2, rounding="half_even").get((price, code)) == Decimal("0.5")


def test_too_few_net_places_are_said_to_be_lossy() -> None:
    lens = Gross(RATES, places=2, net_places=2)
    assert lens.lossy
    prices = [canonical(Decimal(cents) / 100) for cents in range(200)]
    assert any(not same(lens.get(lens.put((None, "1"), price)), price) for price in prices)


@pytest.mark.parametrize("code, why", [("7", 'no entry for "7"'), (None, "no tax code"), ("", "no tax code")])
def test_a_price_without_its_rate_waits_and_says_why(code: str | None, why: str) -> None:
    for ask in (lambda: Gross(RATES).get((1, code)), lambda: Gross(RATES).put((None, code), 1)):
        with pytest.raises(LensError, match=why) as refused:
            ask()
        assert refused.value.waits
    assert Gross(RATES).get((None, code)) is None and Gross(RATES).put((1, code), None) == (None, code)


def test_a_text_is_no_price() -> None:
    with pytest.raises(LensError, match="is not a number"):
        Gross(RATES).get(("1,50", "1"))


def test_what_is_only_read_is_never_written() -> None:
    for lens, old in ((Constant(1), ()), (OwnId(), ("R1",)), (Computed("x", ("x",)), ("y",))):
        assert lens.one_way and not lens.lossy and lens.put(old, "new") == old
    with pytest.raises(LensError, match="says nothing here"):
        Computed("x + 1", ("x",)).get(("y",))
