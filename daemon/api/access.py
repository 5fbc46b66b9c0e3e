"""Who may do what: one table from rpc to role, access tokens, and the caller of the call that is under way.

An rpc that is not in the table can't be called at all. Must not: know grpc, or store a token (only its hash leaves here).
"""

from __future__ import annotations

import enum
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from typing import Final

import msgspec

KNOWN_FOR_S: Final = 1.0
_TOKEN: Final = re.compile(r"tdm_([0-9a-z]{4,32})_[0-9A-Za-z_\-]{20,128}")


class Role(enum.IntEnum):
    """What a token allows; a higher one allows all of the lower ones."""

    OPEN = 0  # no token needed
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


class Need(msgspec.Struct, frozen=True):
    """What an rpc asks for. `global_`: it concerns the daemon as a whole, so a tenant's token is not enough."""

    role: Role
    global_: bool = False


_VIEW: Final = Need(Role.VIEWER)
_OPERATE: Final = Need(Role.OPERATOR)
_ADMIN: Final = Need(Role.ADMIN)
_OPEN: Final = Need(Role.OPEN)

NEEDED: Final[Mapping[str, Need]] = {
    "/tandem.v1.Connections/ListConnectors": _VIEW,
    "/tandem.v1.Connections/CreateConnection": _ADMIN,
    "/tandem.v1.Connections/UpdateConnection": _ADMIN,
    "/tandem.v1.Connections/TestConnection": _OPERATE,
    "/tandem.v1.Connections/ProbeConnection": _ADMIN,
    "/tandem.v1.Connections/GetConnection": _VIEW,
    "/tandem.v1.Connections/ListConnections": _VIEW,
    "/tandem.v1.Connections/DescribeObjects": _VIEW,
    "/tandem.v1.Connections/DeleteConnection": _ADMIN,
    "/tandem.v1.Blueprints/CheckBlueprint": _VIEW,
    "/tandem.v1.Blueprints/ListBlueprints": _VIEW,
    "/tandem.v1.Blueprints/GetBlueprint": _VIEW,
    "/tandem.v1.Links/CreateLink": _ADMIN,
    "/tandem.v1.Links/GetLink": _VIEW,
    "/tandem.v1.Links/ListLinks": _VIEW,
    "/tandem.v1.Links/PauseLink": _OPERATE,
    "/tandem.v1.Links/ResumeLink": _OPERATE,
    "/tandem.v1.Links/DeleteLink": _ADMIN,
    "/tandem.v1.Links/VerifyLink": _OPERATE,
    "/tandem.v1.Settings/GetSettings": _VIEW,
    "/tandem.v1.Settings/ChangeSettings": _ADMIN,
    "/tandem.v1.Settings/RehearseSettings": _OPERATE,
    "/tandem.v1.Settings/ListSettingsVersions": _VIEW,
    "/tandem.v1.Settings/RevertSettings": _ADMIN,
    "/tandem.v1.Streams/ListStreams": _VIEW,
    "/tandem.v1.Streams/ResetStream": _OPERATE,
    "/tandem.v1.Streams/BackfillStream": _OPERATE,
    "/tandem.v1.Streams/SetCursor": _OPERATE,
    "/tandem.v1.Webhooks/CreateWebhook": _ADMIN,
    "/tandem.v1.Webhooks/GetWebhook": _VIEW,
    "/tandem.v1.Webhooks/DeleteWebhook": _ADMIN,
    "/tandem.v1.Links/ListPreparations": _VIEW,
    "/tandem.v1.Links/PrepareLink": _ADMIN,
    "/tandem.v1.Links/ActivateLink": _ADMIN,
    "/tandem.v1.Links/DeactivateLink": _ADMIN,
    "/tandem.v1.Links/ReviewLink": _OPERATE,
    "/tandem.v1.Accesses/CreateAccess": _ADMIN,
    "/tandem.v1.Accesses/ListAccesses": _VIEW,
    "/tandem.v1.Accesses/UpdateAccess": _ADMIN,
    "/tandem.v1.Accesses/DeleteAccess": _ADMIN,
    "/tandem.v1.Accesses/EnterAccess": _OPERATE,
    "/tandem.v1.Accesses/CheckGrant": _VIEW,
    "/tandem.v1.Accesses/GetGrantKey": _VIEW,
    "/tandem.v1.Proposals/CreateProposal": _ADMIN,
    "/tandem.v1.Proposals/GetProposal": _VIEW,
    "/tandem.v1.Proposals/ListProposals": _VIEW,
    "/tandem.v1.Proposals/CheckProposal": _VIEW,
    "/tandem.v1.Proposals/ConfirmProposal": _ADMIN,
    "/tandem.v1.Proposals/DeclineProposal": _ADMIN,
    "/tandem.v1.Proposals/WithdrawProposal": _ADMIN,
    "/tandem.v1.Features/AskFeature": _ADMIN,
    "/tandem.v1.Features/ListFeatures": _VIEW,
    "/tandem.v1.Features/EnableFeature": Need(Role.OPERATOR, global_=True),
    "/tandem.v1.Features/DisableFeature": Need(Role.OPERATOR, global_=True),
    "/tandem.v1.Runs/StartRun": _OPERATE,
    "/tandem.v1.Runs/WatchRun": _VIEW,
    "/tandem.v1.Runs/CancelRun": _OPERATE,
    "/tandem.v1.Runs/UndoRun": _OPERATE,
    "/tandem.v1.Runs/GetRun": _VIEW,
    "/tandem.v1.Runs/ListRuns": _VIEW,
    "/tandem.v1.Runs/ListRunItems": _VIEW,
    "/tandem.v1.Plans/ListPlans": _VIEW,
    "/tandem.v1.Plans/GetPlan": _VIEW,
    "/tandem.v1.Plans/ListPlanActions": _VIEW,
    "/tandem.v1.Plans/ApprovePlan": _OPERATE,
    "/tandem.v1.Plans/RejectPlan": _OPERATE,
    "/tandem.v1.Records/GetRecord": _VIEW,
    "/tandem.v1.Records/ExplainRecord": _VIEW,
    "/tandem.v1.Records/EraseRecord": _ADMIN,
    "/tandem.v1.Records/RefreshRecord": _OPERATE,
    "/tandem.v1.Conflicts/ListConflicts": _VIEW,
    "/tandem.v1.Conflicts/ResolveConflict": _OPERATE,
    "/tandem.v1.Ambiguous/ListAmbiguous": _VIEW,
    "/tandem.v1.Ambiguous/DecideAmbiguous": _OPERATE,
    "/tandem.v1.Documents/ListDocuments": _VIEW,
    "/tandem.v1.Documents/ImportDocuments": _OPERATE,
    "/tandem.v1.Quarantine/ListParked": _VIEW,
    "/tandem.v1.Quarantine/RetryParked": _OPERATE,
    "/tandem.v1.Quarantine/DismissParked": _OPERATE,
    "/tandem.v1.System/GetStatus": _VIEW,
    "/tandem.v1.System/ListActors": Need(Role.VIEWER, global_=True),
    "/tandem.v1.System/Drain": Need(Role.ADMIN, global_=True),
    "/tandem.v1.System/CreateTenant": Need(Role.ADMIN, global_=True),
    "/tandem.v1.System/ListTenants": _VIEW,
    "/tandem.v1.System/CreateToken": _ADMIN,
    "/tandem.v1.System/ListTokens": _ADMIN,
    "/tandem.v1.System/RevokeToken": _ADMIN,
    "/grpc.health.v1.Health/Check": _OPEN,
    "/grpc.health.v1.Health/List": _OPEN,
    "/grpc.health.v1.Health/Watch": _OPEN,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _VIEW,
}


class Caller(msgspec.Struct, frozen=True):
    """Who calls. `tenant` "" = all tenants; `token`: the token's id, which the audit names."""

    token: str
    role: Role
    tenant: str = ""

    def sees(self, tenant: str, partner: str = "") -> bool:
        """Whether things of this tenant exist for the caller. `partner`: the other tenant, of a link between two."""
        return self.tenant in {"", tenant} or bool(partner and self.tenant == partner)


FindCaller = Callable[[bytes], Awaitable[Caller | None]]  # by the hash of a token


class NewToken(msgspec.Struct, frozen=True):
    """A token that was just drawn. `text` is shown once; `hash` is what the store keeps."""

    id: str
    text: str
    hash: bytes


def new_token() -> NewToken:
    """A fresh token, `tdm_<id>_<secret>` with 256 bits of secret."""
    id_ = secrets.token_hex(6)
    text = f"tdm_{id_}_{secrets.token_urlsafe(32)}"
    return NewToken(id_, text, token_hash(text))


def token_hash(text: str) -> bytes:
    """What the store knows of a token: random ones need no slow hash."""
    return hashlib.sha256(text.encode()).digest()


def bearer(authorization: str) -> str | None:
    """The token of an `authorization: Bearer ...` header, or None where it is none of ours."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" and _TOKEN.fullmatch(token.strip()) else None


_CALLER: ContextVar[Caller] = ContextVar("tandem_caller")


class Callers:
    """Who calls with an `authorization` header. The store is asked about a token at most once in `KNOWN_FOR_S`: so long one
    that was revoked in another process goes on here. One that is revoked here is forgotten at once; what is not valid is
    asked for each time.
    """

    def __init__(self, find: FindCaller, clock: Callable[[], float], known_max: int = 1000) -> None:
        self._find = find
        self._clock = clock
        self._known_max = known_max
        self._known: dict[str, tuple[float, Caller]] = {}
        self._forgotten = 0

    async def find(self, authorization: str) -> Caller | None:
        """The caller, or None where the header carries no valid token."""
        known = self._known.get(authorization)
        if known is not None and self._clock() < known[0]:
            return known[1]
        self._known.pop(authorization, None)
        token = bearer(authorization)
        if token is None:
            return None
        asked_at, forgotten = self._clock(), self._forgotten
        found = await self._find(token_hash(token))
        # What was read while a token was revoked may be from before.
        if found is not None and forgotten == self._forgotten:
            if len(self._known) >= self._known_max:
                self._known.clear()
            self._known[authorization] = asked_at + KNOWN_FOR_S, found
        return found

    def forget(self) -> None:
        """A token was revoked: ask the store anew, for all of them."""
        self._known.clear()
        self._forgotten += 1


def caller() -> Caller:
    """Who made the call that this task serves; LookupError outside of a call."""
    return _CALLER.get()


def enter(who: Caller) -> Token[Caller]:
    """From here on `who` calls, in this task; give what it returns to `leave`."""
    return _CALLER.set(who)


def leave(before: Token[Caller]) -> None:
    """The call is over."""
    _CALLER.reset(before)
