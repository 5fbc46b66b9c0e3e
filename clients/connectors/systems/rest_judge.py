"""What answers mean to a system of the connector `rest`: the rules of its declaration first, then the plain table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from actors.core.errors import Kind
from clients.connectors.http.judge import RATE_LIMIT_S, Judge, Verdict, said
from clients.connectors.http.values import as_text
from clients.connectors.http.wire import Answer, Meaning, Request, Unreadable, at
from clients.connectors.systems.rest_plan import AnswerRule

_EMPTY: Final = (None, False, 0, "")
_MEANINGS: Final[Mapping[str, Meaning]] = {
    "gone": "gone",
    "moved_on": "moved_on",
    "exists": "exists",
    "refused": "refused",
}


class RestJudge(Judge):
    """The first rule that fits counts. Rules look at every answer, good ones too: that is where errors hide."""

    def __init__(self, name: str, rules: tuple[AnswerRule, ...], words: tuple[str, ...]) -> None:
        super().__init__(name)
        self._rules = rules
        self._words = words

    def special(self, request: Request, answer: Answer) -> Verdict | None:
        """The first rule that fits."""
        if not self._rules:
            return None
        body = _body(answer)
        rule = next((rule for rule in self._rules if _fits(rule, answer, body)), None)
        return None if rule is None else self._by_rule(rule, request, answer, body)

    def words(self, answer: Answer) -> str:
        """From the places that the declaration names, else the usual ones."""
        body = _body(answer)
        if self._words and body is not msgspec.UNSET:
            found = said(body, self._words)
            if found:
                return found
        return super().words(answer)

    def _by_rule(self, rule: AnswerRule, request: Request, answer: Answer, body: Any) -> Verdict:
        words = self.words(answer)
        if rule.means == "no_access":
            return Verdict(
                None, Kind.AUTH, words=words, hint="check the credentials and their rights", renew=True
            )
        if rule.means == "too_many":
            return Verdict(
                None, Kind.RATE_LIMITED, words=words, retry_after_s=self._wait_s(rule, answer, body)
            )
        if rule.means == "later":
            return Verdict(None, Kind.TRANSIENT, request.scope, words)
        if rule.means in ("gone", "moved_on") and not request.record:
            return Verdict("refused", words=words)
        return Verdict(_MEANINGS[rule.means], words=words)

    def _wait_s(self, rule: AnswerRule, answer: Answer, body: Any) -> float:
        told = at(body, rule.seconds) if rule.seconds and body is not msgspec.UNSET else None
        if isinstance(told, int | Decimal | str):
            try:
                return max(0.0, float(told))
            except ValueError:
                pass  # no number: the header may say it
        after_s = self.retry_after_s(answer)
        return RATE_LIMIT_S if after_s is None else after_s


def _body(answer: Answer) -> Any:
    try:
        return answer.json()
    except Unreadable:
        return msgspec.UNSET


def _fits(rule: AnswerRule, answer: Answer, body: Any) -> bool:
    if rule.status and rule.status != answer.status:
        return False
    if rule.holds and rule.holds not in answer.text():
        return False
    if not rule.at:
        # A rule without any condition would make errors of everything.
        return bool(rule.status or rule.holds)
    found = msgspec.UNSET if body is msgspec.UNSET else at(body, rule.at)
    if found is msgspec.UNSET:
        return False
    if rule.equals is msgspec.UNSET:
        return found not in _EMPTY and found not in ([], {})
    return bool(found == rule.equals) or as_text(found) == as_text(rule.equals)
