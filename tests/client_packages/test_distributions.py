"""Both distributions build, hold what they must, and work where the other one is not: built once, unpacked, imported by
a fresh interpreter that sees nothing of this checkout.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "clients/python"
# Third-party packages come from this environment, its editable install of the checkout does not.
ISOLATED = """
import sys
root, wheel, *modules = sys.argv[1:]
sys.path[:] = [wheel, *(path for path in sys.path if not path.startswith(root) or "site-packages" in path)]
import importlib
for name in modules:
    module = importlib.import_module(name)
    print(name, module.__file__)
"""


def build(project: Path, target: str, out: Path) -> Path:
    """Build one artefact with the locked hatchling, offline; returns its path."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    result = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (artefact,) = (path for path in out.iterdir() if path.suffix in {".whl", ".gz"})
    return artefact


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tree(folder: Path, pattern: str = "*") -> set[str]:
    """Files below `folder`, as paths from it, without what Python leaves behind."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def expect_importable(wheel: Path, where: Path, modules: list[str]) -> None:
    """Unpack the wheel and import `modules` from there, and only from there."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(where)
    result = subprocess.run(
        [sys.executable, "-c", ISOLATED, str(ROOT), str(where), *modules],
        cwd=where,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for line in result.stdout.splitlines():
        assert line.split(" ", 1)[1].startswith(str(where)), line


@pytest.fixture(scope="module")
def daemon_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("daemon"))


@pytest.fixture(scope="module")
def client_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(CLIENT, "wheel", tmp_path_factory.mktemp("client"))


def test_the_daemon_wheel_holds_its_data_files(daemon_wheel: Path) -> None:
    expected = {
        f"daemon/{path}" for pattern in ("*.sql", "*.yaml") for path in tree(ROOT / "daemon", pattern)
    }
    expected |= {f"tandem/{path}" for path in tree(ROOT / "proto/gen/tandem")}
    assert "tandem/v1/descriptors.binpb" in expected
    assert expected <= names(daemon_wheel)


def test_the_daemon_wheel_holds_every_product_module_and_no_other(daemon_wheel: Path) -> None:
    expected = {
        f"{top}/{path}" for top in ("actors", "clients", "daemon") for path in tree(ROOT / top, "*.py")
    }
    expected = {path for path in expected if not path.startswith("clients/python/")}
    packed = {name for name in names(daemon_wheel) if name.endswith(".py")}
    assert {name for name in packed if not name.startswith("tandem/")} == expected


def test_the_daemon_wheel_works_alone(daemon_wheel: Path, tmp_path: Path) -> None:
    expect_importable(daemon_wheel, tmp_path, ["daemon.serve", "clients.cli.main", "tandem.v1"])


def test_the_client_wheel_works_alone(client_wheel: Path, tmp_path: Path) -> None:
    generated = {f"tandem/{path}" for path in tree(ROOT / "proto/gen/tandem")}
    library = {f"tandem_client/{path}" for path in tree(CLIENT / "tandem_client")}
    packed = {name for name in names(client_wheel) if ".dist-info/" not in name}
    assert packed == generated | library
    expect_importable(client_wheel, tmp_path, ["tandem_client", "tandem.v1"])


def test_the_client_sdist_builds_the_same_wheel(client_wheel: Path, tmp_path: Path) -> None:
    sdist = build(CLIENT, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert names(build(unpacked, "wheel", tmp_path / "wheel")) == names(client_wheel)


def test_the_daemon_sdist_builds_the_same_wheel(daemon_wheel: Path, tmp_path: Path) -> None:
    sdist = build(ROOT, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert names(build(unpacked, "wheel", tmp_path / "wheel")) == names(daemon_wheel)
