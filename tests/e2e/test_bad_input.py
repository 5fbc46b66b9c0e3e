"""Whatever is wrong outside: the daemon names the thing and the way out, does nothing half, and goes on once it is mended.

A real daemon, real files, a real PostgreSQL. Must not: test refusals of single parts (tests/api, tests/daemon).
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.connectors.pgserver import new_database, postgres_url
from tests.daemon.process import command, environment, eventually
from tests.e2e.world import BLUEPRINT, CRM, LINK, World, person, world_of

__all__ = ["postgres_url"]
pytestmark = pytest.mark.anyio
PEOPLE = 5


@pytest.fixture(scope="module")
async def calm(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> AsyncIterator[World]:
    """One world in step for all tests that leave it as it was."""
    base = tmp_path_factory.mktemp("calm")
    base.parent.chmod(0o755)
    async with new_database(postgres_url) as url, world_of(base, url) as found:
        yield await in_step(found)


@pytest.fixture
async def world(tmp_path: Path, postgres_url: str) -> AsyncIterator[World]:
    """A world in step that may be broken for good."""
    async with new_database(postgres_url) as url, world_of(tmp_path, url) as found:
        yield await in_step(found)


async def in_step(world: World) -> World:
    world.save([person(i, PHONE=f"0{i}") for i in range(1, PEOPLE + 1)])
    world.start(lease_ttl_s="2")
    await world.connect()
    await world.quiet()
    return world


async def crm(world: World) -> Any:
    """Everything in the CRM."""
    return await world.sql("SELECT number, name, phone, mail FROM people ORDER BY id")


async def told(world: World, *words: str, timeout_s: float = 45.0) -> str:
    """Wait until the link says what is wrong, in these words; its whole reason."""
    shown: list[str] = []

    async def says() -> str:
        shown[:] = [*(await world.link()).reasons]
        return next((reason for reason in shown if all(word in reason for word in words)), "")

    try:
        return str(await eventually(says, timeout_s))
    except TimeoutError:
        raise AssertionError(f"the link never said {words}, but {shown}") from None


async def well(world: World) -> None:
    """Wait until the link has nothing to complain of: a reason stands until the run that did without it has ended,
    which is after its last record was written."""

    async def has_no_reasons() -> bool:
        return not (await world.link()).reasons

    await world.until(has_no_reasons)


def refused(done: subprocess.CompletedProcess[str], *words: str, status: int = 5) -> None:
    """A command that ended with this status, and whose words name thing and way out."""
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    missing = [word for word in words if word not in done.stderr]
    assert not missing and "hint: " in done.stderr, (missing, done.stderr)
    assert "Traceback" not in done.stderr


# ----------------------------------------------------------------------------------------------- the command line


async def test_a_broken_blueprint_is_refused_with_every_fault_and_its_line(
    calm: World, tmp_path: Path
) -> None:
    broken = BLUEPRINT.replace("creates: [a, b]", "creates: [a, c]").replace("read: 1h", "read: never")
    broken = broken.replace("mail:", "post: {a: MAIL, b: mail, colour: red}\n      mail:")
    file = tmp_path / "broken.yaml"
    file.write_text(broken)
    done = calm.ctl("links", "create", "second", "erp", "crm", f"@{file}")
    wanted = dict(enumerate(broken.splitlines(), 1))
    lines = [
        next(number for number, line in wanted.items() if word in line)
        for word in ("[a, c]", "never", "colour")
    ]
    refused(
        done,
        '"c" is not one of a, b',
        '"never" is not a duration',
        "colour",
        *(f"blueprint:{n}:" for n in lines),
    )
    checked = calm.ctl("blueprints", "check", f"@{file}")
    assert all(str(number) in checked.stdout for number in lines) and "is not a duration" in checked.stdout
    assert "second" not in calm.ctl("links", "list").stdout


async def test_a_check_that_finds_faults_ends_with_another_status(calm: World, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(BLUEPRINT.replace("kind: master", "kind: king"))
    assert calm.ctl("blueprints", "check", str(file)).returncode == 5
    file.write_text(BLUEPRINT)
    assert calm.ctl("blueprints", "check", str(file)).returncode == 0


async def test_connections_that_can_not_be_made(calm: World, tmp_path: Path) -> None:
    port = calm.crm_url.rpartition(":")[2].partition("/")[0]
    postgres = [
        (
            calm.crm_url.replace("quite%20secret", "wrong"),
            5,
            ("password authentication failed", "setting url"),
        ),
        (calm.crm_url.replace(f":{port}/", ":1/"), 6, ("127.0.0.1", "Is the server running")),
        (calm.crm_url.replace("127.0.0.1", "no-such-host.invalid"), 5, ("Name or service not known", "host")),
        (f"{calm.crm_url}_not", 5, ("does not exist", "database's name")),
        (
            calm.crm_url.replace("127.0.0.1", "localhost"),
            5,
            ("connection crm", "same account", "use connection crm"),
        ),
    ]
    for url, status, words in postgres:
        done = calm.ctl("connections", "create", "x", "postgres", "--settings", f"url={url}")
        refused(done, *words, status=status)
        assert "wrong%2F%40" not in done.stderr and "quite" not in done.stderr
    (tmp_path / "linked").symlink_to(calm.erp)
    folders = [
        (f"path={tmp_path / 'linked'}", ("connection erp", "same account")),
        ("path=/no/such/folder", ("/no/such/folder does not exist", "correct the setting 'path'")),
    ]
    for setting, words in folders:
        refused(calm.ctl("connections", "create", "x", "csv", "--settings", setting), *words)
    refused(
        calm.ctl("connections", "create", "x", "csv", "--settings", "path=/", "--settings", "colour=red"),
        "colour",
    )
    refused(calm.ctl("connections", "create", "x", "sap"), "'sap'", "csv", status=3)
    assert len(calm.ctl("connections", "list").stdout.splitlines()) == 2 + 2, "a refused connection was kept"


async def test_tokens_that_are_wrong_or_somebody_elses_and_requests_that_are_too_large(
    calm: World, tmp_path: Path
) -> None:
    refused(calm.ctl("links", "list", TANDEM_TOKEN="tdm_made_up"), "not valid", status=4)
    calm.ctl("system", "create-tenant", "other")
    made = calm.ctl(
        "system", "create-token", "theirs", "--role", "operator", "--tenant", "other", "-o", "json"
    )
    assert made.returncode == 0, made.stderr
    token = made.stdout.partition('"token": "')[2].partition('"')[0]
    foreign = calm.ctl("links", "get", LINK, TANDEM_TOKEN=token, TANDEM_TENANT="")
    assert foreign.returncode in (3, 4) and "people" not in foreign.stdout, foreign.stderr
    large = tmp_path / "large.yaml"
    large.write_text("#" + "x" * 6_000_000)
    refused(calm.ctl("blueprints", "check", f"@{large}"), "1000000")


# ------------------------------------------------------------------------------------------------ the ERP's file

HEAD = b"NR;NAME;PHONE;MAIL;CITY;ORIGIN\r\n"
BROKEN: dict[str, tuple[bytes, bytes, tuple[str, ...]]] = {
    # what is replaced, by what, and what must be said
    "a row too short": (b"", b"K100;only two\r\n", ("line 7", "2 cells", "6")),
    "half-written": (b"", b"K100;Person 100;0", ("line 7", "half-written")),
    "a key twice": (b"", b"K001;Twin;;;;\r\n", ("'K001'", "line 2", "line 7", "correct")),
    "no key": (b"", b";Nobody;;;;\r\n", ("line 7", "without a key")),
    "open quotes": (b"", b'K100;"Open;;;;\r\n', ("line 7", "quoted")),
    "another encoding": (b"", "K100;Müller;;;;\r\n".encode("latin-1"), ("line 7", "utf-8")),
    "a column gone": (b";PHONE;", b";FON;", ("no column 'PHONE'", "FON")),
    "nothing at all": (b"*", b"", ("empty", "header")),
}


async def test_a_broken_file_is_named_with_its_line_and_nothing_of_it_is_taken(calm: World) -> None:
    good, before = calm.file.read_bytes(), await crm(calm)
    for what, (old, new, words) in BROKEN.items():
        bad = good + new if not old else new if old == b"*" else good.replace(old, new)
        bad = bad.replace(b";01;", b";changed;")  # an edit beside the fault must not slip through
        calm.file.write_bytes(bad)
        await told(calm, "PEOPLE.csv", *words)
        assert await crm(calm) == before, what
        assert calm.file.read_bytes() == bad, f"{what}: the broken file was written to"
        calm.file.write_bytes(good)
        await calm.quiet()
        assert not (await calm.link()).reasons and await crm(calm) == before, what


async def test_a_missing_file_or_folder_is_no_empty_one(calm: World) -> None:
    before = await crm(calm)
    away = calm.file.rename(calm.erp / "away")
    await told(calm, "PEOPLE.csv is missing")
    away.rename(calm.file)
    await calm.quiet()
    assert await crm(calm) == before and not (await calm.link()).reasons


async def test_a_write_protected_file_is_named_and_written_once_it_may_be(calm: World) -> None:
    calm.file.chmod(0o444)
    await calm.sql("UPDATE people SET mail = 'm@x' WHERE number = 'K002'")
    await told(calm, "PEOPLE.csv is write-protected", "allow writing")
    calm.file.chmod(0o644)
    await calm.quiet()
    assert next(row for row in calm.rows() if row["NR"] == "K002")["MAIL"] == "m@x"


# -------------------------------------------------------------------------------------------------- the CRM's side


async def test_a_server_that_stops_in_mid_run_is_waited_for(calm: World, postgres_url: str) -> None:
    name = calm.crm_url.rpartition("/")[2]
    admin = await asyncpg.connect(postgres_url)
    try:
        with calm.editing() as rows:
            rows[0]["CITY"] = "written while it was away"
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await told(calm, "not currently accepting connections")
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    finally:
        await admin.close()
    await calm.quiet()
    (found,) = await calm.sql("SELECT city FROM people WHERE number = 'K001'")
    assert found["city"] == "written while it was away"


@pytest.mark.parametrize("find", ["full", "trigger"])
async def test_a_database_that_was_made_anew_is_another_account(
    tmp_path: Path, postgres_url: str, find: str
) -> None:
    """Ids begin at 1 again: without a second look at who answers, five strangers would overwrite five customers."""
    async with new_database(postgres_url) as url, world_of(tmp_path, url) as world:
        world.find = find
        await in_step(world)
        before, name = world.file.read_bytes(), url.rpartition("/")[2]
        admin = await asyncpg.connect(postgres_url)
        try:
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            await admin.execute(f'CREATE DATABASE "{name}"')
        finally:
            await admin.close()
        await world.sql(CRM)
        await world.sql(
            "INSERT INTO people (number, name) SELECT 'X' || n, 'Other ' || n FROM generate_series(1, 5) n"
        )
        await told(world, "another database answers", "make a new connection")
        assert world.file.read_bytes() == before
        assert [row["name"] for row in await crm(world)] == [f"Other {n}" for n in range(1, 6)]


async def test_a_folder_that_was_replaced_by_a_copy_is_another_account(world: World) -> None:
    before, away, copy = await crm(world), world.erp.with_name("away"), world.erp.with_name("copy")
    shutil.copytree(world.erp, copy)
    data = (copy / "PEOPLE.csv").read_bytes()
    (copy / "PEOPLE.csv").write_bytes(data.replace(b";01;", b";of the copy;"))
    world.erp.rename(away)
    copy.rename(world.erp)
    await told(world, "another one than before", "put the former folder back")
    assert await crm(world) == before


# ---------------------------------------------------------------------------------------------------- full disks


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system of so little room. Skips where this process may not mount."""
    with tempfile.TemporaryDirectory(prefix="tandem-disk-") as name:
        folder = Path(name)
        mounted = (
            os.geteuid() == 0
            and not subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", name],
                capture_output=True,
                check=False,
            ).returncode
        )
        if not mounted:
            pytest.skip("mounting a small file system needs root")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


def fill(file: Path) -> None:
    """Take all the room there is."""
    with suppress(OSError), file.open("wb", buffering=0) as stream:
        while True:
            stream.write(b"x" * 4096)


async def test_a_full_disk_under_the_folder_leaves_the_file_and_is_named(
    tmp_path: Path, postgres_url: str
) -> None:
    with small_disk("256k") as disk:
        async with new_database(postgres_url) as url, world_of(tmp_path, url) as world:
            world.erp = disk
            world.save([])
            await in_step(world)
            filler = disk / "filler"
            fill(filler)
            before = world.file.read_bytes()
            await world.sql("UPDATE people SET mail = $1 WHERE number = 'K003'", "m" * 50_000)
            await told(world, "the disk is full", "make room")
            assert world.file.read_bytes() == before
            filler.unlink()
            await world.quiet()
            assert next(row for row in world.rows() if row["NR"] == "K003")["MAIL"] == "m" * 50_000


# ------------------------------------------------------------------------------------------------------ the daemon


def start(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A start that has to end by itself."""
    return subprocess.run(
        command(*arguments),
        env=environment(data_dir, **settings),
        cwd=data_dir.parent,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_wrong_settings_are_all_told_by_the_check_and_by_the_start(tmp_path: Path) -> None:
    (tmp_path / "tandem.toml").write_text('window = 0\ncolour = "red"\n')
    for arguments in (("--check-config",), ()):
        done = start(tmp_path / "data", *arguments, listen="nowhere", log_level="loud")
        assert done.returncode == 78, done.stderr
        for word in (
            "window in",
            "colour in",
            "TANDEM_LISTEN",
            "127.0.0.1:7443",
            "TANDEM_LOG_LEVEL",
            "debug, info",
        ):
            assert word in done.stdout + done.stderr, (word, done.stderr)
    assert not (tmp_path / "data").exists()


async def test_a_second_daemon_a_lost_key_and_a_newer_database(world: World) -> None:
    second = start(world.data_dir)
    assert second.returncode == 1 and str(world.data_dir) in second.stderr, second.stderr
    assert world.daemon is not None
    world.daemon.stop()
    lost_key = b64encode(secrets.token_bytes(32)).decode()
    world.start(secret_key=lost_key, lease_ttl_s="2")
    await told(world, "sealed with key", "start with the former key")
    before = await crm(world)
    world.daemon.stop()
    world.start(lease_ttl_s="2")
    await world.quiet()
    await well(world)
    assert await crm(world) == before
    # The former key is lost for good: nothing was kept of its secrets, and who gives them all anew goes on.
    world.daemon.stop()
    world.start(secret_key=lost_key, lease_ttl_s="2")
    await told(world, "sealed with key", "connections update")
    change = ("connections", "update", "crm", "--settings")
    refused(world.ctl(*change, f"find={world.find}"), "sealed with key", "give url in one call", "former key")
    done = world.ctl(*change, f"url={world.crm_url}")
    assert done.returncode == 0, done.stderr
    world.save([person(i, PHONE=f"1{i}") for i in range(1, PEOPLE + 1)])

    async def is_in_step() -> bool:
        return [row["phone"] for row in await crm(world)] == [f"1{i}" for i in range(1, PEOPLE + 1)]

    await world.until(is_in_step)
    await well(world)
    own = await asyncpg.connect(world.daemon.dsn)
    await own.execute("INSERT INTO schema_migrations (version, name) VALUES (99, 'later')")
    await own.close()
    world.daemon.stop()
    newer = start(world.data_dir)
    assert newer.returncode == 1 and "99" in newer.stderr and "newer" in newer.stderr, newer.stderr
