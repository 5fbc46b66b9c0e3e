"""Attachments (images, documents): known by what they are, never held in a record. Pure.

A native path that ends in `#` asks for the description of what stands there: media type, size, SHA-256 of its content. Two
sides agree when their descriptions do; the bytes cross only when they don't, one attachment at a time (SPEC row G16). The
media type is told by the content, so that both sides tell it alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from actors.core.policy import ATTACHED, StreamSpec
from actors.core.types import Side, other
from actors.core.values import Fields, Value

SIZE_MAX: Final = (
    16 * 1024 * 1024
)  # bytes of one attachment; so much is in memory for each request that writes one
HEAD: Final = 16  # so many bytes of the content tell what it is
_SIGNS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"<svg", "image/svg+xml"),
)
_DESCRIPTION: Final = re.compile(r"(\S+) (\d+) ([0-9a-f]{64})", re.ASCII)


class Description(msgspec.Struct, frozen=True):
    """What an attachment is. `size`: bytes; `digest`: SHA-256 of its content, hex."""

    media_type: str
    size: int
    digest: str

    def __str__(self) -> str:
        return f"{self.media_type} {self.size} {self.digest}"


def describe(content: bytes) -> str:
    """The description of a content, as records hold it."""
    return described(content[:HEAD], len(content), hashlib.sha256(content).hexdigest())


def described(head: bytes, size: int, digest: str) -> str:
    """The same, where a system tells these without the content."""
    return str(Description(media_type(head), size, digest))


def media_type(head: bytes) -> str:
    """What content that begins like this is."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for sign, kind in _SIGNS if head.startswith(sign)), "application/octet-stream")


def read_description(value: Value) -> Description | None:
    """A description as records hold it; None for anything else."""
    found = _DESCRIPTION.fullmatch(value) if isinstance(value, str) else None
    return Description(found[1], int(found[2]), found[3]) if found else None


def to_bring(stream: StreamSpec, side: Side, native: Fields) -> Iterator[tuple[str, str]]:
    """The attachments that a write on `side` needs the content of: its path there, and that on the other side."""
    for spec in stream.attached:
        here, there = spec.side(side), spec.side(other(side))
        if here is not None and there is not None and native.get(here.paths[0]) is not None:
            yield here.paths[0], there.paths[0]


def own_path(path: str) -> str:
    """The path without the mark."""
    return path.removesuffix(ATTACHED)
