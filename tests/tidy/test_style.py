"""House style that no linter states: lengths, docstrings, banned calls with their replacement, tests that assert."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

import pytest

from tests.tidy import repository

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 500
# `path::name` -> lines, for functions and files over the limit. Only ever shrinks: a longer one is split, an entry that
# is not needed any more is removed.
LONG_FUNCTIONS: dict[str, int] = {}
LONG_FILES: dict[str, int] = {}

CLOCK = "take the time from the Clock port, or as an argument in the pure core"
CHANCE = "take randomness from its port, or as an argument in the pure core"
# (folder, dotted name or its prefix ending in a dot, what to use instead)
BANNED_CALLS: tuple[tuple[str, str, str], ...] = (
    ("actors/", "time.", CLOCK),
    ("actors/", "datetime.datetime.now", CLOCK),
    ("actors/", "datetime.datetime.utcnow", CLOCK),
    ("actors/", "datetime.datetime.today", CLOCK),
    ("actors/", "datetime.date.today", CLOCK),
    ("actors/", "random.", CHANCE),
    ("actors/", "secrets.", CHANCE),
    ("actors/", "uuid.uuid1", CHANCE),
    ("actors/", "uuid.uuid4", CHANCE),
    ("actors/", "os.urandom", CHANCE),
    ("actors/", "print", "emit through the Telemetry port"),
    ("daemon/", "print", "log it (daemon/log.py)"),
    ("clients/connectors/", "print", "return or raise it"),
    ("clients/python/", "print", "return or raise it"),
    ("", "eval", "CEL (gates and constants), or a dict of functions"),
    ("", "exec", "CEL (gates and constants), or a dict of functions"),
    ("", "datetime.datetime.utcnow", "datetime.now(UTC)"),
    ("", "asyncio.get_event_loop", "asyncio.get_running_loop"),
    ("", "pickle.", "msgspec"),
    ("", "yaml.load", "yaml.safe_load"),
    ("", "os.system", "anyio.run_process or subprocess.run with a list"),
)
BANNED_IMPORTS: tuple[tuple[str, str, str], ...] = (
    ("actors/", "asyncio.", "anyio, so that the simulation can run it"),
    ("actors/", "trio.", "anyio"),
    ("actors/", "logging.", "the Telemetry port"),
)
PYTEST_ASSERTS = frozenset({"pytest.raises", "pytest.fail", "pytest.warns"})
# `until` and `eventually` fail when their deadline passes.
ASSERTING = re.compile(r"^_?((check|expect|assert)(_|$)|until$|wait_until$|eventually$)")
# Spelled in two parts, so that this file does not find itself.
LEFTOVER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")


# The functions for whole blocks of lines are made of expressions that stand there: docs/decisions/0012-rows.md.
ALLOWED_CALLS = {("actors/core/rows_code.py", "exec")}


def is_banned(path: str, name: str, rule: tuple[str, str, str]) -> bool:
    """Whether the rule (folder, name, replacement) forbids `name` in `path`."""
    folder, banned, _ = rule
    if (path, name) in ALLOWED_CALLS:
        return False
    return path.startswith(folder) and (name.startswith(banned) if banned.endswith(".") else name == banned)


def function_lines(node: repository.Function) -> int:
    """Lines from `def` to the end, without the docstring: saying more about a function must not cost anything."""
    docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
    documented = (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1 if docstring else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - documented


def asserts_something(node: repository.Function) -> bool:
    """Whether a test can fail by its own word: an assert, pytest.raises, or a helper named check_..., until, ..."""
    for child in ast.walk(node):
        if isinstance(child, ast.Assert):
            return True
        name = repository.dotted(child.func) if isinstance(child, ast.Call) else None
        if name and (name in PYTEST_ASSERTS or ASSERTING.match(name.split(".")[-1])):
            return True
    return False


def test_functions_are_short() -> None:
    lengths = {
        f"{module.path}::{name}": function_lines(node)
        for module in repository.modules()
        for name, node in repository.functions(module.tree)
    }
    check_ratchet(lengths, FUNCTION_LINES_MAX, LONG_FUNCTIONS)


def test_files_are_short() -> None:
    lengths = {module.path: module.text.count("\n") for module in repository.modules()}
    check_ratchet(lengths, FILE_LINES_MAX, LONG_FILES)


def check_ratchet(lengths: dict[str, int], limit: int, waived: dict[str, int]) -> None:
    """Nothing over the limit but what was there before, and that never longer than it was."""
    over = {name: lines for name, lines in lengths.items() if lines > waived.get(name, limit)}
    assert not over, f"longer than {limit} lines, split them: {over}"
    spare = {name: lengths.get(name, 0) for name, lines in waived.items() if lengths.get(name, 0) < lines}
    assert not spare, f"shorter than their waiver, lower or remove it: {spare}"


def test_every_module_says_what_it_is_for() -> None:
    silent = [module.path for module in repository.modules() if not ast.get_docstring(module.tree)]
    assert not silent, f"without a module docstring: {silent}"


def test_banned_calls() -> None:
    found = [
        f"{module.path}:{line}: {name}: {rule[2]}"
        for module in repository.modules()
        for name, line in repository.called(module.tree)
        for rule in BANNED_CALLS
        if is_banned(module.path, name, rule)
    ]
    assert not found, "\n".join(found)


def test_banned_imports() -> None:
    found = [
        f"{module.path}:{line}: {name}: {rule[2]}"
        for module in repository.modules()
        for name, line in repository.imported(module.tree)
        for rule in BANNED_IMPORTS
        if is_banned(module.path, f"{name}.", rule)
    ]
    assert not found, "\n".join(found)


def test_nothing_is_left_for_later() -> None:
    found = [
        f"{path}:{number}: {line.strip()}"
        for path, text in repository.texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if LEFTOVER.search(line)
    ]
    assert not found, "do it, or open an issue:\n" + "\n".join(found)


def test_every_test_asserts_something() -> None:
    found = [
        f"{module.path}::{name}"
        for module in repository.modules()
        if module.path.startswith("tests/") and module.path.rsplit("/", 1)[-1].startswith("test_")
        for name, node in repository.functions(module.tree)
        if name.rsplit(".", 1)[-1].startswith("test_") and not asserts_something(node)
    ]
    assert not found, f"tests that can't fail: {found}"


def test_nothing_is_added_to_what_was_read_before_an_await() -> None:
    """`self.found.append(await ...)` and `self.count += await ...` read the attribute first: whatever another task has put
    there meanwhile is lost, or gets nothing (found by sim, seed 704900)."""
    found = [
        f"{module.path}:{line}"
        for module in repository.modules()
        if module.is_product and not module.path.startswith("clients/emulators/")
        for line in added_across_an_await(module.tree)
    ]
    assert not found, "await into a name first: " + ", ".join(found)


def added_across_an_await(tree: ast.AST) -> list[int]:
    """Lines in which something that is awaited is added to an attribute."""

    def awaits(nodes: Iterable[ast.AST]) -> bool:
        return any(isinstance(child, ast.Await) for node in nodes for child in ast.walk(node))

    def adds(node: ast.AST) -> bool:
        if isinstance(node, ast.AugAssign):
            return not isinstance(node.target, ast.Name) and awaits([node.value])
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        is_added = node.func.attr in ("append", "extend", "add")
        return is_added and isinstance(node.func.value, ast.Attribute) and awaits(node.args)

    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.expr) and adds(node)]


@pytest.mark.parametrize(
    "source, found",
    [
        ("self.a.append(await b())", True),
        ("self.a += await b()", True),
        ("self.a[0] |= 1 + await b()", True),
        ("a.append(await b())", False),
        ("a += await b()", False),
        ("self.a = await b()", False),
        ("self.a.append(b)", False),
    ],
)
def test_what_is_added_across_an_await_is_found(source: str, found: bool) -> None:
    tree = ast.parse(f"async def f():\n    {source}")
    assert bool(added_across_an_await(tree)) == found


@pytest.mark.parametrize(
    "source, names",
    [
        ("from datetime import datetime as dt\ndt.now()", ["datetime.datetime.now"]),
        ("import time as t\nt.time()", ["time.time"]),
        ("import datetime\ndatetime.datetime.now()", ["datetime.datetime.now"]),
        ("print(1)", ["print"]),
        ("time = clock.now()\ntime.isoformat()", []),
    ],
)
def test_calls_are_found_under_any_name(source: str, names: list[str]) -> None:
    assert [name for name, _ in repository.called(ast.parse(source))] == names
