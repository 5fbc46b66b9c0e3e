"""D6, D7, D8, B6: the client's wheel, the steps of the image, the named packages at their work, the simulation."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.client_packages.test_distributions import CLIENT, build
from tests.daemon.process import REPOSITORY, DaemonProcess
from tests.spec.systems import customer, until
from tests.spec.world import World, page

pytestmark = pytest.mark.anyio
THREE_LINES = """
import asyncio, json, sys
async def main():
    from tandem_client import Tandem
    async with Tandem({address!r}, token={token!r}) as tandem:
        run = await tandem.start_run("erp-crm", tenant={tenant!r})
        print(json.dumps([(await run.done(check=True)).outcome, sys.modules["tandem_client"].__file__,
                          sys.modules["tandem.v1.runs_pb2"].__file__]))
asyncio.run(main())
"""
SITE = str(Path(sys.executable).parents[1] / "lib" / f"python3.{sys.version_info.minor}" / "site-packages")


def installed(wheel: Path, target: Path) -> None:
    """`pip install` of one wheel into a folder, with nothing from anywhere else."""
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--target", str(target)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def alone(target: Path) -> dict[str, str]:
    """An environment in which our code comes from `target` only: its third-party packages are those of the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TANDEM_", "PYTHON"))}
    return {**kept, "PYTHONPATH": os.pathsep.join((str(target), SITE)), "PYTHONDONTWRITEBYTECODE": "1"}


async def test_d06_the_client_installs_from_its_wheel_and_runs_a_link_in_three_lines(
    daemon: DaemonProcess, world: World, home: Path
) -> None:
    world.erp.save([customer(1)])
    await world.connect()
    await world.in_step()
    await world.quiet()
    target = home / "site"
    await anyio.to_thread.run_sync(lambda: installed(build(CLIENT, "wheel", home / "dist"), target))
    script = home / "other_service.py"
    script.write_text(THREE_LINES.format(address=daemon.grpc, token=daemon.token, tenant=world.tenant))
    # -S: the editable install of this checkout is not seen.
    command = [sys.executable, "-S", str(script)]
    done = await anyio.run_process(command, env=alone(target), cwd=home, check=False)
    assert done.returncode == 0, done.stderr.decode()
    outcome, *files = json.loads(done.stdout)
    assert outcome == "nothing_new"
    assert all(file.startswith(str(target)) for file in files), files


# ------------------------------------------------------------------------------------------------- D7, the image


def proc(pid: int, name: str) -> str:
    """What the kernel says of a process."""
    return Path(f"/proc/{pid}/{name}").read_text()


def steps(word: str) -> list[str]:
    """The arguments of an instruction of the Dockerfile."""
    text = re.sub(r"\\\n\s*", " ", (REPOSITORY / "Dockerfile").read_text())
    return [line.partition(" ")[2].strip() for line in text.splitlines() if line.startswith(f"{word} ")]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image holds of ours: the wheel that its builder makes of the sources it copies."""
    root = tmp_path_factory.mktemp("image")
    wheel = build(REPOSITORY, "wheel", root / "wheels")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    copied = {word for step in steps("COPY") for word in step.split()[:-1] if not word.startswith("--")}
    for folder in ("actors", "clients", "daemon"):
        assert folder in copied and any(name.startswith(f"{folder}/") for name in names)
    installed(wheel, root / "site")
    return root


def reachable_python(home: Path, identity: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """An interpreter that the image's user may run, and the environment it needs. A copy where root hides its own."""
    with suppress(PermissionError):
        tried = subprocess.run([sys.executable, "-c", ""], **identity, check=False)
        if tried.returncode == 0:
            return sys.executable, {}
    base, copy = Path(sys.base_prefix), home / "python"
    name = f"python3.{sys.version_info.minor}"
    library = ("site-packages", "test", "idlelib", "ensurepip", "config-*", "tkinter", "lib2to3")
    shutil.copytree(base / "lib" / name, copy / "lib" / name, ignore=shutil.ignore_patterns(*library))
    tools = ("mypy*", "*mypyc*", "pip", "grpc_tools", "ruff*", "uv*", "hypothesis*", "_pytest", "grimp*")
    shutil.copytree(SITE, copy / "site", ignore=shutil.ignore_patterns(*tools), symlinks=True)
    for file in (base / "lib").glob("libpython*"):
        shutil.copy(file, copy / "lib")
    (copy / "bin").mkdir()
    program = shutil.copy(base / "bin" / name, copy / "bin" / name)
    paths = {"PYTHONHOME": str(copy), "LD_LIBRARY_PATH": str(copy / "lib"), "PYTHONPATH": str(copy / "site")}
    return str(program), paths


def started(
    program: Sequence[str], *, cwd: Path, env: Mapping[str, str], identity: Mapping[str, Any], log: Path
) -> subprocess.Popen[bytes]:
    """The process, as the user of `identity`."""
    with log.open("wb") as stream:
        return subprocess.Popen(program, cwd=cwd, env=env, stderr=stream, **identity)


async def test_d07_the_steps_of_the_image_give_a_daemon_that_runs_as_an_ordinary_user(
    image: Path, home: Path
) -> None:
    (user,) = steps("USER")
    uid, gid = (int(number) for number in user.split(":"))
    assert uid > 0 and "--uid 10001" in " ".join(steps("RUN"))
    site = home / "site"
    shutil.copytree(image / "site", site)
    identity = {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}
    python, third_party = reachable_python(home, identity)
    data = home / "data"  # /var/lib/tandem, the home of that user
    data.mkdir()
    environment = {
        **alone(site),
        **third_party,
        "PYTHONPATH": os.pathsep.join((str(site), third_party.get("PYTHONPATH", SITE))),
        **dict(pair.split("=") for step in steps("ENV") for pair in shlex.split(step)),
        "HOME": str(data),
        "TANDEM_DATA_DIR": str(data),
        "TANDEM_LISTEN": "127.0.0.1:0",
        "TANDEM_HTTP_LISTEN": "127.0.0.1:0",
    }
    (entry,) = steps("ENTRYPOINT")
    assert json.loads(entry) == ["tandemd"]
    program = [python, "-S", str(site / "bin" / "tandemd")]
    if identity:
        os.chown(data, uid, gid)
    process = started(program, cwd=data, env=environment, identity=identity, log=home / "log")
    try:

        async def ready() -> bool:
            assert process.poll() is None, (home / "log").read_text()
            return (data / "ready.json").exists()

        await until(ready, "the daemon to be ready")
        facts = json.loads((data / "ready.json").read_text())
        status = proc(process.pid, "status")
        found = re.search(r"^Uid:\s+(\d+)\s+(\d+)", status, re.MULTILINE)
        assert found is not None and {int(n) for n in found.groups()} == {uid if identity else os.geteuid()}
        (check,) = (re.search(r"CMD (\[.*\])", step) for step in steps("HEALTHCHECK"))
        assert check is not None
        program_name, *arguments = json.loads(check[1])
        assert program_name == "python" and "127.0.0.1:9464" in arguments[-1]  # the default of http_listen
        arguments[-1] = arguments[-1].replace("127.0.0.1:9464", facts["http"])
        healthy = await anyio.run_process([sys.executable, *arguments], check=False)
        assert healthy.returncode == 0, healthy.stderr.decode()
        (stop,) = steps("STOPSIGNAL")
        process.send_signal(signal.Signals[stop])
        assert await anyio.to_thread.run_sync(lambda: process.wait(40)) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_d07_the_image_opens_the_ports_that_the_daemon_uses() -> None:
    config = (REPOSITORY / "daemon" / "config.py").read_text()
    used = re.findall(r'"127\.0\.0\.1:(\d+)"', config)
    (exposed,) = steps("EXPOSE")
    assert exposed.split() == used


# ---------------------------------------------------------------------------------- D8, the packages at their work

# package -> where it does what it is for, and the names of it that are used there
WORK = {
    "grpc": ("daemon/api/server.py", {"aio"}),
    "anyio": ("actors/runtime/actor.py", {"create_task_group"}),
    "asyncpg": ("daemon/store/pool.py", {"Pool"}),
    "structlog": ("daemon/log.py", {"configure"}),
    "prometheus_client": ("daemon/metrics.py", {"CollectorRegistry"}),
    "grpc_tools": ("proto/generate.py", {"protoc"}),
}


@pytest.mark.parametrize("package", WORK)
def test_d08_each_named_package_does_its_work_where_it_should(package: str) -> None:
    path, wanted = WORK[package]
    tree = ast.parse((REPOSITORY / path).read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module.partition(".")[0])
            used.update(alias.name for alias in node.names)
    assert package in modules and wanted <= used, (modules, sorted(used))


async def test_d08_the_running_daemon_works_with_them(daemon: DaemonProcess) -> None:
    loaded = proc(daemon.process.pid, "maps")
    assert "cygrpc" in loaded and "asyncpg/protocol" in loaded and "asyncpg/pgproto" in loaded
    events = [line for line in daemon.lines() if line.get("action") == "daemon.ready"]
    assert events and {"timestamp", "level"} <= set(events[0]) | {"ts", "time", "timestamp"}
    status, text = await page(daemon, "/metrics")
    assert (
        status == 200 and "# TYPE tandem_build_info gauge" in text and "process_resident_memory_bytes" in text
    )


# ----------------------------------------------------------------------------------------------- B6, the simulation


async def test_b06_one_seed_replays_the_same_life_and_the_invariants_hold() -> None:
    async def lived(seed: int) -> tuple[int, str]:
        command = [sys.executable, "-m", "tests.sim", "--seed", str(seed), "--trace"]
        done = await anyio.run_process(command, cwd=REPOSITORY, check=False)
        return done.returncode, done.stdout.decode()

    status, story = await lived(3)
    assert status == 0 and len(story.splitlines()) > 100
    assert (await lived(3)) == (status, story)
    assert (await lived(4))[1] != story
