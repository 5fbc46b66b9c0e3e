"""Tables of entries: the objects of a stream, where there are several on a side. Taken up by entries.py, which is
the whole. Must not: read a blueprint.
"""

from __future__ import annotations

from typing import Final

from actors.core.blueprint.forms import Either, Entries, Entry, Listing, Named, Shared, Text, Words, each
from actors.core.policy import DeletePolicy, LeftBehind
from actors.core.types import SIDES

_POLICY: Final = Words(tuple(member.value for member in DeletePolicy))
# One of several objects of a side: what of the stream's rules is otherwise for the records that stand in it.
OBJECT: Final = (
    Entry(
        "creates",
        Listing(Words(SIDES)),
        "as of the stream; a side that may not create there does not move records there either",
        absent="the stream's",
        example="creates: [b]",
        rows=("G4", "G13", "G22"),
    ),
    Entry(
        "deletes",
        each(SIDES, _POLICY),
        "as of the stream",
        absent="the stream's",
        example="deletes: {b: mark, a: restore}",
        rows=("G3", "G9"),
    ),
)
OBJECTS: Final = Shared("objects", Either((Text(), Named(Entries(OBJECT), least=2))))
LEFT_BEHIND: Final = Entry(
    "left_behind",
    Words(tuple(member.value for member in LeftBehind)),
    "what becomes of a record in its old object once we have made it in another one: `remove`, `mark` (by `mark` of "
    "that side), `keep`",
    absent="`remove`",
    example="left_behind: mark",
    rows=("G8", "G22"),
)
