"""Sealing of connection secrets: AES-256-GCM with one key of the daemon, bound to the connection they belong to. And
signing of what others have to believe (grants): Ed25519, with a key that is derived from the same one.

The key comes from `TANDEM_SECRET_KEY` (base64 of 32 bytes) or, where that is not set, from `<data_dir>/secret.key`
(mode 0600, made on first start). Sealed form: format byte, key id (4 bytes), nonce (12), ciphertext with tag.
Must not log, and no error may carry a secret or the key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from actors.core.errors import Kind, Scope, TandemError

VARIABLE = "TANDEM_SECRET_KEY"
FILE_NAME = "secret.key"
KEY_SIZE = 32
_FORMAT = b"\x01"
_KEY_ID_SIZE = 4
_NONCE_SIZE = 12
_HEAD_SIZE = len(_FORMAT) + _KEY_ID_SIZE + _NONCE_SIZE


class Signer:
    """Signs with a key of the daemon; whoever has the public one can check without asking. A new secret key is a new
    signature: what was signed before counts for nothing then."""

    def __init__(self, key: bytes) -> None:
        """`key`: the daemon's secret key, which itself signs nothing."""
        seed = HKDF(hashes.SHA256(), KEY_SIZE, salt=None, info=b"tandem signature").derive(key)
        self._private = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return self._private.public_key().public_bytes_raw()

    def sign(self, content: bytes) -> bytes:
        """64 bytes."""
        return self._private.sign(content)

    def signed(self, content: bytes, signature: bytes) -> bool:
        """Whether this daemon signed exactly this."""
        try:
            self._private.public_key().verify(signature, content)
        except InvalidSignature:
            return False
        return True


class SecretBox:
    """Seals and opens the secret settings of connections with one key."""

    def __init__(self, key: bytes) -> None:
        """`key`: 32 random bytes; another length is a CONFIG error."""
        if len(key) != KEY_SIZE:
            raise _config(f"the secret key has {len(key)} bytes instead of {KEY_SIZE}", _HOW_TO_MAKE)
        self._cipher = AESGCM(key)
        self.signer = Signer(key)
        self._fingerprints = HKDF(hashes.SHA256(), KEY_SIZE, salt=None, info=b"tandem fingerprint").derive(
            key
        )
        self.key_id = hashlib.sha256(key).digest()[:_KEY_ID_SIZE]

    def fingerprint(self, text: str) -> bytes:
        """32 bytes that tell one secret from another, and say nothing of either to who lacks the key."""
        return hmac.digest(self._fingerprints, text.encode(), "sha256")

    def seal(self, secrets: Mapping[str, Any], connection: str) -> bytes:
        """`secrets`: setting -> plain JSON value. The result opens for this connection id only."""
        nonce = os.urandom(_NONCE_SIZE)
        plain = msgspec.json.encode(dict(secrets), order="sorted")
        head = _FORMAT + self.key_id
        return head + nonce + self._cipher.encrypt(nonce, plain, head + connection.encode())

    def open(self, sealed: bytes, connection: str) -> dict[str, Any]:
        """The secrets; a CONFIG error naming the connection when they were sealed with another key or damaged."""
        head, nonce = sealed[: len(_FORMAT) + _KEY_ID_SIZE], sealed[len(_FORMAT) + _KEY_ID_SIZE : _HEAD_SIZE]
        if len(sealed) < _HEAD_SIZE or head[:1] != _FORMAT:
            raise _config(f"the secrets of connection {connection} are not in a known form", _SEAL_AGAIN)
        if head[1:] != self.key_id:
            raise _config(
                f"the secrets of connection {connection} were sealed with key {head[1:].hex()}, "
                f"but the daemon runs with key {self.key_id.hex()}",
                f"start with the former key ({VARIABLE} or the file {FILE_NAME}), or {_SEAL_AGAIN}",
            )
        try:
            plain = self._cipher.decrypt(nonce, sealed[_HEAD_SIZE:], head + connection.encode())
        except InvalidTag:
            raise _config(f"the secrets of connection {connection} are damaged", _SEAL_AGAIN) from None
        return msgspec.json.decode(plain, type=dict[str, Any])


def load_box(data_dir: Path, environment: Mapping[str, str]) -> SecretBox:
    """The box with the key of the environment, else of the data directory's file (made when missing)."""
    text = environment.get(VARIABLE, "")
    return SecretBox(_decoded(text, VARIABLE) if text else _from_file(data_dir / FILE_NAME))


def _from_file(path: Path) -> bytes:
    if path.exists():
        return _read(path)
    key = os.urandom(KEY_SIZE)
    try:
        _write_new(path, base64.b64encode(key) + b"\n")
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise _config(
            f"can't make {path}: {error.strerror}", f"set {VARIABLE}, or make the folder writable"
        ) from error
    return key


def _write_new(path: Path, content: bytes) -> None:
    """Written aside and linked: a crash leaves no half key, and of two daemons starting at once one key stays."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    finally:
        aside.unlink()


def _read(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text("ascii", "replace")
    except OSError as error:
        raise _config(f"can't read {path}: {error.strerror}", "give the daemon's user read access") from error
    if mode & 0o077:
        raise _config(f"{path} is readable by others (mode {mode:o})", f"chmod 600 {path}")
    return _decoded(text, str(path))


def _decoded(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise _config(f"{where} holds no base64", _HOW_TO_MAKE) from None


def _config(message: str, hint: str) -> TandemError:
    return TandemError(Kind.CONFIG, message, scope=Scope.CONNECTION, hint=hint)


_HOW_TO_MAKE = "make a key with: openssl rand -base64 32"
_SEAL_AGAIN = "enter all secret settings of this connection again: tandemctl connections update"
