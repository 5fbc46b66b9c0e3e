"""The repository as the tidy tests see it: its files, its Python modules parsed once, and names as Python resolves them.

Must not: import the product; these tests read source text, so that a module that can't be imported is still checked.
"""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
GENERATED = PurePosixPath("proto/gen")
PRODUCT = ("actors/", "clients/", "daemon/")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file: its path from the root, with slashes, and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def is_product(self) -> bool:
        return self.path.startswith(PRODUCT)


@functools.cache
def files() -> tuple[str, ...]:
    """Every file that is or would be committed, as paths from the root, sorted."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    # A deleted file stays listed until the deletion is committed.
    return tuple(sorted(path for path in listing.split("\0") if path and (ROOT / path).is_file()))


@functools.cache
def texts() -> dict[str, str]:
    """The text of every hand-written file, by path."""
    found = {}
    for path in files():
        if is_generated(path):
            continue
        try:
            found[path] = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


@functools.cache
def modules() -> tuple[Module, ...]:
    """Every hand-written Python module."""
    return tuple(
        Module(path, text, ast.parse(text, path)) for path, text in texts().items() if path.endswith(".py")
    )


def is_generated(path: str) -> bool:
    return PurePosixPath(path).is_relative_to(GENERATED)


def imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Full dotted name and line of everything that a module imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def called(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Full dotted name and line of every call through an imported name, and of every call of a bare name (builtins)."""
    aliases = _aliases(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := dotted(node.func)):
            head, _, rest = name.partition(".")
            if head in aliases or not rest:
                yield ".".join(filter(None, (aliases.get(head, head), rest))), node.lineno


def dotted(node: ast.expr) -> str | None:
    """`a.b.c` of an attribute chain, or None where it starts with anything but a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return None


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Qualified name and node of each function, methods and inner ones included."""
    for node in ast.iter_child_nodes(tree):
        name = f"{prefix}{getattr(node, 'name', '')}"
        if isinstance(node, Function):
            yield name, node
        inner = f"{name}." if isinstance(node, Function | ast.ClassDef) else prefix
        yield from functions(node, inner)


def _aliases(tree: ast.Module) -> dict[str, str]:
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update({alias.asname: alias.name for alias in node.names if alias.asname})
            tops = (alias.name.partition(".")[0] for alias in node.names if not alias.asname)
            found.update({top: top for top in tops})
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return found
