"""Every command that a page, a blueprint or a hint names can be typed: it exists, has these options, takes so many words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from clients.cli import api
from clients.cli.main import command_line
from tests.tidy import repository

# Generated from the commands themselves, or about commands that were once.
LEFT_OUT = ("docs/CLI.md", "CHANGELOG.md")
FENCE = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`(tandemctl [^`]+)`")
# What stands behind a command on its line: a comment, or what a shell would do with its output.
BEHIND = re.compile(r"(\s#.*|\s+[|>&].*|; .*)$")
IN_CODE = re.compile(r"tandemctl ([a-z]+) ([a-z]+(?:-[a-z]+)*)")
WORD = re.compile(r"tandemctl (?:--?[a-z-]+ \S+ )*([a-z]+) ([a-z]+(?:-[a-z]+)*)(.*)")


def named() -> Iterator[tuple[str, str]]:
    """Page and command, as they stand there."""
    for path, text in repository.texts().items():
        if not path.endswith((".md", ".yaml")) or path in LEFT_OUT or path.startswith("tests/"):
            continue
        lines = [
            line
            for block in FENCE.findall(text)
            for line in re.sub(r"\\\n\s*", " ", block).splitlines()
            if "tandemctl " in line
        ]
        for line in (*lines, *(" ".join(one.split()) for one in INLINE.findall(text))):
            yield path, line[line.index("tandemctl ") :]


@pytest.fixture(scope="module")
def commands() -> click.Group:
    return command_line(api.installed())


def command_of(commands: click.Group, group: str, name: str) -> click.Command | None:
    found = commands.get_command(click.Context(commands), group)
    if not isinstance(found, click.Group):
        return found
    return found.get_command(click.Context(found), name)


def fault(commands: click.Group, said: str) -> str:
    """Why it can't be typed; "" where it can."""
    match = WORD.match(BEHIND.sub("", said))
    if match is None:
        is_picture = said.startswith("tandemctl  ")
        return "" if is_picture or said.split()[1] in ("completion", "version") else "no command is named"
    command = command_of(commands, match[1], match[2])
    if command is None:
        return f"there is no command {match[1]} {match[2]}"
    try:
        words = shlex.split(re.sub(r"\[(--.*?)\]", r"\1", match[3]))  # what may be left out
    except ValueError as error:
        return str(error)
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    if not words or words == ["..."]:
        return ""  # the command is named, nothing more
    try:
        given, rest, _ = command.make_parser(click.Context(command)).parse_args(words)
    except click.UsageError as error:
        return error.format_message()
    missing = [
        one.metavar for one in arguments if one.required and not isinstance(given.get(str(one.name)), str)
    ]
    files = [
        word
        for one in arguments
        if "FILE" in str(one.metavar) and isinstance(word := given.get(str(one.name)), str)
        if not word.endswith((".yaml", "FILE"))
    ]
    return "; ".join(
        [*(f"{one} is missing" for one in missing), *(f"{one} is no file" for one in (*rest, *files))]
    )


def test_every_command_that_a_page_names_can_be_typed(commands: click.Group) -> None:
    said = list(named())
    assert len(said) > 100
    wrong = [f"{path}: {line}: {why}" for path, line in said if (why := fault(commands, line))]
    assert not wrong, "\n".join(wrong)


def test_every_command_that_the_daemon_hints_at_exists(commands: click.Group) -> None:
    hints = [
        (module.path, *found)
        for module in repository.modules()
        if module.is_product
        for found in IN_CODE.findall(module.text)
    ]
    assert len(hints) > 20
    groups = set(commands.list_commands(click.Context(commands)))
    wrong = [hint for hint in hints if hint[1] in groups and command_of(commands, hint[1], hint[2]) is None]
    assert not wrong


@pytest.mark.parametrize(
    "said, why",
    [
        ("tandemctl links get shop-books", ""),
        ("tandemctl links get", ""),
        ("tandemctl links got shop-books", "there is no command links got"),
        ("tandemctl links get a b", "b is no file"),
        ("tandemctl runs start l --dry", "No such option"),
        ("tandemctl plans approve p", "REVISION is missing"),
        ("tandemctl connections probe shop", "shop is no file"),
        ("tandemctl connections probe shop.yaml   # what of it is true", ""),
    ],
)
def test_what_can_not_be_typed_is_told(commands: click.Group, said: str, why: str) -> None:
    assert (why in fault(commands, said)) if why else fault(commands, said) == ""
