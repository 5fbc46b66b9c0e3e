"""Where the address, the token and TLS come from, and that the local admin token stays local."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from clients.cli import target

REMOTE = "tandem.example:7443"


def resolve(environment: dict[str, str] | None = None, **given: Any) -> target.Target:
    return target.resolve(given, environment or {})


def token_file(folder: Path, token: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "admin.token"
    path.write_text(f"{token}\n")
    return path


def test_defaults() -> None:
    found = resolve()
    assert (found.address, found.token, found.tls, found.timeout_s) == ("127.0.0.1:7443", None, False, 30.0)


def test_the_nearest_token_wins(tmp_path: Path) -> None:
    given = token_file(tmp_path / "given", "from the option's file")
    environment = {"TANDEM_TOKEN": "from the variable", "TANDEM_DATA_DIR": str(tmp_path / "data")}
    token_file(tmp_path / "data", "from the data folder")
    assert resolve(environment, token="from the option", token_file=given).token == "from the option"
    assert resolve(environment, token_file=given).token == "from the option's file"
    assert resolve(environment).token == "from the variable"
    del environment["TANDEM_TOKEN"]
    assert resolve(environment).token == "from the data folder"


def test_data_folders_are_searched_in_order() -> None:
    assert resolve().token is None
    token_file(Path("~/.local/share/tandem").expanduser(), "at home")
    assert resolve().token == "at home"
    token_file(Path("var"), "here")
    assert resolve().token == "here"


def test_the_local_token_is_not_sent_to_another_machine(tmp_path: Path) -> None:
    token_file(Path("var"), "here")
    assert resolve(address=REMOTE).token is None
    token_file(tmp_path, "meant")
    assert resolve({"TANDEM_DATA_DIR": str(tmp_path)}, address=REMOTE).token == "meant"


@pytest.mark.parametrize(
    "address, local",
    [
        ("127.0.0.1:7443", True),
        ("localhost:7443", True),
        ("[::1]:7443", True),
        ("unix:/run/tandem.sock", True),
        ("dns:///localhost:7443", True),
        ("10.0.0.1:7443", False),
        (REMOTE, False),
    ],
)
def test_which_addresses_are_local(address: str, local: bool) -> None:
    assert target.is_local(address) is local


def test_an_empty_token_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="is empty"):
        resolve(token_file=token_file(tmp_path, ""))


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="belong together"):
        resolve(cert=tmp_path)


def test_a_certificate_authority_implies_tls(tmp_path: Path) -> None:
    assert resolve(ca=tmp_path).tls
