"""What settings say over a connector's description of its objects."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.core.errors import Kind, TandemError
from clients.connectors.http.overlay import overlaid


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An object of an invented system."""

    key: str = "id"
    texts: str = ""


KNOWN = {"customers": Table(texts="name")}


def test_what_is_said_goes_over_what_is_known_and_others_are_added() -> None:
    found = overlaid(KNOWN, {"customers": {"key": "no"}, "tills": {"texts": "place"}}, Table)
    assert found == {"customers": Table("no", "name"), "tills": Table("id", "place")}
    assert {"customers": Table(texts="name")} == KNOWN


@pytest.mark.parametrize("said", [{"colour": "red"}, {"key": 7}, "name", 7, None])
def test_what_can_not_be_used_is_told_with_the_object_and_the_words_there_are(said: Any) -> None:
    with pytest.raises(TandemError) as caught:
        overlaid(KNOWN, {"customers": said}, Table)
    assert caught.value.kind is Kind.CONFIG
    assert "customers" in str(caught.value)
    assert "key, texts" in caught.value.hint
