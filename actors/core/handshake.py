"""Proposals: one side asks for a link with the other's credentials, the other confirms with the first one's. Pure. Row W7.

Whoever acts for an account is known by its tenant; that it can log in to the *other* account is proved afresh, by the
account identity which that system gives to the credentials. A step said twice is said once; time is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actors.core.lifecycle import Establishment, NoStep, Step, stepped
from actors.core.types import Side


class Party(msgspec.Struct, frozen=True):
    """An account and whose it is. `identity`: the account's own name, with its connector."""

    connection: str
    tenant: str
    identity: str


class Proposal(msgspec.Struct, frozen=True):
    """A link that one side asked for. `proposer` takes `side`. `expires`: epoch seconds. `link`: what came of it."""

    id: str
    kind: str
    side: Side
    proposer: Party
    addressee: Party
    expires: float
    state: Establishment = Establishment.REQUESTED
    link: str = ""


class Stranger(ValueError):
    """The caller has to do with neither account: for him there is no such proposal."""


class Unproved(ValueError):
    """The credentials lead to another account than the one they have to prove."""


def standing(proposal: Proposal, now: float) -> Establishment:
    """How the proposal stands at this moment: nobody has to be awake for it to expire."""
    if proposal.state is Establishment.REQUESTED and now >= proposal.expires:
        return Establishment.EXPIRED
    return proposal.state


def sees(proposal: Proposal, tenant: str) -> bool:
    """Whether the proposal exists for this tenant ("" = whoever is responsible for all of them)."""
    return tenant in ("", proposal.proposer.tenant, proposal.addressee.tenant)


def confirmed(proposal: Proposal, tenant: str, proof: str, now: float) -> Proposal:
    """Confirm for the addressee. `proof`: identity of the account to which the credentials lead; it has to be the
    proposer's, also when the step is said again. Raises `Stranger`, `Unproved`, `NoStep`."""
    _acts_for(proposal, proposal.addressee, tenant)
    if proof != proposal.proposer.identity:
        raise Unproved(proof)
    return _moved(proposal, Step.CONFIRM, now)


def declined(proposal: Proposal, tenant: str, now: float) -> Proposal:
    """Decline for the addressee."""
    _acts_for(proposal, proposal.addressee, tenant)
    return _moved(proposal, Step.DECLINE, now)


def withdrawn(proposal: Proposal, tenant: str, now: float) -> Proposal:
    """Withdraw for the proposer."""
    _acts_for(proposal, proposal.proposer, tenant)
    return _moved(proposal, Step.WITHDRAW, now)


def _acts_for(proposal: Proposal, party: Party, tenant: str) -> None:
    if not sees(proposal, tenant):
        raise Stranger
    if tenant not in ("", party.tenant):
        raise NoStep("it is the other side's to say")


def _moved(proposal: Proposal, step: Step, now: float) -> Proposal:
    return msgspec.structs.replace(proposal, state=stepped(standing(proposal, now), step))


def same_wish(proposal: Proposal, others: Sequence[Proposal], now: float) -> Proposal | None:
    """The open one among `others` that asks for the very same, so that asking twice is asking once."""
    for one in others:
        alike = (one.kind, one.side, one.proposer.identity, one.addressee.identity) == (
            *(proposal.kind, proposal.side),
            *(proposal.proposer.identity, proposal.addressee.identity),
        )
        if alike and standing(one, now) is Establishment.REQUESTED:
            return one
    return None
