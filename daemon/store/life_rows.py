"""What the queries of admin_life.py return. Data only; times are epoch seconds, 0 = never."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from actors.core.handshake import Party, Proposal
from actors.core.lifecycle import Establishment
from actors.core.permissions import Access, Directions, Login, Mode
from actors.core.types import Side, other
from daemon.store.codec import Row


class ProposalRow(msgspec.Struct, frozen=True):
    """A proposal with what a link is made from. `names`, `marks`: of the connections, by side (the names, and the own
    marks). `override`: the token of the operator who lets it pass what has to be empty, "" = nobody."""

    proposal: Proposal
    name: str
    blueprint: str
    settings: Mapping[str, Any]
    names: Mapping[Side, str]
    created: float
    decided: float
    override: str
    number: int
    marks: Mapping[Side, str] = {}


class StandingRow(msgspec.Struct, frozen=True):
    """A link as far as other links are concerned. `accounts`: (connector, identity) by side."""

    id: str
    name: str
    tenant: str
    partner: str
    kind: str
    roles: Mapping[Side, str]
    blueprint: str
    settings: Mapping[str, Any]
    establishment: Establishment
    accounts: Mapping[Side, tuple[str, str]]


class Founding(msgspec.Struct, frozen=True):
    """A link to be made. `tenant` owns its name; `partner`: whose the other side is, "" = the same tenant's."""

    tenant: str
    name: str
    connections: Mapping[Side, str]
    blueprint: str
    partner: str = ""
    settings: Mapping[str, Any] = {}
    establishment: Establishment = Establishment.ESTABLISHED
    wish: str = "run"
    kind: str = ""
    roles: Mapping[Side, str] = {}
    rests_on: Mapping[str, str] = {}


class FeatureRow(msgspec.Struct, frozen=True):
    """A feature of an account. `asked_by`: the tenant that asked for it."""

    connector: str
    identity: str
    feature: str
    asked_by: str = ""
    asked: float = 0.0
    enabled: float = 0.0
    enabled_by: str = ""


class GrantRow(msgspec.Struct, frozen=True):
    """A grant as it was given."""

    id: str
    access: str
    origin: str
    target: str
    token: str
    issued: float
    expires: float
    login: Login = Login.STAFF


def access(row: Row) -> Access:
    """A row of `accesses`."""
    other = row["b_connection"] if row["chooser"] == row["a_connection"] else row["a_connection"]
    directions = Directions(row["directions"])
    return Access(row["id"], row["chooser"], other, Mode(row["mode"]), row["both_edit"], directions)


def identity(connector: str, named: str) -> str:
    """An account as one text."""
    return f"{connector}:{named}"


def parted(account: str) -> tuple[str, str]:
    """Connector and identity of such a text."""
    connector, _, named = account.partition(":")
    return connector, named


def proposal(row: Row) -> ProposalRow:
    """A row of `proposals` with both connections."""
    side: Side = "b" if row["side"] == "b" else "a"
    made = Proposal(
        id=row["id"],
        kind=row["kind"],
        side=side,
        proposer=Party(row["proposer"], row["p_tenant"], identity(row["p_connector"], row["p_identity"])),
        addressee=Party(row["addressee"], row["a_tenant"], identity(row["a_connector"], row["a_identity"])),
        expires=row["expires"],
        state=Establishment(row["state"]),
        link=row["link"],
    )
    here, there = side, other(side)
    names: dict[Side, str] = {here: row["p_name"], there: row["a_name"]}
    marks: dict[Side, str] = {here: row["p_mark"], there: row["a_mark"]}
    return ProposalRow(
        proposal=made,
        settings=msgspec.json.decode(row["settings"]),
        names=names,
        marks=marks,
        **{name: row[name] for name in ("name", "blueprint", "created", "decided", "override", "number")},
    )


def standing(row: Row) -> StandingRow:
    """A row of the query `standings`."""
    return StandingRow(
        id=row["id"],
        name=row["name"],
        tenant=row["tenant"],
        partner=row["partner"] or "",
        kind=row["kind"],
        roles={"a": row["a_role"], "b": row["b_role"]},
        blueprint=row["blueprint"],
        settings=msgspec.json.decode(row["settings"]),
        establishment=Establishment(row["establishment"]),
        accounts={
            "a": (row["a_connector"], row["a_identity"]),
            "b": (row["b_connector"], row["b_identity"]),
        },
    )
