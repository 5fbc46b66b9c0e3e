"""The frame of an OData `$filter`: words, `and`, `or`, brackets. What stands between them is the vendor's own.

Must not: know any system.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from clients.emulators.data import Near
from clients.emulators.description import Refused, Row

Test = Callable[[Row], bool]


class Filtering:
    """One parsed `$filter`. A vendor's class gives `one`: a comparison, a function, what stands in brackets. `token`: how
    words are told apart, by named groups; `word` and `sign` are those that can be skipped."""

    def __init__(self, text: str, token: re.Pattern[str]) -> None:
        self._tokens = _tokens(text, token)
        self._place = 0
        self.ors = self.ands = 0
        self.test: Test = self.alternatives()
        if self._place < len(self._tokens):
            raise Refused(f"Syntax error at '{self._tokens[self._place][1]}' in the filter")

    def one(self) -> Test:
        """What comes next, up to `and`, `or` or the end."""
        raise NotImplementedError

    def alternatives(self) -> Test:
        """All that is joined by `or`, and by `and` before that."""
        tests = [self._all()]
        while self.skip("or"):
            self.ors += 1
            tests.append(self._all())
        return lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self.one()]
        while self.skip("and"):
            self.ands += 1
            tests.append(self.one())
        return lambda row: all(test(row) for test in tests)

    def bracketed(self) -> Test:
        """The inside of a bracket that was skipped, with its end."""
        inner = self.alternatives()
        self.need(")")
        return inner

    def next(self) -> tuple[str, str]:
        """Kind and text of the next word."""
        if self._place >= len(self._tokens):
            raise Refused("The filter ends too early")
        self._place += 1
        return self._tokens[self._place - 1]

    def skip(self, word: str) -> bool:
        """Whether this comes next; it is passed then."""
        if self._place < len(self._tokens) and self._tokens[self._place] in (("word", word), ("sign", word)):
            self._place += 1
            return True
        return False

    def need(self, sign: str) -> None:
        """Pass what has to come next."""
        if not self.skip(sign):
            raise Refused(f"'{sign}' is missing in the filter")


def _tokens(text: str, token: re.Pattern[str]) -> list[tuple[str, str]]:
    place, found = 0, list[tuple[str, str]]()
    while place < len(text.rstrip()):
        match = token.match(text, place)
        if match is None:
            raise Refused(f"Syntax error at '{text[place : place + 20]}' in the filter")
        kind = str(match.lastgroup)
        found.append((kind, match.group(kind)))
        place = match.end()
    return found


def near(compared: Sequence[tuple[str, str, Any]], *, ors: int, ands: int) -> Near | None:
    """Where the rows are that fulfil comparisons (field, `=`, `>` or `<`, value), all joined by `or`, or all by `and`;
    None: anywhere. A bound may be one of them, or not."""
    names = {name for name, _, _ in compared}
    if not ands and len(names) == 1 and all(sign == "=" for _, sign, _ in compared):
        return Near(names.pop(), values=[value for _, _, value in compared])
    if ors:
        return None
    for name, sign, value in compared:
        if sign == "=":
            return Near(name, values=[value])
    for name, sign, value in compared:
        if sign in (">", "<"):
            return Near(name, least=value) if sign == ">" else Near(name, most=value)
    return None
