"""Reading calls by a connector's declaration: genuine or not, and what they are about."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.ports import Webhook
from clients.connectors.webhook import IDS_MAX, Call, Said, is_genuine, said

SECRET = "tell nobody"
BODY = b'{"object": "Debtor", "ids": ["D1", 2], "event": "changed"}'
HMAC = Webhook(
    "hmac_sha256",
    header="X-Sign",
    prefix="sha256=",
    object="json:object",
    ids="json:ids.*",
    event="json:event",
)


def call(body: bytes = BODY, query: str = "", method: str = "POST", **headers: str) -> Call:
    return Call(
        method, {name.lower().replace("_", "-"): value for name, value in headers.items()}, query, body
    )


def signed(body: bytes = BODY, secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


@pytest.mark.parametrize(
    "signature",
    [
        "sha256=" + signed().hex(),
        "sha256=" + signed().hex().upper(),
        "sha256=" + base64.b64encode(signed()).decode(),
    ],
)
def test_a_signature_in_any_spelling_is_genuine(signature: str) -> None:
    assert is_genuine(HMAC, SECRET, call(X_Sign=signature))


FORGED: dict[str, tuple[Webhook, str, Call]] = {
    "no signature": (HMAC, SECRET, call()),
    "another secret": (HMAC, SECRET, call(X_Sign="sha256=" + signed(secret="guess").hex())),
    "another body": (HMAC, SECRET, call(b"{}", X_Sign="sha256=" + signed().hex())),
    "no prefix": (HMAC, SECRET, call(X_Sign=signed().hex())),
    "an empty one": (HMAC, SECRET, call(X_Sign="sha256=")),
    "no ASCII": (HMAC, SECRET, call(X_Sign="sha256=é\udcff")),
    "no secret at all": (HMAC, "", call(X_Sign="sha256=" + signed(secret="").hex())),
    "a wrong token": (Webhook("token", header="X-Token"), SECRET, call(X_Token="tell")),
    "an empty token": (Webhook("token", header="X-Token"), "", call(X_Token="")),
    "a token elsewhere": (Webhook("token", parameter="key"), SECRET, call(X_Key=SECRET)),
}


@pytest.mark.parametrize("webhook, secret, one", FORGED.values(), ids=FORGED)
def test_what_is_forged_is_not_genuine(webhook: Webhook, secret: str, one: Call) -> None:
    assert not is_genuine(webhook, secret, one)


def test_tokens_and_addresses_that_are_secret_themselves() -> None:
    assert is_genuine(Webhook("token", header="X-Token"), SECRET, call(X_Token=SECRET))
    assert is_genuine(
        Webhook("token", header="Authorization", prefix="Bearer "), "t", call(Authorization="Bearer t")
    )
    assert is_genuine(Webhook("token", parameter="key"), "a b", call(query="key=a%20b&x=1", method="GET"))
    assert is_genuine(Webhook(), "", call(method="GET", body=b""))


PLACES: list[tuple[str, Webhook, Call, Said]] = [
    ("in JSON", HMAC, call(), Said("Debtor", ("D1", "2"), "changed")),
    ("the object in the address", HMAC, call(), Said("named", ("D1", "2"), "changed")),
    (
        "a list of records",
        Webhook(ids="json:data.*.id"),
        call(b'{"data": [{"id": 7}, {"id": "8"}, {}]}'),
        Said("", ("7", "8")),
    ),
    ("a form", Webhook(object="form:t", ids="form:id"), call(b"t=Item&id=1&id=2"), Said("Item", ("1", "2"))),
    (
        "a query",
        Webhook(object="query:t", ids="query:id"),
        call(query="t=Item&id=%C3%A9"),
        Said("Item", ("é",)),
    ),
    ("a header", Webhook(object="header:X-Topic"), call(X_Topic="Item"), Said("Item")),
    ("twice the same", Webhook(ids="json:*"), call(b'["1", "1"]'), Said("", ("1",))),
    ("no JSON", HMAC, call(b"<xml/>"), Said()),
    ("another shape", HMAC, call(b'[{"object": {"a": 1}}]'), Said()),
    (
        "an object that is no text",
        HMAC,
        call(b'{"object": ["x", "y"], "ids": {"a": null, "b": true, "c": 1.5}}'),
        Said(),
    ),
    ("no ids", HMAC, call(b'{"object": "Debtor"}'), Said("Debtor")),
    ("an id that is too long", HMAC, call(b'{"ids": ["%s"]}' % (b"x" * 501)), Said()),
    ("an id that no table can hold", HMAC, call(b'{"ids": ["D1", "a\\u0000b"]}'), Said()),
    ("deep", HMAC, call(b"[" * 100_000), Said()),
    ("no place for it", Webhook(ids="somewhere:else"), call(), Said()),
]


@pytest.mark.parametrize("story, webhook, one, wanted", PLACES, ids=[row[0] for row in PLACES])
def test_what_a_call_is_about(story: str, webhook: Webhook, one: Call, wanted: Said) -> None:
    assert said(webhook, one, "named" if wanted.object == "named" else "") == wanted


def test_more_ids_than_can_be_looked_at_one_by_one() -> None:
    body = msgspec.json.encode({"object": "Debtor", "ids": list(range(IDS_MAX + 1))})
    assert said(HMAC, call(body)) == Said("Debtor")
    assert len(said(HMAC, call(msgspec.json.encode({"ids": list(range(IDS_MAX))}))).ids) == IDS_MAX


JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["object", "ids", "event"]), inner, max_size=3),
    ),
)


@given(
    st.one_of(st.binary(max_size=50), JSON.map(lambda value: msgspec.json.encode(value))),
    st.text(max_size=20),
)
def test_no_call_does_harm(body: bytes, query: str) -> None:
    webhook = msgspec.structs.replace(HMAC, ids="json:ids.*", event="query:e")
    found = said(webhook, call(body, query))
    assert all(one and one.isprintable() for one in found.ids)
    assert not is_genuine(webhook, SECRET, call(body, query, X_Sign=query))


@pytest.mark.parametrize("scheme", ["hmac_sha512", "sha512"])
def test_a_signature_by_sha_512_is_of_its_own_scheme_only(scheme: Any) -> None:
    made = {
        "hmac_sha512": hmac.digest(SECRET.encode(), BODY, hashlib.sha512),
        "sha512": hashlib.sha512(BODY + SECRET.encode()).digest(),
    }
    hook = msgspec.structs.replace(HMAC, signature=scheme)
    for name, digest in made.items():
        for text in (digest.hex(), base64.b64encode(digest).decode()):
            assert is_genuine(hook, SECRET, call(X_Sign=f"{HMAC.prefix}{text}")) is (name == scheme)


def test_of_what_has_parts_no_id_is_taken() -> None:
    hook = msgspec.structs.replace(HMAC, of_parts=("customers",))
    assert said(hook, call(), "articles").ids == ("D1", "2")
    assert said(hook, call(), "customers") == Said("customers", (), "changed")
