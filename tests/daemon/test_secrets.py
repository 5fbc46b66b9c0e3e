"""Secrets at rest: sealed ones open with the right key for the right connection, and for nothing else."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.errors import Kind, TandemError
from daemon.secrets import FILE_NAME, VARIABLE, SecretBox, load_box

KEY = bytes(range(32))
SECRETS = {"password": "hunter2 \u00e9", "tokens": ["x", "y"], "pin": 1234}


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_what_is_sealed_opens(secrets: dict[str, str]) -> None:
    box = SecretBox(KEY)
    assert box.open(box.seal(secrets, "c1"), "c1") == secrets


def test_the_sealed_form_shows_nothing_and_is_never_the_same_twice() -> None:
    box = SecretBox(KEY)
    first, second = box.seal(SECRETS, "c1"), box.seal(SECRETS, "c1")
    assert first != second
    assert b"hunter2" not in first
    assert box.open(second, "c1") == SECRETS


def test_another_key_is_named_and_no_secret_is() -> None:
    sealed = SecretBox(KEY).seal(SECRETS, "c1")
    with pytest.raises(TandemError, match=r"sealed with key .* daemon runs with key") as caught:
        SecretBox(bytes(32)).open(sealed, "c1")
    assert caught.value.kind is Kind.CONFIG
    assert "c1" in caught.value.message
    assert VARIABLE in caught.value.hint


def test_secrets_moved_to_another_connection_do_not_open() -> None:
    box = SecretBox(KEY)
    with pytest.raises(TandemError, match="secrets of connection c2 are damaged"):
        box.open(box.seal(SECRETS, "c1"), "c2")


@pytest.mark.parametrize("position", [0, 2, 8, 20, -1])
def test_a_flipped_bit_anywhere_is_noticed(position: int) -> None:
    box = SecretBox(KEY)
    sealed = bytearray(box.seal(SECRETS, "c1"))
    sealed[position] ^= 1
    with pytest.raises(TandemError, match="c1"):
        box.open(bytes(sealed), "c1")


@pytest.mark.parametrize("sealed", [b"", b"\x01abcd", b"\x07" + bytes(60)])
def test_what_is_no_sealed_form_is_refused(sealed: bytes) -> None:
    with pytest.raises(TandemError, match="not in a known form"):
        SecretBox(KEY).open(sealed, "c1")


def test_the_key_file_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    sealed = load_box(tmp_path, {}).seal(SECRETS, "c1")
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert load_box(tmp_path, {}).open(sealed, "c1") == SECRETS


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    load_box(tmp_path, {})
    box = load_box(tmp_path, {VARIABLE: base64.b64encode(KEY).decode()})
    assert box.key_id == SecretBox(KEY).key_id


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_box(tmp_path, {})
    (tmp_path / FILE_NAME).chmod(0o644)
    with pytest.raises(TandemError, match="readable by others") as caught:
        load_box(tmp_path, {})
    assert caught.value.hint.startswith("chmod 600")


@pytest.mark.parametrize("text", ["not base64!", base64.b64encode(b"short").decode()])
def test_a_key_that_is_none_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(TandemError) as caught:
        load_box(tmp_path, {VARIABLE: text})
    assert text not in str(caught.value)
    assert "openssl rand" in caught.value.hint


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(TandemError, match=os.fspath(tmp_path / "none" / FILE_NAME)):
        load_box(tmp_path / "none", {})
