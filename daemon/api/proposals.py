"""The Proposals service: a link is asked for with the other's credentials, and confirmed with the first one's.

What may be is said by actors/core (handshake, roles, preflight); here it is looked up, and done.
Must not: store credentials.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

from actors.core import handshake
from actors.core.handshake import Party, Proposal, Stranger, Unproved
from actors.core.lifecycle import Establishment, NoStep
from actors.core.policy import LinkSpec
from actors.core.preflight import Obstacle
from actors.core.roles import Role, first_role
from actors.core.types import Side, other
from daemon import blueprints as builtin
from daemon.api import access, convert, rules
from daemon.api.accesses import known_account
from daemon.api.desk import Desk
from daemon.api.errors import ApiError, not_found, precondition
from daemon.api.founding import Founder, loaded
from daemon.api.preflight import Pair, account
from daemon.api.proofs import proved
from daemon.store.life_rows import ProposalRow, identity, parted
from daemon.store.rows import ConnectionInfo, Missing
from tandem.v1 import common_pb2, proposals_pb2_grpc
from tandem.v1 import proposals_pb2 as pb


class Proposals(proposals_pb2_grpc.ProposalsServicer):
    """See proto/tandem/v1/proposals.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CreateProposal(self, request: pb.CreateProposalRequest, context: Any) -> pb.Proposal:
        own = await self._desk.connection(request.connection, request.tenant)
        text = builtin.given(request.blueprint)
        spec = loaded(self._desk.blueprints, text)
        side = _side(spec, request)
        connector = {"a": spec.a_connector, "b": spec.b_connector}[other(side)]
        named = await proved(self._desk, connector, convert.settings_of(request.other))
        theirs = await known_account(self._desk, own, connector, named)
        override = self._override(spec, request)
        row = _row(self._desk, request, spec, side, (own, theirs), override)
        again = await self._same(row)
        if again is not None:
            return self._shown(again, spec, ())
        pair = _pair(side, own, theirs)
        founder = Founder(self._desk, spec, pair, request.name, text=text, settings=row.settings)
        await founder.allowed()
        await founder.fits()
        warnings = await founder.preflight(bool(override))
        stored = await self._desk.life.create_proposal(row)
        await self._audit("proposal.create", stored, override=bool(override))
        return self._shown(stored, spec, warnings)

    async def GetProposal(self, request: pb.GetProposalRequest, context: Any) -> pb.Proposal:
        row = await self._row(request.proposal)
        return self._shown(row, loaded(self._desk.blueprints, row.blueprint), ())

    async def ListProposals(self, request: pb.ListProposalsRequest, context: Any) -> pb.ListProposalsResponse:
        tenant = self._desk.visible(request.tenant)
        size = rules.page_size(request)
        found = await self._desk.life.list_proposals(tenant, not request.all, size, request.page_token)
        shown = [self._shown(row, loaded(self._desk.blueprints, row.blueprint), ()) for row in found.rows]
        for one in shown:
            one.blueprint = ""
        return pb.ListProposalsResponse(proposals=shown, next_page_token=found.next_page)

    async def CheckProposal(self, request: pb.CheckProposalRequest, context: Any) -> pb.CheckProposalResponse:
        row = await self._row(request.proposal)
        founder, _ = await self._founder(row)
        found = await founder.obstacles()
        return pb.CheckProposalResponse(obstacles=map(convert.obstacle, found))

    async def ConfirmProposal(self, request: pb.ConfirmProposalRequest, context: Any) -> pb.Proposal:
        row = await self._row(request.proposal)
        founder, spec = await self._founder(row)
        connector = {"a": spec.a_connector, "b": spec.b_connector}[row.proposal.side]
        named = await proved(self._desk, connector, convert.settings_of(request.other))
        with _refusals(row):
            proof = identity(connector, named)
            tenant = access.caller().tenant
            after = handshake.confirmed(row.proposal, tenant, proof, self._desk.clock.now())
        if row.proposal.state is Establishment.CONFIRMED and after == row.proposal:
            return self._shown(row, spec, ())  # a replay: the answer was lost
        await founder.allowed()
        await founder.fits()
        warnings = await founder.preflight(bool(row.override))
        await self._link(row, founder, spec)
        return self._shown(await self._desk.life.get_proposal(row.proposal.id), spec, warnings)

    async def DeclineProposal(self, request: pb.DeclineProposalRequest, context: Any) -> pb.Proposal:
        row = await self._row(request.proposal)
        with _refusals(row):
            handshake.declined(row.proposal, access.caller().tenant, self._desk.clock.now())
        return await self._ended(row, Establishment.DECLINED, "proposal.decline")

    async def WithdrawProposal(self, request: pb.WithdrawProposalRequest, context: Any) -> pb.Proposal:
        row = await self._row(request.proposal)
        with _refusals(row):
            handshake.withdrawn(row.proposal, access.caller().tenant, self._desk.clock.now())
        return await self._ended(row, Establishment.WITHDRAWN, "proposal.withdraw")

    # -------------------------------------------------------------------------------------------------- inside

    async def _link(self, row: ProposalRow, founder: Founder, spec: LinkSpec) -> None:
        """The link of a confirmed proposal, with everything that depends on it, once."""
        proposer, addressee = row.proposal.proposer, row.proposal.addressee
        # A custom set-up is read as a plan before anything is written.
        wish = "paused" if row.override else "run"
        new, missing = await founder.founding(proposer.tenant, partner=addressee.tenant, wish=wish)
        link = await self._desk.life.confirm_proposal(row.proposal.id, new, founder.check)
        info = await self._desk.admin.get_link(link)
        self._desk.name_link(info, [stream.name for stream in spec.streams])
        if row.override:
            await self._desk.admin.request_run(link, "plan", (), "command")
        self._desk.engine.wake(link)
        await self._audit("proposal.confirm", row, link=link, being_set_up=bool(missing))

    async def _ended(self, row: ProposalRow, state: Establishment, action: str) -> pb.Proposal:
        ended = await self._desk.life.end_proposal(row.proposal.id, state)
        await self._audit(action, row)
        return self._shown(ended, loaded(self._desk.blueprints, row.blueprint), ())

    async def _row(self, id_: str) -> ProposalRow:
        """The proposal, if one of its two tenants asks."""
        try:
            row = await self._desk.life.get_proposal(id_)
        except Missing:
            raise not_found("proposal", id_) from None
        if not handshake.sees(row.proposal, access.caller().tenant):
            raise not_found("proposal", id_)
        return row

    async def _founder(self, row: ProposalRow) -> tuple[Founder, LinkSpec]:
        spec = loaded(self._desk.blueprints, row.blueprint)
        made = row.proposal
        known = await self._desk.life.connections([made.proposer.connection, made.addressee.connection])
        own, theirs = known[made.proposer.connection], known[made.addressee.connection]
        pair = _pair(made.side, own, theirs)
        founder = Founder(self._desk, spec, pair, row.name, text=row.blueprint, settings=row.settings)
        return founder, spec

    async def _same(self, row: ProposalRow) -> ProposalRow | None:
        """The very same, asked for already and still open."""
        made = row.proposal
        accounts = parted(made.proposer.identity), parted(made.addressee.identity)
        found = await self._desk.life.proposals_alike(made.kind, *accounts)
        known = {one.proposal.id: one for one in found if one.blueprint == row.blueprint}
        same = handshake.same_wish(made, [one.proposal for one in known.values()], self._desk.clock.now())
        return known[same.id] if same is not None else None

    def _override(self, spec: LinkSpec, request: pb.CreateProposalRequest) -> str:
        """The token of the operator who passes what has to be empty; "" where nobody asked for that."""
        if not request.override:
            return ""
        who = access.caller()
        if who.tenant:
            raise ApiError(
                grpc.StatusCode.PERMISSION_DENIED,
                "OPERATORS_ONLY",
                "a custom set-up is made by the provider, not by a tenant",
                hint="ask the provider",
            )
        if not spec.setup.custom:
            raise precondition(
                "NO_CUSTOM_SETUP",
                f"blueprint {spec.name} allows no custom set-up: what has to be empty has to be empty",
                "say it again without --override",
            )
        return who.token

    def _shown(self, row: ProposalRow, spec: LinkSpec, warnings: Sequence[Obstacle]) -> pb.Proposal:
        made = row.proposal
        return pb.Proposal(
            id=made.id,
            name=row.name,
            kind=made.kind,
            side=convert.side(made.side),
            proposer=_account(row, made.proposer, made.side),
            addressee=_account(row, made.addressee, other(made.side)),
            role=spec.setup.roles[made.side].value,
            state=handshake.standing(made, self._desk.clock.now()).value,
            warnings=map(convert.obstacle, warnings),
            link=made.link,
            override=bool(row.override),
            created=convert.stamp(row.created),
            expires=convert.stamp(made.expires),
            decided=convert.stamp(row.decided),
            blueprint=row.blueprint,
        )

    async def _audit(self, action: str, row: ProposalRow, **detail: Any) -> None:
        """For both tenants."""
        made = row.proposal
        for tenant in dict.fromkeys((made.proposer.tenant, made.addressee.tenant)):
            await self._desk.audit(action, made.id, tenant, kind=made.kind, **detail)


class _refusals:
    """What the pure core refuses, as the caller is told."""

    def __init__(self, row: ProposalRow) -> None:
        self._row = row

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        id_ = self._row.proposal.id
        if isinstance(error, Stranger):
            raise not_found("proposal", id_) from error
        if isinstance(error, Unproved):
            raise precondition(
                "OTHER_ACCOUNT",
                f"these credentials lead to {error}, not to the account that asked",
                f"give those of {self._row.proposal.proposer.identity}",
                proposal=id_,
            ) from error
        if isinstance(error, NoStep):
            raise precondition(
                "NO_STEP",
                f"proposal {id_}: {error}",
                "tandemctl proposals list --all shows how it stands",
                proposal=id_,
            ) from error


def _side(spec: LinkSpec, request: pb.CreateProposalRequest) -> Side:
    """The proposer's: as said, as the blueprint says, the Secondary's, a."""
    setup = spec.setup
    fallback = setup.proposed_by or first_role(setup.roles, Role.SECONDARY) or "a"
    side: Side = convert.side_of(request.side) if request.side else fallback
    if setup.proposed_by is not None and side != setup.proposed_by:
        role = setup.roles[setup.proposed_by].value
        raise precondition(
            "NOT_YOURS_TO_PROPOSE",
            f"a link of blueprint {spec.name} is proposed by side {setup.proposed_by} (the {role})",
            "propose it from the other account, or without --side",
        )
    return side


def _pair(side: Side, own: ConnectionInfo, theirs: ConnectionInfo) -> Pair:
    return {"a": own, "b": theirs} if side == "a" else {"a": theirs, "b": own}


def _row(
    desk: Desk,
    request: pb.CreateProposalRequest,
    spec: LinkSpec,
    side: Side,
    accounts: tuple[ConnectionInfo, ConnectionInfo],
    override: str,
) -> ProposalRow:
    now = desk.clock.now()
    own, theirs = (Party(one.id, one.tenant, identity(*account(one))) for one in accounts)
    made = Proposal(
        id=f"pro-{desk.clock.token()}",
        kind=spec.setup.kind,
        side=side,
        proposer=own,
        addressee=theirs,
        expires=now + spec.setup.expires_s,
    )
    return ProposalRow(
        proposal=made,
        name=request.name,
        blueprint=builtin.given(request.blueprint),
        settings={
            name: convert.plain(value) for name, value in convert.settings_of(request.settings).items()
        },
        names={side: accounts[0].name, other(side): accounts[1].name},
        marks={side: accounts[0].own_mark, other(side): accounts[1].own_mark},
        created=now,
        decided=0.0,
        override=override,
        number=0,
    )


def _account(row: ProposalRow, party: Party, side: Side) -> common_pb2.Account:
    connector, named = parted(party.identity)
    return common_pb2.Account(
        connection=party.connection,
        tenant=party.tenant,
        name=row.names[side],
        connector=connector,
        identity=named,
        own_mark=row.marks[side],
    )
