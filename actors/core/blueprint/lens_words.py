"""The words that name lenses in a blueprint, with the options of each: what entries.py says of `lens`.

What becomes of them is in lens_build.py, which has one builder for every word here. Must not: build a lens.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from actors.core.blueprint.entries_rules import GROSS
from actors.core.blueprint.forms import (
    Either,
    Entries,
    Entry,
    Exactly,
    Form,
    Listing,
    Named,
    Number,
    Scalar,
    Shared,
    Sign,
    Text,
    Whole,
    Words,
)
from actors.core.countries import COUNTRIES

CASES: Final = Words(("upper", "lower", "fold"))
POINTS: Final = Words((",", "."))
PLACES: Final = Whole(0, 20)
ROUNDINGS: Final = Words(("half_even", "half_up"))
LENGTH: Final = Whole(1, 1_000_000)
COUNTRY_FORMS: Final = Words(("iso2", "iso3", "numeric"))
RESTS: Final = Words(("first", "last", "whole", "lines"))
PHONE_COUNTRIES: Final = Words(tuple(sorted(name for name, one in COUNTRIES.items() if one.calling)))
SCALE: Final = (
    Entry("places", PLACES, "decimal places"),
    Entry("rounding", ROUNDINGS, "how", absent="`half_even`"),
    Entry("factor", Number(1e-9, 1e9), "native = shared x factor", absent="1"),
)
NUMBER: Final = (
    Entry("decimal", POINTS, "the decimal sign", absent="`.`"),
    Entry("thousands", Sign(), "the sign between thousands", absent="none"),
    Entry("places", PLACES, "at least so many decimal places are written", absent="0"),
)
DATE: Final = (
    Entry("format", Text(), "how a date is written", required=True),
    Entry("empty", Text(), "what stands for no date"),
)
JOIN: Final = (
    Entry("separator", Sign(), "what stands between", absent="a blank"),
    Entry("rest", RESTS, "where spare words go", absent="`last`"),
    Entry("empty", Sign(), "what stands in a path that got no word; it is read as nothing", absent="nothing"),
)
_SCALARS: Final = Either((Scalar(), Listing(Scalar(), least=1)))


class LensWord(msgspec.Struct, frozen=True):
    """A lens as a blueprint names it. `options`: their form, None: it has none; `alone`: the word may stand by itself."""

    example: str
    means: str
    notes: str = ""
    options: Form | None = None
    alone: bool = False


WORDS: Final[Mapping[str, LensWord]] = MappingProxyType(
    {
        "same": LensWord("same", "as it is", alone=True),
        "trim": LensWord("trim", "without outer blanks, blank is null", "normal form", alone=True),
        "case": LensWord("case: lower", "`upper`, `lower`, `fold`", "normal form", CASES),
        "empty": LensWord(
            'empty: ["-", 0]',
            "these native values are null",
            "the first is written to clear a value",
            _SCALARS,
        ),
        "default": LensWord("default: Stk", "as it is", "written instead of null; lossy", Scalar()),
        "length": LensWord("length: 50", "as it is", "written cut to 50 characters; lossy", LENGTH),
        "number": LensWord(
            'number: ","',
            "text to number",
            '`{decimal: ",", thousands: ".", places: 2}`; `number` alone has a decimal point',
            Either((POINTS, Entries(NUMBER))),
            alone=True,
        ),
        "scale": LensWord(
            "scale: 2",
            "rounded to 2 places",
            "`{places: 0, factor: 100, rounding: half_up}`: native = shared x factor (cents); `half_even` where nothing is "
            "said; normal form",
            Either((PLACES, Entries(SCALE))),
        ),
        "date": LensWord(
            'date: "%d.%m.%Y"',
            "text to date",
            '`%d %m %Y`, with a time `%H %M %S`; `{format: ..., empty: "00.00.0000"}`; the year 0001 is null. '
            "`date: midnight` (or `midnight_utc`): instant to date",
            Either((Text(), Entries(DATE))),
        ),
        "bool": LensWord(
            'bool: {true: J, false: [N, ""]}',
            "words to true and false",
            "the first word is written",
            Entries(
                (Entry("true", _SCALARS, "", required=True), Entry("false", _SCALARS, "", required=True))
            ),
        ),
        "map": LensWord(
            "map: {D: DE, A: AT}",
            "a value map",
            "many natives may mean one shared value; a missing entry parks the record and names itself; `~` is null",
            Named(Scalar(), least=1),
        ),
        "country": LensWord(
            "country: iso3",
            "to ISO 3166 two letters",
            "native form `iso2`, `iso3`, `numeric`",
            COUNTRY_FORMS,
            alone=True,
        ),
        "phone": LensWord(
            "phone: DE",
            "to `+4930123456`",
            "numbers without `+` are of that country; a text that is no number stays as it is; normal form",
            PHONE_COUNTRIES,
        ),
        "list": LensWord('list: ";"', "text to list", "for `set: true`", Sign(), alone=True),
        "join": LensWord(
            'join: " "',
            "several texts to one",
            '`{separator: " ", rest: last}`: a new text gives each path one word and the spare ones to the `last` or '
            "`first`; `whole`: all of it to the first; `lines`: filled from the first on (an address); "
            '`empty: "-"` stands in a path that got none',
            Either((Sign(), Entries(JOIN))),
            alone=True,
        ),
        "gross": LensWord(
            "gross: {rates: {A: 20}}",
            "`[net, tax_code]` to a gross price",
            "`{rates: {...}, places: 2, net_places: 4, rounding: half_up}`; the net price is written so that it reads as "
            "that gross price again, the tax code is only read; a missing rate parks the record and names itself; lossy "
            "with no more `net_places` than `places`",
            Entries(GROSS),
        ),
        "formula": LensWord(
            "formula: \"kind == 1 ? stock : '-'\"",
            "native values to whatever the formula says",
            "only read: `owner` has to be that side; see [below](#formulas)",
            Text(),
        ),
    }
)


def _one() -> Form:
    alone = tuple(Exactly(word) for word, lens in WORDS.items() if lens.alone)
    given = (
        Entries((Entry(word, lens.options, lens.means, required=True),))
        for word, lens in WORDS.items()
        if lens.options is not None
    )
    return Either((*alone, *given))


_ONE: Final = Shared("lens", _one())
LENS: Final[Form] = Either((_ONE, Listing(_ONE)))
