"""The program around the commands: fast to start, completion, version, and an exit status for whatever happens."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clients.cli import facts
from tests.cli import programs

LOADED = """
import sys
from clients.cli.main import main
try:
    main({arguments!r})
except SystemExit as stop:
    print("status", stop.code)
print("loaded", *sorted({{name.partition(".")[0] for name in sys.modules}} & {{"grpc", "rich", "yaml"}}))
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["runs", "--help"], ["runs", "start", "--help"], ["version"]]
)
def test_help_loads_neither_grpc_nor_rich(arguments: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-c", LOADED.format(arguments=arguments)],
        env=programs.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines()[-2:] == ["status 0", "loaded"]


def test_help_lists_every_exit_status() -> None:
    text = programs.tandemctl("--help").stdout
    for status, meaning in facts.EXIT_STATUS.items():
        assert f"{status}  {meaning}" in text


def test_version() -> None:
    assert programs.tandemctl("version").stdout.startswith("tandemctl 0.")


@pytest.mark.parametrize("shell", ["zsh", "fish", "bash"])
def test_completion_scripts(shell: str) -> None:
    result = programs.tandemctl("completion", shell)
    assert result.returncode == 0
    assert "_TANDEMCTL_COMPLETE" in result.stdout


@pytest.mark.parametrize(
    "words, expected",
    [
        ("tandemctl ru", ["runs"]),
        ("tandemctl runs st", ["start"]),
        ("tandemctl runs start l --scope m", ["master"]),
    ],
)
def test_completion(words: str, expected: list[str]) -> None:
    count = str(len(words.split()) - 1)
    result = programs.tandemctl(_TANDEMCTL_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count)
    assert [line.partition(",")[2] for line in result.stdout.splitlines()] == expected


def test_a_fault_of_the_program_itself_has_its_own_status() -> None:
    broken = "from clients.cli import api, main; api.installed = lambda: b'no descriptors'; main.main([])"
    result = subprocess.run(
        [sys.executable, "-c", broken],
        env=programs.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 70
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("hint: ")
