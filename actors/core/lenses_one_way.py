"""Lenses that are only read: a constant, the record's own id, a formula over native values. Nothing is written by them.

A field with such a lens is owned by that side; the other side shows what is read here, and an edit there is put back.
Must not: know streams, sides or systems.
"""

from __future__ import annotations

from functools import cached_property

import msgspec

from actors.core.formula import Formula, FormulaError, compiled
from actors.core.policy import LensError
from actors.core.values import Scalar, Value, canonical

__all__ = ["Computed", "Constant", "OwnId"]


class _OneWay(msgspec.Struct, frozen=True, omit_defaults=True, tag=True, dict=True):
    @property
    def lossy(self) -> bool:
        """Nothing is written, so nothing is lost."""
        return False

    @property
    def one_way(self) -> bool:
        """It only reads."""
        return True

    def put(self, old: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        """What stands there stays."""
        return old


class Constant(_OneWay, frozen=True):
    """One value for every record, from no native path: a read-only mark, a status that has to stay (G2, U3)."""

    value: Scalar

    def get(self, native: tuple[Value, ...]) -> Value:
        """See policy.Lens."""
        return canonical(self.value)


class OwnId(_OneWay, frozen=True):
    """The id under which the system keeps the record, for a field of the other side (T22, G19)."""

    def get(self, native: tuple[Value, ...]) -> Value:
        """See policy.Lens."""
        return native[0]


class Computed(_OneWay, frozen=True):
    """A formula over native values, which it names by their paths (G16: a dash where stock is not applicable)."""

    text: str
    paths: tuple[str, ...]

    @cached_property
    def _formula(self) -> Formula:
        return compiled(self.text, self.paths)

    def get(self, native: tuple[Value, ...]) -> Value:
        """See policy.Lens."""
        try:
            return self._formula(native)
        except FormulaError as error:
            raise LensError(f"the formula {self.text} says nothing here: {error}") from error
