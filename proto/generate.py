"""Generate the Python code of the API from `proto/tandem/**/*.proto` into `proto/gen`.

Owns: what is generated and how (messages, gRPC stubs, their types, and the descriptor set that the command line
and the API reference are built from). Must not: be imported by the product, or need anything beyond the packages
of the lock file. Everything in the output folder is replaced. `tests/tidy/test_generated.py` regenerates and compares.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from grpc_tools import protoc

PROTO_ROOT = Path(__file__).resolve().parent
DESCRIPTORS = Path("tandem/v1/descriptors.binpb")
PACKAGE_DOCSTRING = '"""Generated from proto/tandem by proto/generate.py; never edited."""\n'


def main(argv: Sequence[str] | None = None) -> int:
    """Regenerate; exit status 0, or 1 with protoc's own words on stderr."""
    parser = argparse.ArgumentParser(description="Generate the Python code of the API.")
    parser.add_argument("--proto", type=Path, default=PROTO_ROOT, help="folder that holds tandem/**/*.proto")
    parser.add_argument("--out", type=Path, default=PROTO_ROOT / "gen", help="folder to replace")
    arguments = parser.parse_args(argv)
    try:
        count = generate(arguments.proto, arguments.out)
    except GenerateError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{arguments.out}: generated from {count} proto files")
    return 0


class GenerateError(Exception):
    """protoc refused, or there is nothing to generate from."""


def generate(proto: Path, out: Path) -> int:
    """Replace `out/tandem` by what `proto/tandem` says; returns the number of proto files."""
    files = sorted(str(path.relative_to(proto)) for path in (proto / "tandem").rglob("*.proto"))
    if not files:
        raise GenerateError(f"no .proto file under {proto / 'tandem'}")
    with tempfile.TemporaryDirectory() as scratch:
        _run_protoc(proto, Path(scratch), files)
        _complete_packages(Path(scratch) / "tandem")
        # Only now: a refused proto leaves the old code in place.
        shutil.rmtree(out / "tandem", ignore_errors=True)
        shutil.copytree(Path(scratch) / "tandem", out / "tandem")
    return len(files)


def _run_protoc(proto: Path, out: Path, files: Sequence[str]) -> None:
    (out / DESCRIPTORS).parent.mkdir(parents=True)
    scripts = Path(sys.executable).parent
    command = [
        "protoc",
        *(f"--proto_path={path}" for path in (proto, *_include_paths())),
        *(f"--plugin={name}={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")),
        *(f"--{plugin}_out={out}" for plugin in ("python", "grpc_python")),
        # Quiet: the plugins report every file they write on stderr.
        *(f"--{plugin}_out=quiet:{out}" for plugin in ("mypy", "mypy_grpc")),
        f"--descriptor_set_out={out / DESCRIPTORS}",
        "--include_imports",
        "--include_source_info",
        *files,
    ]
    if protoc.main(command) != 0:
        raise GenerateError("protoc refused the proto files; its reasons are above")


def _include_paths() -> list[Path]:
    """Where google/protobuf/*.proto (grpcio-tools) and google/rpc/*.proto (googleapis-common-protos) are."""
    tools = importlib.util.find_spec("grpc_tools")
    status = importlib.util.find_spec("google.rpc.status_pb2")
    if tools is None or tools.origin is None or status is None or status.origin is None:
        raise GenerateError("grpcio-tools or googleapis-common-protos is missing: run `make .venv`")
    return [Path(tools.origin).parent / "_proto", Path(status.origin).parents[2]]


def _complete_packages(root: Path) -> None:
    """protoc writes modules only; make them packages whose types count."""
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        (folder / "__init__.py").write_text(PACKAGE_DOCSTRING)
    (root / "py.typed").touch()


if __name__ == "__main__":
    sys.exit(main())
