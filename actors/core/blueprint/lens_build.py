"""From a blueprint's words (`lens: [trim, {map: {D: DE}}]`) to lenses; every fault is noted on its node.

The words and their options are listed in docs/BLUEPRINTS.md. Must not: hold any lens's behaviour.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal, cast

from actors.core.blueprint import lens_words
from actors.core.blueprint.lens_heads import Head, read_formula, read_gross
from actors.core.blueprint.nodes import Node, described, guess, listed
from actors.core.blueprint.settings import FromSetting
from actors.core.lenses import (
    Case,
    Chain,
    Default,
    Empty,
    Length,
    MapValues,
    Same,
    Scale,
    SingleLens,
    Trim,
)
from actors.core.lenses_money import Gross
from actors.core.lenses_one_way import Computed, OwnId
from actors.core.lenses_text import CountryCode, DateText, Day, Join, ListText, NumberText, Phone
from actors.core.policy import Lens, LensError
from actors.core.values import Scalar, same

Steps = list[SingleLens | Head]
_CHAIN_MAX: Final = 10


def build(nodes: list[Node], paths: tuple[str, ...], name: str) -> Lens:
    """The lens of one side: the words of `nodes` in order, native end first, over those native paths.

    `name` is what a value map is called in messages. Faults are noted on the nodes; the result then is a stand-in.
    """
    steps: Steps = [step for node in nodes for step in _steps(node, paths, name)]
    steps = [step for step in steps if not isinstance(step, Same)]
    singles = tuple(step for step in steps if isinstance(step, SingleLens))
    _check_heads(nodes, steps, paths)
    if len(singles) > _CHAIN_MAX:
        nodes[0].fault(f"more than {_CHAIN_MAX} lenses stand in one chain")
    lens = _chained(steps, singles)
    for place, step in enumerate(singles):
        if isinstance(step, MapValues):
            _check_map(nodes[0], step, singles[place + 1 :], lens)
    return lens


def _chained(steps: Steps, singles: tuple[SingleLens, ...]) -> Lens:
    if steps and isinstance(steps[0], Head):
        return Chain(steps[0], singles) if singles else steps[0]
    if not singles:
        return Same()
    return Chain(singles[0], singles[1:]) if singles[1:] else singles[0]


def _check_map(node: Node, step: MapValues, after: tuple[SingleLens, ...], lens: Lens) -> None:
    # "D" after `case: lower` is never found, and `case: lower` after {D: DE} leaves nothing to be written.
    for native, _ in step.pairs:
        try:
            value = Chain(step, after).get((native,))
            found = same(lens.get(lens.put((), value)), value)
        except LensError:
            found = False
        if not found:
            node.fault(
                f"the entry {described(native)} of the value map does not survive the lenses around it"
            )


def join_for_paths(node: Node, paths: int, lens: Lens) -> None:
    """Note a fault where several native paths stand without a join."""
    head = lens.first if isinstance(lens, Chain) else lens
    if paths > 1 and not isinstance(head, Head | OwnId):
        node.fault(f"{paths} paths make one field only with a lens `join`, `gross` or `formula`")


def _check_heads(nodes: list[Node], steps: Steps, paths: tuple[str, ...]) -> None:
    for index, step in enumerate(steps):
        if isinstance(step, Computed | Gross) and index:
            nodes[0].fault("`formula` and `gross` stand over native values: each has to be the first lens")
        if isinstance(step, Gross) and len(paths) != 2:
            nodes[0].fault("`gross` needs two paths, as in [net, tax_code]")
        if isinstance(step, Join) and (index or len(paths) < 2):
            why = (
                "has to be the first lens"
                if index
                else "needs two paths or more, as in [first_name, last_name]"
            )
            nodes[0].fault(f"`join` {why}")


def _steps(node: Node, paths: tuple[str, ...], name: str) -> Steps:
    parts = list(node.items()) if isinstance(node.value, list) else [node]
    found = [_step(part, paths, name) for part in parts]
    return [step for step in found if step is not None]


def _step(node: Node, paths: tuple[str, ...], name: str) -> SingleLens | Head | None:
    word, options = node.value, None
    if isinstance(word, Mapping) and len(word) == 1:
        word = next(iter(word))
        options = Node(cast("Mapping[object, object]", node.value)[word], (*node.path, word), node.faults)
    if not isinstance(word, str) or word not in _WORDS:
        node.fault(f"{described(word)} is not a lens{guess(word, _WORDS)}; known are {listed(_WORDS)}")
        return None
    if options is not None and options.value is None and lens_words.WORDS[word].alone:
        options.fault(f"nothing stands after {word}; write {word} alone")
        return None
    if word == "join":
        return _join(options, len(paths))
    if word == "map":
        return _map(options or node, name)
    if word == "gross":
        return read_gross(options or node, name)
    if word == "formula":
        return read_formula(options or node, paths)
    return _WORDS[word](options or Node(None, node.path, node.faults))


def _plain(lens: SingleLens) -> Callable[[Node], SingleLens]:
    def made(node: Node) -> SingleLens:
        if node.value is not None:
            node.fault("this lens takes no options")
        return lens

    return made


def _case(node: Node) -> SingleLens:
    return Case(cast("Literal['upper', 'lower', 'fold']", node.word(lens_words.CASES.words, "fold")))


def _default(node: Node) -> SingleLens:
    if node.value is None:
        node.fault("the value to be written instead of null is missing")
    return Default(node.scalar())


def _empty(node: Node) -> SingleLens:
    stand_ins = tuple(_scalars(node))
    if not stand_ins or None in stand_ins:
        node.fault('the values that stand for null are missing, as in empty: ["-", 0]')
    return Empty(stand_ins)


def _length(node: Node) -> SingleLens:
    return Length(node.integer(lens_words.LENGTH.lowest, lens_words.LENGTH.highest, 1))


def _scale(node: Node) -> SingleLens:
    if not isinstance(node.value, Mapping):
        return Scale(places=_places(node, 2))
    options = node.table(lens_words.SCALE)
    places, rounding = options.get("places"), options.get("rounding")
    how = rounding.word(lens_words.ROUNDINGS.words, "half_even") if rounding else "half_even"
    return Scale(
        places=_places(places, 2) if places else None,
        rounding=cast("Literal['half_even', 'half_up']", how),
        factor=_factor(options.get("factor")),
    )


def _places(node: Node, fallback: int) -> int:
    return node.integer(lens_words.PLACES.lowest, lens_words.PLACES.highest, fallback)


def _factor(node: Node | None) -> Decimal:
    if node is None:
        return Decimal(1)
    number = Decimal(str(node.number(1e-9, 1e9, 1)))
    digits = int("".join(str(digit) for digit in number.as_tuple().digits))
    while digits % 2 == 0 or digits % 5 == 0:
        digits //= 2 if digits % 2 == 0 else 5
    if digits != 1:
        node.fault(
            f"dividing by {described(node.value)} never ends; a factor is made of twos and fives, as 100 or 0.25"
        )
        return Decimal(1)
    return number


def _map(node: Node, name: str) -> SingleLens:
    setting = node.value.name if isinstance(node.value, FromSetting) else ""
    if not isinstance(node.value, Mapping) or not (node.value or setting):
        node.fault('a value map is needed, native to shared, as in map: {D: DE, "040": AT}')
        return Same()
    pairs = []
    for native, value in node.value.items():
        shared = Node(value, (*node.path, native), node.faults).scalar()
        pairs.append((cast("Scalar", native), shared))
    texts = [str(native).lower() if isinstance(native, bool) else str(native) for native, _ in pairs]
    for text in sorted({text for text in texts if texts.count(text) > 1}):
        node.fault(f"{described(text)} stands twice in the value map, as a text and as something else")
    return MapValues(tuple(pairs), f"setting {setting}" if setting else f"value map of {name}")


def _bool(node: Node) -> SingleLens:
    if not isinstance(node.value, Mapping) or set(node.value) != {True, False}:
        node.fault("the words for true and false are missing, as in bool: {true: J, false: N}")
        return Same()
    pairs: list[tuple[Scalar, Scalar]] = []
    for meaning, words in node.value.items():
        below = Node(words, (*node.path, meaning), node.faults)
        pairs += [(word, bool(meaning)) for word in _scalars(below)]
    texts = [str(word) for word, _ in pairs]
    if len(set(texts)) < len(texts):
        node.fault("one word can't mean true and false")
    return MapValues(tuple(pairs), "list of words for true and false")


def _number(node: Node) -> SingleLens:
    if not isinstance(node.value, Mapping):
        return NumberText(node.word(lens_words.POINTS.words, ",") if node.value is not None else ".")
    options = node.table(lens_words.NUMBER)
    decimal, thousands, places = options.get("decimal"), options.get("thousands"), options.get("places")
    lens = NumberText(
        decimal.word(lens_words.POINTS.words, ",") if decimal else ".",
        _separator(thousands) if thousands else "",
        _places(places, 0) if places else 0,
    )
    if lens.decimal == lens.thousands:
        node.fault("decimal and thousands can't be the same sign")
    return lens


def _date(node: Node) -> SingleLens:
    if node.value in ("midnight", "midnight_utc"):
        return Day("utc" if node.value == "midnight_utc" else "none")
    if not isinstance(node.value, Mapping):
        return DateText(_date_format(node))
    options = node.table(lens_words.DATE)
    form, empty = options.get("format"), options.get("empty")
    return DateText(_date_format(form) if form else "%Y-%m-%d", empty.text() if empty else None)


def _date_format(node: Node) -> str:
    form = node.text("%Y-%m-%d")
    used = re.findall(r"%(.?)", form)
    hours = [sign for sign in used if sign in ("H", "M", "S")]
    wrong = [sign for sign in used if sign not in ("d", "m", "Y", "H", "M", "S")]
    if (
        wrong
        or len(used) != len(set(used))
        or not {"d", "m", "Y"} <= set(used)
        or (hours and "H" not in hours)
    ):
        node.fault(
            f"{described(form)} is not a form for dates: %d, %m and %Y once each, with a time also %H, %M, %S; "
            "or midnight, midnight_utc for a system that holds a day as an instant"
        )
        return "%Y-%m-%d"
    return form


def _phone(node: Node) -> SingleLens:
    country = node.value if isinstance(node.value, str) else ""
    if country not in lens_words.PHONE_COUNTRIES.words:
        node.fault(
            f"{described(node.value)} is not a country with phone numbers; two letters are needed, as in phone: DE"
        )
        return Same()
    return Phone(country)


def _country(node: Node) -> SingleLens:
    form = node.word(lens_words.COUNTRY_FORMS.words, "iso2") if node.value is not None else "iso2"
    return CountryCode(cast("Literal['iso2', 'iso3', 'numeric']", form))


def _list(node: Node) -> SingleLens:
    return ListText(_separator(node)) if node.value is not None else ListText()


def _join(node: Node | None, paths: int) -> Join:
    if node is None:
        return Join(paths)
    if not isinstance(node.value, Mapping):
        return Join(paths, _separator(node))
    options = node.table(lens_words.JOIN)
    separator, rest, empty = options.get("separator"), options.get("rest"), options.get("empty")
    return Join(
        paths,
        _separator(separator) if separator else " ",
        cast(
            "Literal['first', 'last', 'whole', 'lines']",
            rest.word(lens_words.RESTS.words, "last") if rest else "last",
        ),
        _separator(empty) if empty else "",
    )


def _separator(node: Node) -> str:
    # A blank or a line end is a separator, though no text otherwise.
    if isinstance(node.value, str) and node.value:
        return node.value
    node.fault(f"{described(node.value)} is not a separator")
    return " "


def _scalars(node: Node) -> list[Scalar]:
    return [item.scalar() for item in node.items()] if isinstance(node.value, list) else [node.scalar()]


# What a blueprint may say -> what it becomes. Some need more than their options and are built in `_step`.
_WORDS: Final[Mapping[str, Callable[[Node], SingleLens]]] = MappingProxyType(
    {
        "same": _plain(Same()),
        "trim": _plain(Trim()),
        "case": _case,
        "default": _default,
        "empty": _empty,
        "length": _length,
        "scale": _scale,
        "number": _number,
        "date": _date,
        "phone": _phone,
        "country": _country,
        "list": _list,
        "bool": _bool,
        "map": _plain(Same()),
        "join": _plain(Same()),
        "gross": _plain(Same()),
        "formula": _plain(Same()),
    }
)
