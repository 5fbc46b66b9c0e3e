"""A database that is older than the one that was left: noticed by its stamp, and every link waits; else nothing happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import anyio
import msgspec
import pytest

from daemon import restored
from daemon.opening import StartError
from daemon.restored import FILE, SAID_FILE, Keeper, Kept, Restored, trouble
from daemon.store.admin import Admin
from daemon.store.rows import Stamp

pytestmark = pytest.mark.anyio


class Database:
    """What `Keeper` asks of `Admin`, on a stamp that a test can put back."""

    def __init__(self) -> None:
        self.server = "7001"
        self.row = Kept()
        self.recovered = 0
        self.notes: list[str] = []
        self.goes_back_to: Kept | None = None

    async def stamp(self) -> Stamp:
        seen = self._stamp()
        self.row, self.goes_back_to = self.goes_back_to or self.row, None
        return seen

    async def advance_stamp(self, least: int = 0) -> Stamp:
        self.row = Kept(self.server, 1, max(self.row.counter, least) + 1)
        return self._stamp()

    def _stamp(self) -> Stamp:
        return Stamp(self.server, 1, self.row.system_identifier, self.row.timeline, self.row.counter)

    async def recover(self) -> int:
        self.recovered += 1
        return 2

    async def add_audit(self, actor: str, action: str, target: str, **_: Any) -> None:
        self.notes.append(action)


@pytest.fixture
def database() -> Database:
    return Database()


def keeper(database: Database, folder: Path) -> Keeper:
    return Keeper(cast(Admin, database), folder)


async def lived(database: Database, folder: Path, ticks: int = 3) -> None:
    """A daemon's life, from its start to an orderly end."""
    one = keeper(database, folder)
    await one.compare()
    for _ in range(ticks):
        await one.count_up()


@pytest.mark.parametrize(
    "now, kept, said",
    [
        (Stamp("1", 1, "", 0, 0), Kept(), ""),  # a new database
        (Stamp("1", 1, "1", 1, 5), Kept(), ""),  # a new data directory
        (Stamp("1", 1, "1", 1, 5), Kept("1", 1, 5), ""),
        (Stamp("1", 1, "1", 1, 9), Kept("1", 1, 5), ""),  # another daemon counted too
        (Stamp("", 0, "", 0, 9), Kept("", 0, 5), ""),  # a server that tells nothing
        (Stamp("1", 1, "1", 1, 4), Kept("1", 1, 5), "older"),
        (Stamp("", 0, "", 0, 4), Kept("", 0, 5), "older"),
        (Stamp("1", 1, "", 0, 0), Kept("1", 1, 5), "no stamp"),  # a backup from before there were stamps
        (Stamp("2", 1, "2", 1, 3), Kept("1", 1, 5), ""),  # another database
        (Stamp("1", 2, "1", 2, 9), Kept("1", 1, 5), ""),  # promoted, and another daemon has seen to it
        (Stamp("1", 2, "1", 2, 4), Kept("1", 1, 5), "older"),
        (Stamp("2", 1, "1", 1, 5), Kept(), "another server"),  # a backup on a new machine
        (Stamp("2", 1, "", 0, 0), Kept("1", 1, 5), "no stamp"),
        (Stamp("1", 2, "1", 1, 5), Kept("1", 1, 5), "promoted"),
    ],
)
async def test_redteam_21_an_older_state_is_told_from_the_one_that_was_left(
    now: Stamp, kept: Kept, said: str
) -> None:
    why = trouble(now, kept)
    assert (said in why) if said else why == ""


async def test_redteam_21_a_backup_put_back_makes_every_link_wait_once(
    database: Database, tmp_path: Path
) -> None:
    await lived(database, tmp_path)
    backup = database.row
    await lived(database, tmp_path)
    assert database.recovered == 0
    database.row = backup
    assert await keeper(database, tmp_path).compare() == 2
    await lived(database, tmp_path)
    assert (database.recovered, database.notes) == (1, ["system.recover"])


async def test_redteam_21_a_backup_of_the_last_moment_is_older_too(
    database: Database, tmp_path: Path
) -> None:
    """Taken while the daemon ran, put back after it was stopped in good order: its end counts up once more."""
    one = keeper(database, tmp_path)
    await one.compare()
    backup = database.row
    await one.count_up()
    database.row = backup
    await keeper(database, tmp_path).compare()
    assert database.recovered == 1


async def test_redteam_21_of_two_daemons_one_notices(database: Database, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("x", "y")]
    for folder in folders:
        folder.mkdir()
        await lived(database, folder)
    backup = msgspec.structs.replace(database.row, counter=1)
    for folder in folders:
        await lived(database, folder)
    database.row = backup
    for folder in folders:
        await lived(database, folder)
    assert database.recovered == 1


async def test_an_operator_who_knows_better_is_believed_once(database: Database, tmp_path: Path) -> None:
    await lived(database, tmp_path)
    database.server = "7002"  # moved by a dump; nothing was lost
    (tmp_path / SAID_FILE).write_text("intact\n")
    await lived(database, tmp_path)
    assert (database.recovered, (tmp_path / SAID_FILE).exists()) == (0, False)
    (tmp_path / SAID_FILE).write_text("restored")  # the whole data directory was put back: nothing shows it
    await lived(database, tmp_path)
    await lived(database, tmp_path)
    assert database.recovered == 1


@pytest.mark.parametrize("name", [FILE, SAID_FILE])
async def test_a_file_that_says_nothing_sensible_stops_the_start(
    database: Database, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("{")
    with pytest.raises(StartError, match=name) as caught:
        await keeper(database, tmp_path).compare()
    assert caught.value.hint
    assert database.row == Kept()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_database_that_goes_back_under_a_running_daemon_ends_it(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """Seen when it counts up, or between its look and that; the file stays as it is, so that the next start sees it too."""
    monkeypatch.setattr(restored, "EVERY_S", 0.001)
    one = keeper(database, tmp_path)
    await one.compare()
    await one.count_up()
    await one.count_up()
    backup = msgspec.structs.replace(database.row, counter=1)
    if at_once:
        database.row = backup
    else:
        database.goes_back_to = backup
    with pytest.raises(Restored), anyio.fail_after(60):
        await one.keep()
    with pytest.raises(Restored):
        await one.count_up()  # as at the end of the daemon
    await lived(database, tmp_path)
    assert database.recovered == 1


async def test_a_full_disk_costs_the_file_and_nothing_else(database: Database, tmp_path: Path) -> None:
    await lived(database, tmp_path)
    before = msgspec.json.decode((tmp_path / FILE).read_bytes())["counter"]
    one = keeper(database, tmp_path / "gone")
    await one.compare()
    await one.count_up()
    assert msgspec.json.decode((tmp_path / FILE).read_bytes())["counter"] == before
    await lived(database, tmp_path)
    assert database.recovered == 0
