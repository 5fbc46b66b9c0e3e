"""Tables of entries: the lines of a record, such as those of an order. Taken up by entries.py, which is the whole.

Must not: read a blueprint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from actors.core.blueprint.entries_rules import CUSTOM
from actors.core.blueprint.forms import Entries, Entry, Flag, Form, Listing, Named, Number, Text, each
from actors.core.types import SIDES

# What a field of a line may say of what a field may say: the rest is decided for all lines at once.
OF_A_LINE: Final = ("a", "b", "lens", "lens_a", "lens_b", "required", "reference", "lossy")
_OF_A_LINE: Final = ", ".join(f"`{one}`" for one in OF_A_LINE)
LINE_NAME: Final = r"[a-z][a-z0-9_]{0,62}"
TOLERANCE: Final = Number(0, 1_000_000)


def line_table(field: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries of a field of a line."""
    return tuple(entry for entry in field if entry.name in OF_A_LINE)


def lines_table(field: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries of `lines`. `field`: those of a plain field."""
    fields: Form = Named(Entries(line_table(field)), LINE_NAME, least=1)
    return (
        Entry(
            "fields",
            fields,
            f"the fields of one line, by name; their paths are within the line. Each may say {_OF_A_LINE}",
            required=True,
            example="fields: {article: {a: ARTNR, b: article_id, reference: articles}}",
            rows=("U9", "U18", "T7"),
        ),
        Entry(
            "key",
            Listing(Text(), least=1),
            "the fields by which lines of both sides are known to be the same",
            absent="they are told by what they hold, and by their order",
            example="key: [position]",
            rows=("U19",),
        ),
        Entry(
            "ordered",
            Flag(),
            "`false`: the order of the lines says nothing",
            absent="`true`",
            example="ordered: false",
        ),
        Entry(
            "position",
            each(SIDES, Text()),
            "the path within the line that carries the order on that side",
            absent="the order of delivery",
            example="position: {b: line_no}",
            rows=("U19",),
        ),
        Entry(
            "sums",
            Named(Text(), LINE_NAME),
            "a field of the record -> the formula over the fields of a line that has to add up to it",
            absent="nothing is checked",
            example='sums: {total: "round(quantity * price, 2)"}',
            rows=("U9", "U18"),
        ),
        Entry(
            "tolerance",
            TOLERANCE,
            "so much a sum may be off",
            absent="0",
            example="tolerance: 0.05",
            rows=("U18",),
        ),
        CUSTOM,
    )


def lines_entry(field: Sequence[Entry]) -> Entry:
    """The entry `lines` of a field."""
    return Entry(
        "lines",
        Entries(lines_table(field)),
        "the value is the list of the record's lines, which go with it as a whole; see [below](#lines)",
        example="lines: {fields: {article: {a: ARTNR, b: article}}}",
        rows=("U9", "U18", "U19", "T7"),
    )
