"""The command line as tests use it: run in a thread of its own, so that the server can live in the test's event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio.to_thread
import click
import pytest
from click.testing import CliRunner, Result

from clients.cli import api
from clients.cli.api import Api
from clients.cli.main import command_line

Run = Callable[..., Awaitable[Result]]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No token, address or data folder of the machine that runs the tests."""
    names = ["ADDRESS", "TENANT", "TOKEN", "DATA_DIR", "TLS", "CA", "CERT", "KEY", "OUTPUT"]
    for name in names:
        monkeypatch.delenv(f"TANDEM_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture(scope="session")
def schema() -> Api:
    return api.load(api.installed())


@pytest.fixture
def commands() -> click.Group:
    return command_line(api.installed())


@pytest.fixture
def tandemctl(commands: click.Group) -> Run:
    """Run a command; `input` is its standard input."""

    async def run(*arguments: str, input: str | None = None, cli: click.Group = commands) -> Result:  # noqa: A002
        return await anyio.to_thread.run_sync(
            lambda: CliRunner().invoke(cli, arguments, input=input, prog_name="tandemctl")
        )

    return run
