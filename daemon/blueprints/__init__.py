"""The blueprints that come with the daemon: one file per pair of systems, in words that support staff can read.

Wherever a blueprint is asked for, the name of one of these may stand in its place. A link keeps the text that it was made
with; a newer daemon changes nothing under its feet. Must not: know a system.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

from actors.core.errors import Kind, TandemError

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
# One word is a name, or the path of a file that somebody meant: a blueprint has at least a `key: value`.
_WORD: Final = re.compile(r"@?[\w./~\\-]+")
_END: Final = ".yaml"


@cache
def names() -> tuple[str, ...]:
    """Their names."""
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(_END) for name in found if name.endswith(_END)))


@cache
def text(name: str) -> str:
    """One of them; CONFIG naming those there are."""
    if name not in names():
        known = ", ".join(names())
        raise TandemError(Kind.CONFIG, f"there is no built-in blueprint '{name}'", hint=f"there are: {known}")
    return (files(__name__) / f"{name}{_END}").read_text(encoding="utf-8")


def given(said: str) -> str:
    """The text of a blueprint that was given as a text or by the name of a built-in one; CONFIG where it is a word that is
    neither, naming those there are and how a file is given."""
    name = said.strip()
    if _NAME.fullmatch(name) and name in names():
        return text(name)
    if _WORD.fullmatch(name):
        known = ", ".join(names())
        raise TandemError(
            Kind.CONFIG,
            f"there is no built-in blueprint '{name}'",
            hint=f"there are: {known}; tandemctl takes a file as @{name.removeprefix('@')}",
        )
    return said
