"""The generated code in proto/gen is what proto/generate.py makes of today's proto files, and imports as `tandem.v1`."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from tests.tidy import repository

GENERATED = repository.ROOT / "proto/gen"


def contents(folder: Path) -> dict[str, bytes]:
    """Path -> bytes of everything below `folder`, but for what Python leaves behind."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def generate(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script as `make gen` does."""
    command = [sys.executable, str(repository.ROOT / "proto/generate.py"), "--out", str(out), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_generated_code_is_up_to_date(tmp_path: Path) -> None:
    result = generate(tmp_path)
    assert result.returncode == 0, result.stderr
    fresh, committed = contents(tmp_path), contents(GENERATED)
    stale = [path for path in fresh.keys() | committed.keys() if fresh.get(path) != committed.get(path)]
    assert not stale, f"run `make gen`: {sorted(stale)}"


def test_a_refused_proto_leaves_the_old_code(tmp_path: Path) -> None:
    proto, out = tmp_path / "proto", tmp_path / "out"
    (proto / "tandem/v1").mkdir(parents=True)
    (proto / "tandem/v1/bad.proto").write_text('syntax = "proto3"; package tandem.v1; message Broken {')
    (out / "tandem").mkdir(parents=True)
    (out / "tandem/kept.py").touch()
    result = generate(out, "--proto", str(proto))
    assert result.returncode == 1
    assert "tandem/v1/bad.proto" in result.stderr
    assert contents(out) == {"tandem/kept.py": b""}


def test_every_generated_module_imports() -> None:
    modules = sorted(GENERATED.rglob("*_pb2*.py"))
    assert modules
    for path in modules:
        name = ".".join(path.relative_to(GENERATED).with_suffix("").parts)
        assert importlib.import_module(name).__file__ == str(path)


def test_the_descriptor_set_holds_comments_and_all_imports() -> None:
    """The command line's help and the API reference are made from it."""
    files = descriptor_pb2.FileDescriptorSet.FromString(
        (GENERATED / "tandem/v1/descriptors.binpb").read_bytes()
    ).file
    names = {file.name for file in files}
    assert {needed for file in files for needed in file.dependency} <= names
    services = [file for file in files if file.package == "tandem.v1" and file.service]
    assert services
    for file in services:
        assert any(location.leading_comments for location in file.source_code_info.location), file.name


@pytest.mark.parametrize("path", sorted(p.name for p in (repository.ROOT / "proto/tandem").rglob("*.proto")))
def test_every_proto_file_is_named_in_snake_case(path: str) -> None:
    assert path == path.lower().replace("-", "_")
