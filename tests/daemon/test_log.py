"""Log lines: `action` first, one JSON object each, other libraries' lines the same way, no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from daemon import log

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Everything logged so far; the process' logging is put back afterwards."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    stream = io.StringIO()
    log.configure("info", "json", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def test_the_action_comes_first_and_fields_follow(lines: Lines) -> None:
    log.logger("engine").info("run.ended", link="l1", run="r1", duration_s=0.5)
    (line,) = lines()
    assert list(line)[:4] == ["action", "timestamp", "level", "logger"]
    assert line["action"] == "run.ended"
    assert (line["link"], line["run"], line["duration_s"]) == ("l1", "r1", 0.5)


def test_lines_below_the_level_are_not_written(lines: Lines) -> None:
    log.logger("engine").debug("look.done")
    logging.getLogger("somebody").info("kept")
    assert [line["action"] for line in lines()] == ["kept"]


def test_lines_of_other_libraries_and_warnings_take_the_same_way(lines: Lines) -> None:
    logging.getLogger("somebody").warning("took %s", "3 s", extra={"password": "hush"})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", stacklevel=1)
    first, second = lines()
    assert (first["action"], first["logger"], first["password"]) == ("took 3 s", "somebody", "***")
    assert "old" in second["action"]


def test_an_exception_is_one_line_with_its_traceback_and_without_its_secrets(lines: Lines) -> None:
    try:
        raise ValueError("can't open postgresql://ann:hush-hush@db/x")
    except ValueError:
        log.logger("api").exception("api.failed", incident="1")
    (line,) = lines()
    assert "Traceback" in line["exception"]
    assert "hush-hush" not in json.dumps(line)


def test_the_console_shows_the_same_without_secrets() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before = list(root.handlers), root.level
    try:
        log.configure("info", "console", stream)
        log.logger("api").info("api.called", token="tdm_ab12cd_hush", link="l1")
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
        logging.captureWarnings(False)
        structlog.reset_defaults()
    assert "api.called" in stream.getvalue() and "link=l1" in stream.getvalue()
    assert "hush" not in stream.getvalue()


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "db_password",
        "client_secret",
        "api_key",
        "apikey",
        "Authorization",
        "access_token",
        "credentials",
    ],
)
def test_secrets_are_struck_out_by_the_name_of_their_key(key: str) -> None:
    assert log.redacted({"deep": [{key: "hush"}]}) == {"deep": [{key: "***"}]}


@pytest.mark.parametrize("key", ["token_id", "secretary", "tokens_total", "passwords_count", "link"])
def test_other_keys_stay(key: str) -> None:
    assert log.redacted({key: "value"}) == {key: "value"}


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:hush@db:5432/x",
        "postgresql://ann:hu@sh@db/x and more",
        "https://:hush@host/path",
        "host=db password=hush user=ann",
        "password='hu sh'",
        'token: "hush"',
        "Authorization: Bearer hush.hush.hush",
        "tdm_0123456789ab_hushHUSH-_9",
    ],
)
def test_secrets_within_texts_are_struck_out(text: str) -> None:
    found = log.redacted_text(text)
    assert "hush" not in found.lower() and "sh@" not in found and "***" in found


def test_texts_without_secrets_stay_as_they_are() -> None:
    text = "link tenant/orders: 3 records at 10:30, see https://example.com/a?b=c#d and ann@example.com"
    assert log.redacted_text(text) == text


def test_no_word_of_a_connector_about_what_it_does_strikes_out_the_name_of_its_system() -> None:
    """ "can't draw a token: shop answered 401" came out as "token: ***"."""
    said = [
        found
        for path in sorted((Path(__file__).parents[2] / "clients/connectors").rglob("*.py"))
        for found in re.findall(r'doing="([^"{]+)"', path.read_text(encoding="utf-8"))
    ]
    assert "log in" in said
    lines = [f"can't {doing}: shop answered 401" for doing in said]
    assert [log.redacted_text(line) for line in lines] == lines
