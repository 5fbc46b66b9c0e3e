"""Import files for Sage 50: written whole, taken in by the program at its own time (.TXT -> .BAK), reported on or not.

A file lies in the folder of imports until the program takes it in; then it is renamed, and never taken twice. Rows that the
program refused stand in a report of the same name (.ERR). Nothing is remembered here but on disk, so a restart forgets
nothing. Blocking; called from worker threads. Must not: decide what becomes of a record.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from actors.core.errors import Kind, Scope, TandemError
from clients.connectors.files import disk
from clients.connectors.files.disk import Unsettled
from clients.connectors.files.text import BrokenText, parse

SEPARATOR: Final = "\t"
EOL: Final = "\r\n"
REPORT: Final = ".ERR"
_DAY_S: Final = 86_400
_LOOKS_MAX: Final = 5


class Sent(NamedTuple):
    """An import file of ours. `path`: under the name it was written with; `ids`: the keys of its rows."""

    path: Path
    ids: frozenset[str]


class State(NamedTuple):
    """What has become of a file. `taken`: the program has renamed it; `refused`: its own words, by key; `whole`: why it took
    nothing of the file at all."""

    taken: bool
    refused: Mapping[str, str]
    whole: str = ""


class Imports:
    """The folder of imports."""

    def __init__(self, folder: Path, encoding: str) -> None:
        self.folder = folder
        self._encoding = encoding
        self._keys: dict[str, frozenset[str]] = {}  # of files that were read before; they never change

    def put(self, stem: str, key: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Sent:
        """One import file: the header and a row per key, complete from the moment it has its name."""
        text = EOL.join(SEPARATOR.join(cells) for cells in [columns, *rows.values()]) + EOL
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime())
        path = self.folder / f"{stem}_{stamp}_{secrets.token_hex(4)}.TXT"
        new = path.with_suffix(".tandem-tmp")
        try:
            with new.open("xb") as file:
                file.write(text.encode(self._encoding))
                file.flush()
                os.fsync(file.fileno())
            new.rename(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise disk.failure(error, path, "cannot be written") from error
        disk.sync_folder(self.folder)
        self._keys[path.stem] = frozenset(rows)
        return Sent(path, frozenset(rows))

    def state(self, sent: Sent) -> State:
        """What the program has made of a file by now."""
        report = self._report(sent.path)
        if "" in report:
            return State(False, {}, report[""])
        return State(not sent.path.exists() and sent.path.with_suffix(".BAK").exists(), report)

    def withdraw(self, sent: Sent) -> None:
        """Take back a file that the program would not have, so that it is not offered again."""
        with contextlib.suppress(OSError):
            sent.path.rename(sent.path.with_suffix(".REFUSED"))

    def under_way(self, stem: str, key: str, shown_ns: int) -> dict[str, str]:
        """Keys whose import the export of `shown_ns` (its time) can't show yet, each with the name of its file."""
        for _ in range(_LOOKS_MAX):
            with contextlib.suppress(Unsettled):
                return self._under_way(stem, key, shown_ns)
        raise TandemError(
            Kind.TRANSIENT,
            f"Sage 50 is taking in files from {self.folder}",
            scope=Scope.STREAM,
            hint="it goes on when that is done",
        )

    def _under_way(self, stem: str, key: str, shown_ns: int) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in self._ours(stem):
            waits = path.suffix.upper() == ".TXT"
            if not waits and not (path.suffix.upper() == ".BAK" and _renamed_ns(path) > shown_ns):
                continue
            found.update(dict.fromkeys(self._keys_of(path, key), path.name))
        return found

    def clean(self, stem: str, days: int) -> None:
        """Remove what was taken in long ago."""
        before_ns = time.time_ns() - days * _DAY_S * 1_000_000_000
        for path in self._ours(stem):
            if path.suffix.upper() in {".BAK", REPORT, ".REFUSED"} and _renamed_ns(path) < before_ns:
                with contextlib.suppress(OSError):
                    path.unlink()
                self._keys.pop(path.stem, None)

    def _ours(self, stem: str) -> list[Path]:
        try:
            return sorted(path for path in self.folder.iterdir() if path.name.startswith(f"{stem}_"))
        except OSError as error:
            raise disk.failure(error, self.folder, "cannot be read") from error

    def _keys_of(self, path: Path, key: str) -> Iterable[str]:
        if path.stem not in self._keys:
            with contextlib.suppress(BrokenText):  # none of ours then, whatever its name
                content = disk.read_whole(path)
                table = parse(content.data, self._encoding, SEPARATOR, key, "terminated", quotes=False)
                self._keys[path.stem] = frozenset(table.ids)
        return self._keys.get(path.stem, frozenset())

    def _report(self, path: Path) -> dict[str, str]:
        """Refused rows by key: a line of the report is `line <tab> key <tab> reason`; line 0 is about the whole file."""
        try:
            text = path.with_suffix(REPORT).read_bytes().decode(self._encoding, "replace")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise disk.failure(error, path.with_suffix(REPORT), "cannot be read") from error
        found: dict[str, str] = {}
        whole = text[: text.rfind("\n") + 1]  # a line that is still being written comes with the next look
        for line in whole.splitlines()[1:]:
            number, _, rest = line.partition(SEPARATOR)
            key, _, reason = rest.partition(SEPARATOR)
            found["" if number == "0" else key] = reason or "refused, without a reason"
        return found


def _renamed_ns(path: Path) -> int:
    """When a file got the name it has: that changes its status, not its content."""
    try:
        return path.stat().st_ctime_ns
    except OSError:
        return 0
