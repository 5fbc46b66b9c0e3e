"""The handshake as a state machine: two principals, an intruder, replays, expiry, crashes, crossed proposals.

The store is a dict that a crash may leave before or after a step was written; whoever acted then repeats it or not. The
model is a list of who said what with which proof, kept beside.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.core import handshake, roles
from actors.core.handshake import Party, Proposal, Stranger, Unproved
from actors.core.lifecycle import Establishment, NoStep
from actors.core.roles import Role, Standing
from actors.core.types import other

PARTIES = {
    "ann": Party("con-ann", "ann", "memory:ann"),
    "bob": Party("con-bob", "bob", "memory:bob"),
    "eve": Party("con-eve", "eve", "memory:eve"),
}
TTL_S = 100.0
WHO = st.sampled_from(sorted(PARTIES))
FATES = st.sampled_from(["done", "crashed before", "crashed after"])


class Handshakes(RuleBasedStateMachine):
    """Ann and Bob want a link, each perhaps proposing it; Eve wants one with Ann behind Bob's back, or to spoil theirs."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.stored: dict[str, Proposal] = {}
        self.links: dict[str, tuple[str, Standing]] = {}
        self.consent: set[tuple[str, str]] = (
            set()
        )  # proposal, tenant that said yes with the right proof, in time

    def _write(self, fate: str, after: Proposal, link: Standing | None = None) -> None:
        """One transaction: all of it or, before a crash, nothing."""
        if fate == "crashed before":
            return
        if link is not None and after.id not in self.links:
            self.links[after.id] = after.id, link
        self.stored[after.id] = after

    @rule(who=WHO, whom=WHO, lies=st.booleans(), fate=FATES)
    def propose(self, who: str, whom: str, lies: bool, fate: str) -> None:
        # Nobody who can't log in to the other account gets so far: the lie ends at that system.
        if who == whom or lies:
            return
        mine, theirs = PARTIES[who], PARTIES[whom]
        new = Proposal(f"p{len(self.stored)}", "customers", "b", mine, theirs, self.now + TTL_S)
        again = handshake.same_wish(new, list(self.stored.values()), self.now)
        if again is None:
            self._write(fate, new)
        else:
            assert handshake.standing(again, self.now) is Establishment.REQUESTED

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), who=WHO, proof=WHO, fate=FATES)
    def confirm(self, data: Any, who: str, proof: str, fate: str) -> None:
        proposal = self.stored[data.draw(st.sampled_from(sorted(self.stored)))]
        before = handshake.standing(proposal, self.now)
        try:
            after = handshake.confirmed(proposal, PARTIES[who].tenant, PARTIES[proof].identity, self.now)
        except (Stranger, Unproved, NoStep):
            allowed = who == proposal.addressee.tenant and proof == proposal.proposer.tenant
            alive = before in (Establishment.REQUESTED, Establishment.CONFIRMED)
            assert not (allowed and alive), "a right confirmation was refused"
            return
        assert who == proposal.addressee.tenant and proof == proposal.proposer.tenant
        self.consent.add((proposal.id, who))
        ours, theirs = proposal.side, other(proposal.side)
        accounts = {ours: proposal.proposer.identity, theirs: proposal.addressee.identity}
        link = Standing(proposal.id, "customers", accounts, {"a": Role.PRIMARY, "b": Role.SECONDARY})
        others = [one for id_, (_, one) in self.links.items() if id_ != proposal.id]
        if not roles.clash(link, others):
            self._write(fate, msgspec.structs.replace(after, link=proposal.id), link)

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), who=WHO, how=st.sampled_from([handshake.declined, handshake.withdrawn]), fate=FATES)
    def end(self, data: Any, who: str, how: Any, fate: str) -> None:
        proposal = self.stored[data.draw(st.sampled_from(sorted(self.stored)))]
        party = proposal.addressee if how is handshake.declined else proposal.proposer
        try:
            after = how(proposal, PARTIES[who].tenant, self.now)
        except (Stranger, NoStep):
            return
        assert who == party.tenant
        assert proposal.id not in self.links, "what came of it can't be taken back this way"
        self._write(fate, after)

    @rule(seconds=st.sampled_from([1.0, 60.0, 150.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def a_link_rests_on_both(self) -> None:
        for id_, (_, link) in getattr(self, "links", {}).items():
            proposal = self.stored[id_]
            assert (id_, proposal.addressee.tenant) in self.consent
            assert proposal.state is Establishment.CONFIRMED
            assert set(link.accounts.values()) == {proposal.proposer.identity, proposal.addressee.identity}

    @invariant()
    def no_pair_is_linked_twice_and_nobody_has_two_primaries(self) -> None:
        links = [link for _, link in getattr(self, "links", {}).values()]
        pairs = [frozenset(link.accounts.values()) for link in links]
        assert len(set(pairs)) == len(pairs)
        below = [link.account(Role.SECONDARY) for link in links]
        assert len(set(below)) == len(below)

    @invariant()
    def nobody_sees_what_is_not_his(self) -> None:
        for proposal in getattr(self, "stored", {}).values():
            mine = {proposal.proposer.tenant, proposal.addressee.tenant}
            for name in PARTIES:
                assert handshake.sees(proposal, name) is (name in mine)


Handshakes.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestHandshakes = Handshakes.TestCase


def test_a_third_tenant_can_do_nothing_not_even_with_the_right_credentials() -> None:
    proposal = Proposal("p", "customers", "b", PARTIES["ann"], PARTIES["bob"], 100.0)
    with pytest.raises(Stranger):
        handshake.confirmed(proposal, "eve", "memory:ann", 0.0)
    for step in (handshake.declined, handshake.withdrawn):
        with pytest.raises(Stranger):
            step(proposal, "eve", 0.0)
    with pytest.raises(NoStep, match="the other side's"):
        handshake.confirmed(proposal, "ann", "memory:ann", 0.0)
    with pytest.raises(Unproved):
        handshake.confirmed(proposal, "bob", "memory:eve", 0.0)


def test_a_proposal_expires_by_itself_and_for_good() -> None:
    proposal = Proposal("p", "customers", "b", PARTIES["ann"], PARTIES["bob"], 100.0)
    assert handshake.standing(proposal, 99.9) is Establishment.REQUESTED
    assert handshake.standing(proposal, 100.0) is Establishment.EXPIRED
    with pytest.raises(NoStep, match="expired"):
        handshake.confirmed(proposal, "bob", "memory:ann", 100.0)
    done = handshake.confirmed(proposal, "bob", "memory:ann", 99.0)
    assert handshake.confirmed(done, "bob", "memory:ann", 500.0) == done  # a replay, however late
