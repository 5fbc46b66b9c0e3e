"""What ends up on a terminal can't steer it, and lines of `key=value` can be told apart."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from clients.cli import api, render, text
from clients.cli.api import Api


@given(st.text())
def test_no_control_character_is_left(words: str) -> None:
    shown = text.printable(words)
    assert not [char for char in shown if char not in "\n\t" and (ord(char) < 32 or 127 <= ord(char) < 160)]


def test_an_escape_sequence_is_spelled_out() -> None:
    assert text.printable("Anna\x1b[2J Ærø\n") == "Anna\\x1b[2J Ærø\n"


@pytest.mark.parametrize(
    "words, expected",
    [("customers", "customers"), ("New Ltd", '"New Ltd"'), ("a=b", '"a=b"'), ("", '""'), ('7"', '"7\\""')],
)
def test_quotes_where_they_are_needed(words: str, expected: str) -> None:
    assert text.quoted(words) == expected


@pytest.mark.parametrize(
    "seconds, expected",
    [(0, "0s"), (12.5, "12.5s"), (60, "1m"), (93784, "1d 2h 3m 4s"), (7200, "2h")],
)
def test_durations(seconds: float, expected: str) -> None:
    assert text.duration(timedelta(seconds=seconds)) == expected


def test_a_moment() -> None:
    assert text.moment("2026-05-04T12:30:00.250Z") == "2026-05-04 12:30:00Z"


def test_a_whole_message_on_one_line(schema: Api) -> None:
    action = next(method for method in schema.methods() if method.name == "ListPlanActions").response
    answer = api.new(action)
    decision = {
        "field": "name",
        "base": {"value": "Old Ltd"},
        "chosen": {"value": {"n": 17}},
        "a": {"unknown": True},
    }
    row = {"id": "9", "side": "SIDE_B", "reason": "name\x1b[2J changed", "decisions": [decision]}
    json_format.ParseDict({"actions": [row]}, answer)
    (shown,) = (render.cell(field, value) for field, value in api.set_fields(answer))
    assert shown == (
        'id=9 side=b reason="name\\\\x1b[2J changed" '
        'decisions=[field=name base="Old Ltd" a=(unknown) chosen="{\\"n\\": 17}"]'
    )
