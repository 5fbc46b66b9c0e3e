"""The embedded PostgreSQL against real servers and processes: starts, restarts, kills, left-overs, refusals.

What is at stake: committed rows survive every way to die, no server outlives its daemon, and a start that can't
work says why and what to do. The finder, the lock, the users: test_pgbin.py, test_datadir.py, test_pgidentity.py.
"""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import anyio
import asyncpg
import pytest

from daemon.store.datadir import DataDirLock
from daemon.store.embedded import EmbeddedError, EmbeddedPostgres, PostgresSettings, bound_log
from daemon.store.pgbin import find_binaries
from tests.store.embedded_tools import (
    SMALL,
    as_root,
    child,
    embedded,
    fill,
    is_running,
    keep_rows,
    kept_rows,
    living_stranger,
    mode_of,
    query,
    small_disk,
    stand_in,
    until,
)

pytestmark = pytest.mark.anyio
TEMPORARY = Path(tempfile.gettempdir()).resolve()
SYSTEM_BIN = Path("/usr/lib/postgresql/15/bin")
with_system_15 = pytest.mark.skipif(not (SYSTEM_BIN / "initdb").exists(), reason="no system PostgreSQL 15")


async def test_first_start_makes_a_durable_server_that_only_its_socket_reaches(tmp_path: Path) -> None:
    async with embedded(tmp_path / "data") as server:
        settings = {
            name: await query(server.dsn, f"show {name}")
            for name in ("fsync", "synchronous_commit", "listen_addresses", "timezone", "shared_buffers")
        }
        socket_dir = Path(await query(server.dsn, "show unix_socket_directories"))
        assert mode_of(socket_dir) == 0o700
        assert (
            await query(server.dsn, "select string_agg(c, '' order by c) from unnest('{b,É,a,B}'::text[]) c")
            == "BabÉ"
        )
    assert settings == {
        "fsync": "on",
        "synchronous_commit": "on",
        "listen_addresses": "",
        "timezone": "UTC",
        "shared_buffers": "16MB",
    }
    assert server.pid is None


async def test_rows_outlive_stop_and_start_and_a_foreign_port_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    server = embedded(tmp_path)
    await keep_rows(await server.start())
    await server.stop()
    await server.stop()
    dsn = await server.start()
    assert await kept_rows(dsn) == 100
    await server.stop()


async def test_a_killed_server_is_brought_back_with_the_committed_rows(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server, anyio.create_task_group() as group:
        group.start_soon(server.keep_running)
        await keep_rows(server.dsn)
        for restarts in (1, 2):
            pid = server.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda n=restarts: server.restarts == n)  # type: ignore[misc]
            assert await kept_rows(server.dsn) == 100
        await server.stop()


async def test_keep_running_retries_says_why_and_recovers(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server, anyio.create_task_group() as group:
        group.start_soon(server.keep_running)
        version = tmp_path / "postgres" / "PG_VERSION"
        away = version.rename(tmp_path / "PG_VERSION")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGINT)
        await until(lambda: server.last_error is not None)
        assert "PG_VERSION" in str(server.last_error)
        away.rename(version)
        await until(lambda: server.restarts == 1)
        assert server.last_error is None
        assert await query(server.dsn, "select 1") == 1
        await server.stop()


@pytest.mark.parametrize("use_uvloop", [False, True])
def test_the_end_of_the_server_is_noticed_on_either_loop(tmp_path: Path, use_uvloop: bool) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as server, anyio.create_task_group() as group:
            with anyio.move_on_after(0.1):  # whoever gave up waiting is in nobody's way
                await server.wait()
            group.start_soon(server.keep_running)
            for restarts in (1, 2, 3):
                assert server.pid is not None
                os.kill(server.pid, signal.SIGKILL)
                await until(lambda: server.pid is None)  # who asks reaps, and takes nothing away
                await until(lambda n=restarts: server.restarts == n)  # type: ignore[misc]
            group.cancel_scope.cancel()
        async with embedded(tmp_path) as server:
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            assert await server.wait() == -signal.SIGKILL

    anyio.run(main, backend_options={"use_uvloop": use_uvloop})


async def test_the_server_ends_with_a_killed_daemon_and_starts_again_at_once(tmp_path: Path) -> None:
    with child(tmp_path) as (daemon_pid, told):
        await keep_rows(told["dsn"])
        os.kill(daemon_pid, signal.SIGKILL)
        async with embedded(tmp_path) as server:
            assert await kept_rows(server.dsn) == 100
        await until(lambda: not is_running(told["server_pid"]), 2)


async def test_a_killed_daemon_leaves_no_server_behind(tmp_path: Path) -> None:
    with child(tmp_path) as (daemon_pid, told):
        os.kill(daemon_pid, signal.SIGKILL)
        await until(lambda: not is_running(told["server_pid"]), 2)
        assert not is_running(told["server_pid"])


async def test_a_backend_that_outlives_its_killed_postmaster_is_ended_first(tmp_path: Path) -> None:
    server = embedded(tmp_path)
    connection = await asyncpg.connect(await server.start())
    await connection.execute("create table kept as select generate_series(1, 100) as n")
    backend = await connection.fetchval("select pg_backend_pid()")
    os.kill(backend, signal.SIGSTOP)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await server.wait()
    await server.stop()
    assert is_running(backend)
    dsn = await server.start()
    assert not is_running(backend)
    assert await kept_rows(dsn) == 100
    connection.terminate()
    await server.stop()


async def test_lock_files_naming_a_living_stranger_do_not_hinder_nor_harm(tmp_path: Path) -> None:
    with child(tmp_path) as (_, told):
        await keep_rows(told["dsn"])
        os.kill(told["server_pid"], signal.SIGKILL)
        await until(lambda: not is_running(told["server_pid"]))
    with living_stranger() as stranger:
        for path in (tmp_path / "postgres" / "postmaster.pid", tmp_path / "run" / ".s.PGSQL.5432.lock"):
            lines = path.read_text().splitlines()
            path.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        async with embedded(tmp_path) as server:
            assert await kept_rows(server.dsn) == 100
        assert stranger.poll() is None


async def test_a_second_daemon_is_refused_naming_the_first(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        with child(tmp_path) as (_, told):
            assert f"in use by another daemon (pid {os.getpid()})" in told["error"]
        assert await query(server.dsn, "select 1") == 1


async def test_a_lock_held_by_the_caller_is_used_and_kept(tmp_path: Path) -> None:
    with DataDirLock(tmp_path) as lock:
        async with EmbeddedPostgres(tmp_path, lock=lock, settings=SMALL):
            pass
        assert lock.held


async def test_a_cancelled_start_leaves_nothing_running_and_the_directory_free(tmp_path: Path) -> None:
    server = embedded(tmp_path)
    await server.start()
    await server.stop()
    pid_file = tmp_path / "postgres" / "postmaster.pid"
    async with anyio.create_task_group() as group:
        group.start_soon(server.start)
        await until(pid_file.exists)
        group.cancel_scope.cancel()
    assert server.pid is None
    assert not pid_file.exists()
    async with embedded(tmp_path) as again:
        assert await query(again.dsn, "select 1") == 1


async def test_another_major_version_is_refused(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        found = server.binaries
    (tmp_path / "postgres" / "PG_VERSION").write_text("13\n")
    with pytest.raises(
        EmbeddedError, match=rf"made by PostgreSQL 13, .* PostgreSQL {found.version}"
    ) as refused:
        await server.start()
    assert "TANDEM_POSTGRES_BIN" in refused.value.hint
    DataDirLock(tmp_path).acquire()


async def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letter.txt").write_text("not a database")
    with pytest.raises(EmbeddedError, match="PG_VERSION is missing"):
        await embedded(tmp_path).start()


async def test_a_daemon_killed_during_initdb_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    def is_half_done() -> bool:
        return any(tmp_path.glob("postgres.new-*/global/pg_control"))

    with stand_in(tmp_path) as daemon:
        await until(is_half_done)
        daemon.kill()
        server = embedded(tmp_path)
        assert await query(await server.start(), "select 1") == 1
        await server.stop()
    # The killed one's initdb may have written a little longer; by now it has ended.
    await server.start()
    await server.stop()
    assert not [name for name in os.listdir(tmp_path) if name.startswith("postgres.new")]


async def test_a_long_or_odd_path_gets_a_private_socket_folder_elsewhere(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 20) / "with blanks, commas and 'quotes'"
    async with embedded(data_dir) as server:
        socket_dir = Path(await query(server.dsn, "show unix_socket_directories"))
        assert socket_dir.parent == TEMPORARY
        assert mode_of(socket_dir) == 0o700
    assert socket_dir.name not in os.listdir(TEMPORARY)


@with_system_15
async def test_the_systems_15_works_and_its_files_are_refused_by_a_newer_server(tmp_path: Path) -> None:
    async with embedded(tmp_path, bin_dir=SYSTEM_BIN) as server:
        assert server.binaries.major == 15
        await keep_rows(server.dsn)
        assert (
            await query(server.dsn, "select string_agg(c, '' order by c) from unnest('{b,É,a,B}'::text[]) c")
            == "BabÉ"
        )
        assert await query(server.dsn, "select upper('é')") == "É"
    # Without a setting the finder prefers the version that the files need over the first in order.
    async with embedded(tmp_path) as again:
        assert again.binaries.major == 15
        assert await kept_rows(again.dsn) == 100
    newer = find_binaries()
    if newer.major != 15:
        with pytest.raises(EmbeddedError, match="made by PostgreSQL 15"):
            await embedded(tmp_path, bin_dir=newer.bin_dir).start()


async def test_a_bad_setting_is_reported_in_the_servers_words(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, settings=PostgresSettings(shared_buffers="plenty"))
    with pytest.raises(EmbeddedError, match=r"exit code 1.*shared_buffers.*plenty"):
        await server.start()
    assert server.pid is None


async def test_the_log_is_bounded_under_a_running_server(tmp_path: Path) -> None:
    async with embedded(tmp_path) as server:
        log = tmp_path / "postgres.log"
        before = log.read_text()
        bound_log(log, size_max=10)
        assert (log.read_text(), (tmp_path / "postgres.log.1").read_text()) == ("", before)
        with pytest.raises(asyncpg.UndefinedTableError):
            await query(server.dsn, "select * from nowhere")
        assert log.read_text().lstrip("\0") == log.read_text() != ""
    assert mode_of(log) == 0o600


async def test_a_file_in_place_of_the_data_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(EmbeddedError, match="can't make the data directory"):
        await embedded(tmp_path / "data").start()


@as_root
@pytest.mark.parametrize("size", ["2m", "70m"])
async def test_a_full_disk_is_reported(tmp_path: Path, size: str) -> None:
    with small_disk(tmp_path, size):
        server = embedded(tmp_path)
        if size == "70m":
            await server.start()
            await server.stop()
            fill(tmp_path / "filler")
        with pytest.raises(EmbeddedError) as full:
            await server.start()
        assert "The disk is full" in full.value.hint


@as_root
async def test_a_disk_that_fills_up_under_the_server_costs_no_committed_row(tmp_path: Path) -> None:
    with small_disk(tmp_path, "100m"):
        async with embedded(tmp_path) as server, anyio.create_task_group() as group:
            group.start_soon(server.keep_running)
            await keep_rows(server.dsn)
            fill(tmp_path / "filler")
            with pytest.raises((asyncpg.PostgresError, OSError)):
                await query(server.dsn, "create table bulk as select generate_series(1, 1000000) as n")
            # It may live through that, or panic because its log can't grow; to start on a full disk it can't.
            if server.last_error is None and server.pid is not None:
                os.kill(server.pid, signal.SIGKILL)
            await until(lambda: server.last_error is not None)
            assert "The disk is full" in str(server.last_error)
            (tmp_path / "filler").unlink()
            await until(lambda: server.last_error is None)
            assert await kept_rows(server.dsn) == 100
            await server.stop()
