"""The lock files: complete, hashed, agreeing with each other and with what is installed."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tidy import repository

LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")
PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\$", re.MULTILINE
)


def pins(lock: str) -> dict[str, str]:
    """Name -> version of a lock file, for this platform."""
    text = (repository.ROOT / lock).read_text()
    return {
        canonicalize_name(match["name"]): match["version"]
        for match in PIN.finditer(text)
        if not match["marker"] or Marker(match["marker"]).evaluate()
    }


def installed() -> dict[str, str]:
    """Name -> version of every distribution in this environment."""
    return {canonicalize_name(found.metadata["Name"]): found.version for found in metadata.distributions()}


def project() -> dict[str, list[str]]:
    """The requirements that pyproject.toml states for the runtime (key "") and per dependency group."""
    document = tomllib.loads((repository.ROOT / "pyproject.toml").read_text())
    groups = {
        name: [entry for entry in entries if isinstance(entry, str)]
        for name, entries in document["dependency-groups"].items()
    }
    return {"": document["project"]["dependencies"], **groups}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    text = (repository.ROOT / lock).read_text()
    assert "://" not in text
    blocks = [block for block in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE) if "==" in block]
    assert blocks
    assert not [
        block.splitlines()[0] for block in blocks if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", block)
    ]
    assert len(blocks) == len(PIN.findall(text)), "a line that is no pin"


def test_locks_agree_with_each_other() -> None:
    everything = pins("requirements-dev.lock")
    for lock in LOCKS:
        assert not {
            name: version for name, version in pins(lock).items() if everything.get(name) != version
        }, lock


@pytest.mark.parametrize(
    "group, lock",
    [("", "requirements.lock"), ("build", "requirements-build.lock"), ("dev", "requirements-dev.lock")],
)
def test_locks_satisfy_the_project(group: str, lock: str) -> None:
    locked = pins(lock)
    needs = [Requirement(entry) for entry in project()[group]]
    missing = [
        str(need)
        for need in needs
        if not need.specifier.contains(locked.get(canonicalize_name(need.name), "0"))
    ]
    assert not missing, f"{lock} is out of date, run `make lock`: {missing}"


def test_the_environment_is_the_locked_one() -> None:
    locked, found = pins("requirements-dev.lock"), installed()
    differing = {
        name: (found.get(name), version) for name, version in locked.items() if found.get(name) != version
    }
    assert not differing, f"installed is not what is locked, run `make .venv`: {differing}"


def test_nothing_else_owns_our_package_names() -> None:
    """python-daemon and its like install top-level packages of the same names; two wheels would merge into one folder."""
    owners = metadata.packages_distributions()
    strangers = {
        package: owner
        for package in ("actors", "clients", "daemon", "tandem", "tandem_client")
        for owner in owners.get(package, ())
        if owner not in {"tandemd", "tandem-client"}
    }
    assert not strangers


def test_the_client_needs_no_more_than_the_daemon() -> None:
    document = tomllib.loads((repository.ROOT / "clients/python/pyproject.toml").read_text())
    client = document["project"]["dependencies"]
    assert client
    assert set(client) <= set(project()[""])
