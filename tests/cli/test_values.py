"""How values are written on the command line, and what they become in protobuf JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.cli import values


def convert(kind: values.Kind, text: str) -> Any:
    return kind.convert(text, None, None)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("30s", "30s"),
        ("5m", "300s"),
        ("1h30m", "5400s"),
        ("250ms", "0.250s"),
        ("2d", "172800s"),
        ("1.5m", "90.0s"),
    ],
)
def test_durations(text: str, expected: str) -> None:
    assert convert(values.Duration(), text) == expected


@pytest.mark.parametrize("text", ["30", "m5", "-5s", "5 minutes", ""])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="like 30s"):
        convert(values.Duration(), text)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2026-05-04", "2026-05-04T00:00:00Z"),
        ("2026-05-04T12:30:00", "2026-05-04T12:30:00Z"),
        ("2026-05-04T12:30:00+02:00", "2026-05-04T10:30:00Z"),
        ("2026-05-04T12:30:00.25Z", "2026-05-04T12:30:00.250000Z"),
    ],
)
def test_times(text: str, expected: str) -> None:
    assert convert(values.Timestamp(), text) == expected


def test_what_is_no_time() -> None:
    with pytest.raises(click.BadParameter, match="2026-05-04T12:30:00Z"):
        convert(values.Timestamp(), "yesterday")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("3", 3),
        ("-2.5", -2.5),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ('"17"', "17"),
        ("", ""),
        ("plain words", "plain words"),
        # As numbers these would come back as something else.
        ("0123", "0123"),
        ("1.10", "1.10"),
        ("1e3", "1e3"),
        ("12345678901234567890", "12345678901234567890"),
        ("NaN", "NaN"),
        # YAML would make a truth value of it.
        ("no", "no"),
    ],
)
def test_scalars(text: str, expected: object) -> None:
    found = values.scalar(text)
    assert (found, type(found)) == (expected, type(expected))


@given(st.text())
def test_no_text_is_changed_unless_it_reads_as_json(text: str) -> None:
    found = values.scalar(text)
    assert not isinstance(found, str) or found == text or text.strip().startswith('"')


@given(st.integers())
def test_a_number_is_kept_exactly(number: int) -> None:
    found = values.scalar(str(number))
    assert int(float(found)) == number if isinstance(found, int) else found == str(number)


def test_text_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "blueprint.yaml"
    file.write_text("streams: {}\n")
    assert convert(values.Text(), f"@{file}") == "streams: {}\n"
    assert convert(values.Text(), "@@home") == "@home"
    assert convert(values.Text(), "home") == "home"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(click.BadParameter, match=r"gone\.yaml: No such file"):
        convert(values.Text(), f"@{tmp_path / 'gone.yaml'}")


def test_text_must_be_text(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"ab\xff")
    with pytest.raises(click.BadParameter, match="not UTF-8 text at byte 2"):
        convert(values.Text(), f"@{tmp_path / 'raw'}")
    assert convert(values.Bytes(), f"@{tmp_path / 'raw'}") == "YWL/"


def test_settings_nest_and_may_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("secret")
    (tmp_path / "settings.yaml").write_text(
        "url: https://erp.test\nsince: 2026-05-04\nlogin:\n  user: anna\n"
    )
    given_parts = (
        f"@{tmp_path / 'settings.yaml'}",
        "login.attempts=3",
        f"login.key=@{tmp_path / 'key.pem'}",
        "a=b=c",
    )
    merged = values.merge(tuple(convert(values.Settings(), part) for part in given_parts))
    assert merged == {
        "url": "https://erp.test",
        "since": "2026-05-04",
        "login": {"user": "anna", "attempts": 3, "key": "secret"},
        "a": "b=c",
    }


@pytest.mark.parametrize(
    "held, meant", [("secret\n", "secret"), ("secret\r\n", "secret"), ("a\nb\n", "a\nb\n"), (" x ", " x ")]
)
def test_a_secret_in_a_file_of_one_line_is_that_line(tmp_path: Path, held: str, meant: str) -> None:
    (tmp_path / "token").write_bytes(held.encode())
    assert convert(values.Settings(), f"token=@{tmp_path / 'token'}") == {"token": meant}


@pytest.mark.parametrize("text", ["url", "=x", "a..b=1"])
def test_what_is_no_setting(text: str) -> None:
    with pytest.raises(click.BadParameter, match="neither key=value nor @file"):
        convert(values.Settings(), text)


@pytest.mark.parametrize(
    "content, says", [("- a\n", "must hold an object"), ("a: [", "neither YAML nor JSON")]
)
def test_a_settings_file_must_hold_an_object(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "settings.yaml").write_text(content)
    with pytest.raises(click.BadParameter, match=says):
        convert(values.Settings(), f"@{tmp_path / 'settings.yaml'}")


def test_merging_lets_the_later_win() -> None:
    assert values.merge(({"a": 1, "b": {"c": 1}}, {"a": {"x": 2}, "b": {"d": 3}}, {"b": 0})) == {
        "a": {"x": 2},
        "b": 0,
    }
