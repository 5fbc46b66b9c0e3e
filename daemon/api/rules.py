"""What a request may hold: one rule per field of every request, checked before any servicer sees it.

A field without a rule is a failed test (tests/api/test_rules.py). Must not: look anything up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from actors.core.rooms import DELETE_WORDS
from daemon.api.errors import Violation, invalid

Rule = Callable[[Any], str]  # the fault in words, or ""

NAME_SIZE_MAX: Final = 100
CURSOR_SIZE_MAX: Final = 4000
NOTE_SIZE_MAX: Final = 500
MARK_SIZE_MAX: Final = 40
SECRET_SIZE_MAX: Final = 500
BLUEPRINT_SIZE_MAX: Final = 1_000_000
SETTINGS_SIZE_MAX: Final = 1_000_000
PAGE_SIZE_MAX: Final = 1000
_TENANT: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _anything(_: Any) -> str:
    return ""


def _text(size_max: int) -> Rule:
    def rule(value: Any) -> str:
        if len(value) > size_max:
            return f"is {len(value)} characters long, at most {size_max} are allowed"
        return "holds a control character" if any(ord(char) < 32 for char in value) else ""

    return rule


def _required(rule: Rule) -> Rule:
    return lambda value: rule(value) if value else "is required"


def _name(value: Any) -> str:
    if value != value.strip() or "/" in value:
        return "can't begin or end with a space or hold a slash"
    return _text(NAME_SIZE_MAX)(value)


def _tenant(value: Any) -> str:
    return (
        ""
        if not value or _TENANT.fullmatch(value)
        else "is lower-case letters, digits and hyphens, at most 63"
    )


def _long_text(value: Any) -> str:
    if len(value) > BLUEPRINT_SIZE_MAX:
        return f"is {len(value)} characters long, at most {BLUEPRINT_SIZE_MAX} are allowed"
    return ""


def _page_size(value: Any) -> str:
    return "" if 0 <= value <= PAGE_SIZE_MAX else f"is from 1 to {PAGE_SIZE_MAX}, or 0 for 50"


def _one_of(*words: str) -> Rule:
    return lambda value: "" if value in words else f"is one of {', '.join(filter(None, words))}"


def _enum(*numbers: int) -> Rule:
    return lambda value: "" if value in numbers else "is none of the known values"


def _positive(value: Any) -> str:
    return "" if value > 0 else "is required: a number from 1"


def _not_negative(value: Any) -> str:
    return "" if value >= 0 else "can't be negative"


def _settings(value: Struct) -> str:
    return "" if value.ByteSize() <= SETTINGS_SIZE_MAX else f"is larger than {SETTINGS_SIZE_MAX} bytes"


def _streams(value: Any) -> str:
    return (
        ""
        if len(value) <= 100 and all(0 < len(one) <= NAME_SIZE_MAX for one in value)
        else "names no streams"
    )


def _numbers(value: Any) -> str:
    return "" if len(value) <= 10_000 and all(one > 0 for one in value) else "names at most 10000 entries"


def _identities(value: Any) -> str:
    if not value:
        return "is required: the accounts, as their system names them"
    sound = len(value) <= 100 and all(0 < len(one) <= 500 for one in value)
    return "" if sound else "names at most 100 accounts, in up to 500 characters each"


def _duration(seconds_max: int) -> Rule:
    def rule(value: Duration) -> str:
        seconds = value.seconds + value.nanos / 1e9
        return "" if 0 <= seconds <= seconds_max else f"is from 0 to {seconds_max} s"

    return rule


_REF: Final = _required(_text(NAME_SIZE_MAX))
_ID: Final = _required(_text(64))
_LINK: Final[Mapping[str, Rule]] = {"link": _REF, "tenant": _tenant}
_CONNECTION: Final[Mapping[str, Rule]] = {"connection": _REF, "tenant": _tenant}
_PAGE: Final[Mapping[str, Rule]] = {"page_size": _page_size, "page_token": _text(500)}
_FEATURE: Final[Mapping[str, Rule]] = {
    "feature": _required(_name),
    "connector": _required(_text(NAME_SIZE_MAX)),
    "identities": _identities,
}
_STREAM: Final[Mapping[str, Rule]] = {**_LINK, "stream": _required(_text(NAME_SIZE_MAX))}
_RECORD: Final[Mapping[str, Rule]] = {
    **_STREAM,
    "side": _enum(1, 2),
    "id": _required(_text(1000)),
}
_LIFE: Final[Mapping[str, Mapping[str, Rule]]] = {
    "ListPreparationsRequest": _LINK,
    "PrepareLinkRequest": {**_LINK, "settings": _settings},
    "ActivateLinkRequest": {**_LINK, "go_on": _anything},
    "DeactivateLinkRequest": _LINK,
    "ReviewLinkRequest": _LINK,
    "CreateAccessRequest": {
        **_CONNECTION,
        "other": _settings,
        "mode": _enum(1, 2, 3, 4, 5),
        "both_edit": _anything,
        "directions": _enum(0, 1, 2, 3),
        "connector": _text(NAME_SIZE_MAX),
    },
    "ListAccessesRequest": {"connection": _text(NAME_SIZE_MAX), "tenant": _tenant, **_PAGE},
    "UpdateAccessRequest": {
        "access": _ID,
        "mode": _enum(1, 2, 3, 4, 5),
        "connection": _text(NAME_SIZE_MAX),
        "both_edit": _anything,
        "directions": _enum(0, 1, 2, 3),
    },
    "DeleteAccessRequest": {"access": _ID, "connection": _text(NAME_SIZE_MAX)},
    "EnterAccessRequest": {
        "access": _ID,
        "connection": _text(NAME_SIZE_MAX),
        "login": _enum(0, 1, 2),
        "with_sync": _anything,
        "wait": _duration(60),
    },
    "CheckGrantRequest": {"grant": _required(_text(4000))},
    "GetGrantKeyRequest": {},
    "CreateProposalRequest": {
        **_CONNECTION,
        "name": _required(_name),
        "blueprint": _required(_long_text),
        "other": _settings,
        "side": _enum(0, 1, 2),
        "settings": _settings,
        "override": _anything,
    },
    "GetProposalRequest": {"proposal": _ID},
    "ListProposalsRequest": {"tenant": _tenant, "all": _anything, **_PAGE},
    "CheckProposalRequest": {"proposal": _ID},
    "ConfirmProposalRequest": {"proposal": _ID, "other": _settings},
    "DeclineProposalRequest": {"proposal": _ID},
    "WithdrawProposalRequest": {"proposal": _ID},
    "AskFeatureRequest": {**_FEATURE, "tenant": _tenant},
    "ListFeaturesRequest": {"tenant": _tenant, "only_asked": _anything, **_PAGE},
    "EnableFeatureRequest": _FEATURE,
    "DisableFeatureRequest": _FEATURE,
}
_ROOMS: Final = ("", "quarantine", "waiting", "staged", "conflict", "ambiguous")
_PLAN_STATES: Final = ("", "open", "approved", "rejected", "applied", "superseded", "rehearsed")
_ITEM_STATES: Final = (
    *("", "planned", "sent", "confirmed", "unconfirmed"),
    *("refused", "unknown", "dropped", "parked", "explained", "defect"),
)

RULES: Final[Mapping[str, Mapping[str, Rule]]] = {
    "ListConnectorsRequest": {},
    "CreateConnectionRequest": {
        "tenant": _tenant,
        "name": _required(_name),
        "connector": _required(_text(NAME_SIZE_MAX)),
        "settings": _settings,
        "own_mark": _text(MARK_SIZE_MAX),
    },
    "UpdateConnectionRequest": {**_CONNECTION, "settings": _settings, "own_mark": _text(MARK_SIZE_MAX)},
    "TestConnectionRequest": _CONNECTION,
    "ProbeConnectionRequest": {
        "declaration": _long_text,
        "connection": _text(NAME_SIZE_MAX),
        "connector": _text(NAME_SIZE_MAX),
        "settings": _settings,
        "object": _text(500),
        "records": _page_size,
        "tenant": _tenant,
        "write": _anything,
        "values": _settings,
    },
    "GetConnectionRequest": _CONNECTION,
    "ListConnectionsRequest": {"tenant": _tenant, **_PAGE},
    "DescribeObjectsRequest": {**_CONNECTION, "object": _text(500)},
    "DeleteConnectionRequest": _CONNECTION,
    "CheckBlueprintRequest": {"blueprint": _required(_long_text)},
    "ListBlueprintsRequest": {},
    "GetBlueprintRequest": {"name": _required(_name)},
    "CreateLinkRequest": {
        "tenant": _tenant,
        "name": _required(_name),
        "a": _REF,
        "b": _REF,
        "blueprint": _required(_long_text),
        "paused": _anything,
        "settings": _settings,
    },
    **_LIFE,
    "GetLinkRequest": _LINK,
    "ListLinksRequest": {"tenant": _tenant, **_PAGE},
    "PauseLinkRequest": _LINK,
    "ResumeLinkRequest": _LINK,
    "DeleteLinkRequest": _LINK,
    "VerifyLinkRequest": {**_LINK, "streams": _streams},
    "GetSettingsRequest": {**_LINK, "version": _not_negative},
    "ChangeSettingsRequest": {
        **_LINK,
        "settings": _long_text,
        "blueprint": _long_text,
        "version": _not_negative,
        "note": _text(NOTE_SIZE_MAX),
        "check": _anything,
    },
    "RehearseSettingsRequest": {**_LINK, "settings": _long_text, "blueprint": _long_text},
    "ListSettingsVersionsRequest": {**_LINK, **_PAGE},
    "RevertSettingsRequest": {**_LINK, "version": _positive},
    "ListStreamsRequest": _LINK,
    "ResetStreamRequest": _STREAM,
    "BackfillStreamRequest": _STREAM,
    "SetCursorRequest": {**_STREAM, "side": _enum(1, 2), "cursor": _required(_text(CURSOR_SIZE_MAX))},
    "CreateWebhookRequest": {**_CONNECTION, "secret": _text(SECRET_SIZE_MAX)},
    "GetWebhookRequest": _CONNECTION,
    "DeleteWebhookRequest": _CONNECTION,
    "StartRunRequest": {**_LINK, "scope": _enum(0, 1, 2, 3), "streams": _streams, "dry_run": _anything},
    "WatchRunRequest": {"run": _ID},
    "CancelRunRequest": {"run": _ID},
    "UndoRunRequest": {"run": _ID, "streams": _streams},
    "GetRunRequest": {"run": _ID},
    "ListRunsRequest": {**_LINK, **_PAGE},
    "ListRunItemsRequest": {"run": _ID, "state": _one_of(*_ITEM_STATES), **_PAGE},
    "ListPlansRequest": {**_LINK, "state": _one_of(*_PLAN_STATES), **_PAGE},
    "GetPlanRequest": {"plan": _ID},
    "ListPlanActionsRequest": {"plan": _ID, **_PAGE},
    "ApprovePlanRequest": {"plan": _ID, "revision": _positive},
    "RejectPlanRequest": {"plan": _ID},
    "GetRecordRequest": _RECORD,
    "ExplainRecordRequest": {**_RECORD, "field": _text(NAME_SIZE_MAX)},
    "EraseRecordRequest": {**_RECORD, "note": _text(NOTE_SIZE_MAX)},
    "RefreshRecordRequest": _RECORD,
    "ListConflictsRequest": {**_LINK, **_PAGE},
    "ResolveConflictRequest": {
        "id": _positive,
        "choose": _required(_one_of("a", "b", "value", *DELETE_WORDS)),
        "value": _anything,
        "fingerprint": _text(200),
    },
    "ListParkedRequest": {**_LINK, "room": _one_of(*_ROOMS), **_PAGE},
    "ListAmbiguousRequest": {**_LINK, **_PAGE},
    "DecideAmbiguousRequest": {
        "id": _positive,
        "same": _text(1000),
        "different": _anything,
        "fingerprint": _text(200),
    },
    "ListDocumentsRequest": {**_LINK, **_PAGE},
    "ImportDocumentsRequest": {
        **_LINK,
        "ids": _numbers,
        "all": _anything,
        "stream": _text(NAME_SIZE_MAX),
    },
    "RetryParkedRequest": {"id": _positive},
    "DismissParkedRequest": {"id": _positive},
    "GetStatusRequest": {},
    "ListActorsRequest": {},
    "DrainRequest": {"timeout": _duration(3600)},
    "CreateTenantRequest": {"id": _required(_tenant), "name": _name},
    "ListTenantsRequest": _PAGE,
    "CreateTokenRequest": {
        "name": _required(_name),
        "role": _enum(1, 2, 3),
        "tenant": _tenant,
        "ttl": _duration(10 * 366 * 86400),
    },
    "ListTokensRequest": _PAGE,
    "RevokeTokenRequest": {"id": _ID},
}


def check(request: Message) -> None:
    """Raises INVALID_ARGUMENT with every fault; requests that are not ours (health, reflection) have no rules."""
    rules = RULES.get(request.DESCRIPTOR.name)
    if not rules:
        return
    found = ((name, rule(getattr(request, name))) for name, rule in rules.items())
    violations = [Violation(name, fault) for name, fault in found if fault]
    if violations:
        raise invalid(violations)


def page_size(request: Any) -> int:
    """How many rows a page holds: 50 where the caller did not say."""
    return int(request.page_size) or 50
