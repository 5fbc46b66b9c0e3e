"""Fields that stand elsewhere in each of several objects of a side: a company's name, and a person's three (T9).

The first path is the object that a record stands in; the others are those of all objects, of which a record has its own.
An object without the field shows nothing and takes nothing, so there it is lossy. Must not: know streams or systems.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import msgspec

from actors.core.lenses import shown
from actors.core.policy import Lens, LensError
from actors.core.values import Value


class InObject(msgspec.Struct, frozen=True):
    """Where the field stands in one object: from the path `first` on, `count` of them; 0: that object has no such field."""

    name: str
    first: int
    count: int
    lens: Lens


class ByObject(msgspec.Struct, frozen=True, tag=True, dict=True):
    """The lens of the object that a record stands in. `places`: one for each object of the side."""

    places: tuple[InObject, ...]

    @cached_property
    def _by_name(self) -> Mapping[Value, InObject]:
        return {one.name: one for one in self.places}

    @property
    def lossy(self) -> bool:
        """Whether some object has no such field, or one of the lenses is lossy."""
        return any(not one.count or one.lens.lossy for one in self.places)

    @property
    def one_way(self) -> bool:
        """Where it is only read in one object it is only read."""
        return any(one.lens.one_way for one in self.places)

    def writes(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """All but the object itself: a record does not move by these."""
        return paths[1:]

    def get(self, native: tuple[Value, ...]) -> Value:
        """See policy.Lens."""
        place = self._place(native)
        return place.lens.get(native[place.first : place.first + place.count]) if place.count else None

    def put(self, old: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        """See policy.Lens. Where there is no such field nothing is written."""
        place = self._place(old)
        if not place.count:
            return old
        end = place.first + place.count
        return (*old[: place.first], *place.lens.put(old[place.first : end], value), *old[end:])

    def _place(self, native: tuple[Value, ...]) -> InObject:
        place = self._by_name.get(native[0]) if native else None
        if place is None:
            raise LensError(
                f"{shown(native[0] if native else None)} is none of the objects that a record stands in"
            )
        return place
