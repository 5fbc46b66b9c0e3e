"""The Accesses service: who may switch into whom, and grants. Must not: store or log credentials, or a grant's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from actors.core import permissions
from actors.core.blueprint.compiler import BlueprintError
from actors.core.permissions import Access, Directions, Grant, Login, Mode
from actors.core.roles import Role
from actors.core.types import Side
from daemon import grants
from daemon.api import access, convert, outstanding, rules
from daemon.api.access import Caller
from daemon.api.desk import Desk
from daemon.api.errors import ApiError, Violation, invalid, not_found, precondition
from daemon.api.preflight import account
from daemon.api.proofs import proved
from daemon.store.life_rows import StandingRow
from daemon.store.rows import ConnectionInfo, Missing
from tandem.v1 import accesses_pb2 as pb
from tandem.v1 import accesses_pb2_grpc

_MODES: Mapping[Mode, pb.AccessMode.ValueType] = {
    Mode.BOTH: pb.ACCESS_MODE_BOTH,
    Mode.OUT: pb.ACCESS_MODE_OUT,
    Mode.IN: pb.ACCESS_MODE_IN,
    Mode.NOBODY: pb.ACCESS_MODE_NOBODY,
    Mode.STAFF: pb.ACCESS_MODE_STAFF,
}
_DIRECTIONS: Mapping[Directions, pb.AccessDirections.ValueType] = {
    Directions.BOTH: pb.ACCESS_DIRECTIONS_BOTH,
    Directions.OUT: pb.ACCESS_DIRECTIONS_OUT,
    Directions.IN: pb.ACCESS_DIRECTIONS_IN,
}
_LOGINS: Mapping[Login, pb.Login.ValueType] = {Login.STAFF: pb.LOGIN_STAFF, Login.ADMIN: pb.LOGIN_ADMIN}


class Accesses(accesses_pb2_grpc.AccessesServicer):
    """See proto/tandem/v1/accesses.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CreateAccess(self, request: pb.CreateAccessRequest, context: Any) -> pb.Access:
        directions = _directions(request)
        own = await self._desk.connection(request.connection, request.tenant)
        connector = request.connector or own.connector
        named = await proved(self._desk, connector, convert.settings_of(request.other))
        other = await known_account(self._desk, own, connector, named)
        if await self._desk.life.access_between(account(own), account(other)) is not None:
            raise precondition(
                "CONNECTED",
                f"{own.identity} and {other.identity} are connected already",
                "tandemctl accesses list shows how",
            )
        made = await self._desk.life.create_access(
            own.id, other.id, Mode(request.mode), request.both_edit, directions
        )
        await self._audit("access.create", made, own, other, **_said(made))
        return await self._shown(made, own, other)

    async def ListAccesses(self, request: pb.ListAccessesRequest, context: Any) -> pb.ListAccessesResponse:
        tenant = self._desk.visible(request.tenant)
        only = (await self._desk.connection(request.connection, tenant)).id if request.connection else ""
        size = rules.page_size(request)
        found = await self._desk.life.list_accesses(tenant, only, size, request.page_token)
        ids = [id_ for one in found.rows for id_ in (one.chooser, one.other)]
        known = await self._desk.life.connections(ids)
        shown = [
            await self._shown(one, known[mine], known[permissions.partner(one, mine)])
            for one in found.rows
            for mine in (one.chooser, one.other)
            if (mine == only if only else tenant in ("", known[mine].tenant))
        ]
        return pb.ListAccessesResponse(accesses=shown, next_page_token=found.next_page)

    async def UpdateAccess(self, request: pb.UpdateAccessRequest, context: Any) -> pb.Access:
        directions = _directions(request)
        found, own, other = await self._mine(request.access, request.connection)

        def change(now: Access, links: Sequence[StandingRow]) -> Access:
            _refuse_other_pen(now, own)
            if request.mode == pb.ACCESS_MODE_NOBODY and (held := self._needing(links)):
                raise precondition(
                    "SYNC_STANDS",
                    f"mode 4 allows no sync, and {', '.join(held)} stands between the two accounts",
                    "choose another mode; a sync that can't be undone keeps its access",
                )
            return permissions.chosen(now, own.id, Mode(request.mode), request.both_edit, directions)

        after = await self._desk.life.change_access(found.id, change)
        assert after is not None
        await self._audit("access.update", after, own, other, **_said(after))
        return await self._shown(after, own, other)

    async def DeleteAccess(self, request: pb.DeleteAccessRequest, context: Any) -> pb.DeleteAccessResponse:
        found, own, other = await self._mine(request.access, request.connection)

        def change(now: Access, links: Sequence[StandingRow]) -> None:
            _refuse_other_pen(now, own)
            if links:
                names = ", ".join(self._called(link) for link in links)
                raise precondition(
                    "SYNC_STANDS",
                    f"the access can't be taken away: {names} stands on it",
                    "delete the link first, where its rules allow that",
                )

        await self._desk.life.change_access(found.id, change)
        await self._audit("access.delete", found, own, other)
        return pb.DeleteAccessResponse()

    # --------------------------------------------------------------------------------------------------- grants

    async def EnterAccess(self, request: pb.EnterAccessRequest, context: Any) -> pb.Grant:
        found, own, other = await self._mine(request.access, request.connection)
        login = _login(access.caller(), request.login)
        _refuse_entry(found, own, login)
        left: list[str] = []
        if request.with_sync:
            links = await self._desk.life.standings(account(own), account(other))
            if not any(set(one.accounts.values()) == {account(own), account(other)} for one in links):
                raise precondition(
                    "NO_SYNC",
                    f"{own.identity} and {other.identity} have no data in common",
                    "enter without --with-sync",
                )
            wait_s = request.wait.seconds + request.wait.nanos / 1e9
            left = await outstanding.waited(self._desk, links, wait_s or outstanding.WAIT_S)
            # It took a while: the mode may have been changed meanwhile.
            _refuse_entry(await self._desk.life.get_access(found.id), own, login)
        now = self._desk.clock.now()
        by = access.caller().token
        id_ = f"grant-{self._desk.clock.token()}"
        grant = Grant(id_, found.id, own.id, other.id, by, now, now + grants.TTL_S)
        await self._desk.life.add_grant(grant)
        detail = {"grant": grant.id, "asked_as": login.value}
        await self._audit("access.enter", found, own, other, **detail)
        return _grant(grant, grants.written(grant, self._desk.signer), own, other, left)

    async def CheckGrant(self, request: pb.CheckGrantRequest, context: Any) -> pb.Grant:
        grant = grants.read(request.grant, self._desk.signer)
        if grant is None or await self._desk.life.get_grant(grant.id) is None:
            raise _denied("GRANT", "this is no grant of this daemon, or it has expired", "ask for a new one")
        row = await self._desk.life.list_accesses("", grant.origin, rules.PAGE_SIZE_MAX)
        found = next((one for one in row.rows if one.id == grant.access), None)
        reason = permissions.grant_refusal(grant, found, self._desk.clock.now())
        known = await self._desk.life.connections([grant.origin, grant.into])
        who = access.caller()
        if reason or len(known) != 2 or not any(who.sees(one.tenant) for one in known.values()):
            raise _denied(
                "GRANT", f"the grant opens nothing: {reason or 'it is not yours'}", "ask for a new one"
            )
        return _grant(grant, request.grant, known[grant.origin], known[grant.into], [])

    async def GetGrantKey(self, request: pb.GetGrantKeyRequest, context: Any) -> pb.GetGrantKeyResponse:
        return pb.GetGrantKeyResponse(public_key=grants.shown_key(self._desk.signer))

    # -------------------------------------------------------------------------------------------------- inside

    async def _mine(self, id_: str, connection: str) -> tuple[Access, ConnectionInfo, ConnectionInfo]:
        """The access, the account for which the caller acts, and the other one."""
        try:
            found = await self._desk.life.get_access(id_)
        except Missing:
            raise not_found("access", id_) from None
        known = await self._desk.life.connections([found.chooser, found.other])
        who = access.caller()
        mine = [one for one in known.values() if who.sees(one.tenant)]
        if not mine:
            raise not_found("access", id_)
        if connection:
            mine = [one for one in mine if connection in (one.id, one.name)]
        if len(mine) != 1:
            names = ", ".join(sorted(one.name for one in known.values() if who.sees(one.tenant)))
            raise invalid([Violation("connection", f"which of the two accounts is meant? {names}")])
        return found, mine[0], known[permissions.partner(found, mine[0].id)]

    def _needing(self, links: Sequence[StandingRow]) -> list[str]:
        """Links that mode 4 does not allow."""
        found = []
        for link in links:
            try:
                setup = self._desk.blueprints.load(link.blueprint, link.settings).setup
            except BlueprintError:  # what it said can't be read any more: better held than lost
                found.append(self._called(link))
                continue
            if setup.access and not setup.in_mode_4:
                found.append(self._called(link))
        return found

    def _called(self, link: StandingRow) -> str:
        seen = access.caller().sees(link.tenant, link.partner)
        return f"link {link.name}" if seen else "a link of another tenant"

    async def _shown(self, one: Access, own: ConnectionInfo, other: ConnectionInfo) -> pb.Access:
        links = await self._desk.life.standings(account(own), account(other))
        between = [link for link in links if set(link.accounts.values()) == {account(own), account(other)}]
        refused = permissions.refusal(one, own.id, Login.STAFF), permissions.refusal(one, own.id, Login.ADMIN)
        return pb.Access(
            id=one.id,
            account=convert.account(own),
            other=convert.account(other),
            mode=_MODES[permissions.seen(one, own.id)],
            directions=_DIRECTIONS[permissions.ways(one, own.id)],
            chosen_here=one.chooser == own.id,
            may_edit=permissions.may_edit(one, own.id),
            may_enter=not refused[0],
            may_enter_as_admin=not refused[1],
            reason=refused[0] or refused[1],
            synced=sorted({_synced(link, account(own)) for link in between}),
        )

    async def _audit(
        self, action: str, one: Access, own: ConnectionInfo, other: ConnectionInfo, **detail: Any
    ) -> None:
        """For both tenants: each sees who did what with its account."""
        for tenant in dict.fromkeys((own.tenant, other.tenant)):
            await self._desk.audit(action, one.id, tenant, origin=own.id, into=other.id, **detail)


async def known_account(desk: Desk, own: ConnectionInfo, connector: str, named: str) -> ConnectionInfo:
    """The connection that leads to the account whose credentials were shown."""
    if (connector, named) == account(own):
        raise precondition(
            "ONE_ACCOUNT",
            f"these credentials lead to the own account ({named})",
            "give those of the other account",
        )
    found = await desk.life.accounts_called(connector, named)
    if not found:
        raise precondition(
            "NOT_HERE",
            f"the credentials are right, but nobody has connected the account {named} to this daemon yet",
            "its tenant connects it first: tandemctl connections create",
        )
    # Where an agency has connected accounts of its clients too, the account's own tenant is meant.
    return next((one for one in found if one.tenant != own.tenant), found[0])


def _directions(request: pb.CreateAccessRequest | pb.UpdateAccessRequest) -> Directions:
    said = next((one for one, number in _DIRECTIONS.items() if number == request.directions), Directions.BOTH)
    if said is not Directions.BOTH and request.mode != pb.ACCESS_MODE_STAFF:
        text = "only mode 5 asks which way; modes 2 and 3 are one way, and say which by themselves"
        raise invalid([Violation("directions", text)])
    return said


def _said(one: Access) -> dict[str, Any]:
    """For the audit: the mode, and the way where it is one way only."""
    way = {} if one.directions is Directions.BOTH else {"directions": one.directions.value}
    return {"mode": one.mode.value, **way}


def _synced(link: StandingRow, own: tuple[str, str]) -> str:
    side: Side = "a" if link.accounts["a"] == own else "b"
    role = link.roles[side]
    return link.kind if role == Role.PEER.value else f"{link.kind} ({role})"


def _refuse_other_pen(now: Access, own: ConnectionInfo) -> None:
    if not permissions.may_edit(now, own.id):
        mode = permissions.seen(now, own.id)
        raise _denied(
            "NOT_YOURS_TO_EDIT",
            f"mode {mode.value} ({permissions.WORDS[mode]}): only the other account may edit this access",
            "ask the other account",
        )


def _refuse_entry(found: Access, own: ConnectionInfo, login: Login) -> None:
    reason = permissions.refusal(found, own.id, login)
    if reason:
        raise _denied("MODE", f"{own.name} may not switch ({reason})", "tandemctl accesses list says who may")


def _login(who: Caller, said: int) -> Login:
    """An admin token is an admin login, whatever is said: the word can only lower what may be done."""
    admin = who.role >= access.Role.ADMIN or said == pb.LOGIN_ADMIN
    return Login.ADMIN if admin else Login.STAFF


def _denied(reason: str, message: str, hint: str) -> ApiError:
    return ApiError(grpc.StatusCode.PERMISSION_DENIED, reason, message, hint=hint)


def _grant(
    grant: Grant, text: str, origin: ConnectionInfo, into: ConnectionInfo, left: Sequence[str]
) -> pb.Grant:
    return pb.Grant(
        grant=text,
        id=grant.id,
        origin=convert.account(origin),
        into=convert.account(into),
        login=_LOGINS[grant.login],
        issued=convert.stamp(grant.issued),
        expires=convert.stamp(grant.expires),
        left=left,
    )
