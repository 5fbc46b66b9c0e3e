"""Becomes a PostgreSQL program: takes on its identity, ties its life to the daemon's, and execs it.

Run as a script of its own, `python -I -S pgexec.py PARENT_PID IDENTITY FOLDER PROGRAM ARGUMENT...`, and not as
a `preexec_fn`: between fork and exec of a process that has threads (gRPC has many) Python code may deadlock,
while here it runs in a fresh, single-threaded interpreter, which `unshare` of a user namespace asks for too.
The pid stays the same through the exec, so the daemon's child is the server itself.

IDENTITY is `self`, `userns:UID:GID` (this user, shown as UID inside a user namespace of its own) or
`user:UID:GID` (drop to that user). Exits with one line on stderr when it can't: 125 for the identity or the
folder, 126 for the program. Must not import anything outside the standard library.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

REFUSED = 125
NOT_EXECUTABLE = 126
_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000


def _call(libc: ctypes.CDLL, name: str, *arguments: int) -> None:
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _become(libc: ctypes.CDLL, identity: str) -> None:
    if identity == "self":
        return
    kind, uid, gid = identity.split(":")
    if kind == "userns":
        outer_uid, outer_gid = os.geteuid(), os.getegid()
        _call(libc, "unshare", _CLONE_NEWUSER)
        # The kernel lets a group be mapped without privileges only where setgroups is denied.
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
        _write("/proc/self/gid_map", f"{gid} {outer_gid} 1")
    else:
        os.setgroups([])
        os.setresgid(int(gid), int(gid), int(gid))
        os.setresuid(int(uid), int(uid), int(uid))


def _prepare(parent_pid: int, identity: str, folder: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    libc = ctypes.CDLL(None, use_errno=True)
    _become(libc, identity)
    os.umask(0o077)
    os.chdir(folder)
    # After the identity: a change of credentials clears the signal.
    _call(libc, "prctl", _PR_SET_PDEATHSIG, signal.SIGINT)
    # The daemon may have ended before the line above took effect.
    if os.getppid() != parent_pid:
        raise ProcessLookupError(f"the daemon (pid {parent_pid}) has ended")


def main(arguments: list[str]) -> int:
    """Become the program; the exit code is for when that didn't work."""
    parent_pid, identity, folder, *command = arguments
    try:
        _prepare(int(parent_pid), identity, folder)
    except OSError as error:
        sys.stderr.write(f"can't become {identity} in {folder}: {error}\n")
        return REFUSED
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.stderr.write(f"can't execute {command[0]} as {identity}: {error}\n")
    return NOT_EXECUTABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
