"""Grants as text: `tdg_`, what was signed (JSON) in base64url, a dot, the signature in base64url.

Must not: decide whether a grant opens anything (actors/core/permissions.py does), or store one.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from actors.core.permissions import Grant
from daemon.secrets import Signer

PREFIX = "tdg_"
TTL_S = 60.0
SIZE_MAX = 4000


def written(grant: Grant, signer: Signer) -> str:
    """The grant, signed."""
    content = msgspec.json.encode(grant, order="sorted")
    return f"{PREFIX}{_encoded(content)}.{_encoded(signer.sign(content))}"


def read(text: str, signer: Signer) -> Grant | None:
    """The grant, or None where this daemon has not signed it as it stands."""
    head, _, tail = text.removeprefix(PREFIX).partition(".")
    if not text.startswith(PREFIX) or len(text) > SIZE_MAX:
        return None
    try:
        content, signature = _decoded(head), _decoded(tail)
        if not signer.signed(content, signature):
            return None
        return msgspec.json.decode(content, type=Grant)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def shown_key(signer: Signer) -> str:
    """The public key, base64."""
    return base64.b64encode(signer.public_key).decode()
