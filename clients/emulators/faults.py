"""Faults on demand that are common to all emulators: what goes wrong with a request, and when.

A fault waits for requests that fit (`method`, `path`), lets `after` of them pass, and then happens `times` times. `done`
says whether the request took effect before things went wrong. Must not: know any system.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

Kind = Literal[
    "rate_limit",  # 429 in the vendor's own words; `seconds`: how long to wait
    "error",  # `status` in the vendor's own words
    "cut",  # the line is cut without an answer, after `seconds`
    "late",  # the line is cut, and the request takes effect `seconds` later
    "slow",  # an answer as it should be, after `seconds`
    "expire",  # every session and token is void from this request on
    "html",  # a page of a proxy, with `status`
    "malformed",  # the answer breaks off in the middle of it, with a length that fits
    "truncated",  # the line is cut in the middle of the answer
    "encoded",  # the answer in another encoding than it says
    "odd",  # in every object of the answer these `values` in the place of its own, or besides
    "huge",  # the answer with `size` blanks in front of it
    "edit",  # a person is quicker: `edits` are made, then the request is answered as ever
]


class Edit(msgspec.Struct, frozen=True):
    """What a person at the system does."""

    op: Literal["insert", "edit", "delete"]
    table: str
    key: int | str = ""
    values: dict[str, Any] = {}


class Fault(msgspec.Struct, frozen=True):
    """One fault. `times`: -1 until it is taken away. `path`: a regular expression that is searched for."""

    kind: Kind
    path: str = ""
    method: str = ""
    times: int = 1
    after: int = 0
    seconds: float = 0.0
    status: int = 500
    done: bool = False
    edits: tuple[Edit, ...] = ()
    values: dict[str, Any] = {}
    size: int = 0


class Faults:
    """The faults that are in force, in the order they were asked for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Fault, list[int]]] = []  # with the requests to pass and the times left
        self.happened: list[str] = []

    def add(self, fault: Fault) -> None:
        """From now on."""
        self._waiting.append((fault, [fault.after, fault.times]))

    def clear(self) -> None:
        """No more faults."""
        self._waiting.clear()

    @property
    def waiting(self) -> Sequence[Fault]:
        """Faults that have not happened as often as they were asked to."""
        return [fault for fault, _ in self._waiting]

    def meets(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets: the first that fits and is due."""
        for entry in self._waiting:
            fault, left = entry
            if fault.method not in ("", method) or not re.search(fault.path, path):
                continue
            if left[0] > 0:
                left[0] -= 1
                continue
            left[1] -= 1
            if left[1] == 0:
                self._waiting.remove(entry)
            self.happened.append(f"{fault.kind} {method} {path}")
            return fault
        return None
