"""What an entry of a blueprint is, and the forms that its value may have: the tables in entries.py are made of
these. The loader takes names, bounds and words from them; the JSON schema and the reference page are made from them.

Must not: know any entry, or read a blueprint.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Form(msgspec.Struct, frozen=True):
    """What may stand as the value of an entry."""


class Text(Form, frozen=True):
    """A text that is not blank. `pattern`: all of it has to look like that."""

    pattern: str = ""


class Sign(Form, frozen=True):
    """One character or more, blanks too: what stands between others."""


class Words(Form, frozen=True):
    """One of these words; blanks and hyphens count as underscores."""

    words: tuple[str, ...]


class Flag(Form, frozen=True):
    """true or false."""


class Whole(Form, frozen=True):
    """A whole number."""

    lowest: int
    highest: int


class Number(Form, frozen=True):
    """A number."""

    lowest: float
    highest: float


class Duration(Form, frozen=True):
    """A length of time with its unit, as in 15m. Seconds."""

    lowest_s: float
    highest_s: float


class Scalar(Form, frozen=True):
    """A single value of any type."""


class Anything(Form, frozen=True):
    """Whatever stands there: a value, a list, entries."""


class Empty(Form, frozen=True):
    """Nothing: `~`."""


class Exactly(Form, frozen=True):
    """This value and no other."""

    value: str


class Listing(Form, frozen=True):
    """A list of these."""

    of: Form
    least: int = 0


class Named(Form, frozen=True):
    """Entries with names of one's own. `pattern`: what a name looks like."""

    of: Form
    pattern: str = ""
    least: int = 0


class Entries(Form, frozen=True):
    """Entries with these names and no others."""

    of: tuple[Entry, ...]


class Either(Form, frozen=True):
    """One of several forms."""

    of: tuple[Form, ...]


class Shared(Form, frozen=True):
    """A form that several entries have: the schema states it once, under this name."""

    name: str
    of: Form


class Entry(msgspec.Struct, frozen=True):
    """One entry. `doc`: what it means, as Markdown; `absent`: what holds where it is not there; `example`: a line of YAML;
    `rows`: the rows of SPEC.md that it serves."""

    name: str
    form: Form
    doc: str
    required: bool = False
    absent: str = ""
    example: str = ""
    rows: tuple[str, ...] = ()


def names(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The names of these entries, in order."""
    return tuple(entry.name for entry in entries)


def required(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Those that have to be there."""
    return tuple(entry.name for entry in entries if entry.required)


def known(entries: Sequence[Entry]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What `Node.mapping` asks for: all names, and the required ones."""
    return names(entries), required(entries)


def each(words: Sequence[str], form: Form) -> Entries:
    """Entries that need no word of explanation, each of the same form."""
    return Entries(tuple(Entry(word, form, "") for word in words))
