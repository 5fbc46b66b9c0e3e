"""Conditions that rules depend on: what has to hold of a record's fields. Pure data."""

from __future__ import annotations

import enum

import msgspec

from actors.core.values import Value


class Test(enum.StrEnum):
    """What a condition asks of a field's value."""

    IS = "is"
    NOT = "not"
    FILLED = "filled"
    EMPTY = "empty"


class Condition(msgspec.Struct, frozen=True):
    """One thing that has to hold of a record. `values`: shared values, for `is` and `not`: any of them."""

    field: str
    test: Test
    values: tuple[Value, ...] = ()
