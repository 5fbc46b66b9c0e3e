"""The odata connector's settings as typed data, its declaration, and how the account proves who it is. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from actors.core.errors import Kind, TandemError
from actors.ports import Declaration, Find, Setting
from clients.connectors.http import auth
from clients.connectors.http.auth import Auth

FINDS: Mapping[str, Find] = {"modified": Find.MODIFIED, "delta": Find.MODIFIED, "full": Find.FULL}
_OBJECT_SETTINGS = ("set", "modified", "find", "paging", "ids", "lines", "binds")
# What each way to prove oneself needs.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "basic": ("user", "password"),
    "bearer": ("token",),
    "header": ("header", "token"),
    "oauth2": ("token_url", "client_id", "client_secret"),
    "oauth2_refresh": ("token_url", "client_id", "refresh_token"),
}

DECLARATION = Declaration(
    name="odata",
    doc="Entity sets of an OData service (version 4) as objects: SAP CAP and S/4HANA, Microsoft Dynamics 365 and Business "
    "Central, and whatever else describes itself in $metadata.",
    settings=(
        Setting(
            "url",
            required=True,
            doc="The service root, below which $metadata stands: https://host/odata/v4/shop",
        ),
        Setting(
            "objects",
            type="map",
            default={},
            doc="Object name -> {set: (entity set; the object's name), modified: (property that every change sets to the "
            "current time), find: modified | delta | full, paging: key | link, ids: client | service, lines: {items: "
            "(property that numbers them)}, binds: {look-up property: navigation@set}}. Empty: every entity set, found by "
            "complete reads.",
        ),
        Setting(
            "auth",
            default="none",
            choices=tuple(_NEEDS),
            doc="How the account proves who it is: basic (user, password), bearer (token), header (header, token), oauth2 "
            "(client credentials: token_url, client_id, client_secret, scope), oauth2_refresh (token_url, client_id, "
            "client_secret, refresh_token).",
        ),
        Setting("user", doc="auth: basic."),
        Setting("password", secret=True, doc="auth: basic."),
        Setting("token", secret=True, doc="auth: bearer or header."),
        Setting("header", doc="auth: header. The name of the header that carries the token, e.g. APIKey."),
        Setting(
            "token_url", doc="auth: oauth2. Where tokens are drawn; on the host of the url, or of its own."
        ),
        Setting("client_id", doc="auth: oauth2."),
        Setting("client_secret", secret=True, doc="auth: oauth2."),
        Setting("refresh_token", secret=True, doc="auth: oauth2_refresh."),
        Setting("scope", doc="auth: oauth2."),
        Setting(
            "parameters",
            type="map",
            default={},
            doc="Query parameters of every request, e.g. {sap-client: '100'}. They are part of the account's identity.",
        ),
        Setting(
            "headers",
            type="map",
            default={},
            doc="Headers of every request. They are no secret: credentials go by auth.",
        ),
        Setting(
            "account",
            default="",
            doc="A path below the url whose answer tells this account from a copy of it, e.g. companies?$select=id. Where "
            "nothing is said, the address is all there is to know.",
        ),
        Setting(
            "batch",
            default="auto",
            choices=("auto", "json", "multipart", "none"),
            doc="How many requests are sent as one ($batch). auto: in the first of these forms that the service takes.",
        ),
        Setting(
            "batch_max", type="integer", default=100, doc="At most so many requests in one batch, 1 to 1000."
        ),
        Setting(
            "overlap_s",
            type="integer",
            default=60,
            doc="find: modified. Looks again this many seconds behind the last change that was seen, for changes that "
            "carry the time at which their transaction began.",
        ),
    ),
    find=(Find.MODIFIED, Find.FULL),
    # Pages of a complete read are several looks, and a service shows an account what it may see.
    absence="hint",
    by_id=True,
    ids="may_be_reused",
    # An ETag may be made of a time stamp: two edits of one millisecond look alike.
    version="hint",
    precondition="reread",
    reply="record",
    draws_ids=True,
    find_by_field=True,
    lines="nested",
    missing_means="unknown",
    session="shared",
    vendor_tail_s=30.0,
    batch_max=100,
    concurrency=4,
    deadline_s=60.0,
)


class ObjectSetting(msgspec.Struct, frozen=True):
    """What the settings say of one object. `modified` "": none. `paging` and `ids` "": by the type of the key. `lines`:
    navigations to lines, each with the property by which they stand in order ("" = none). `binds`: look-ups that are written
    by a link: the property that is read, with the navigation and the entity set that it leads to."""

    set: str
    modified: str = ""
    find: str = "full"
    paging: str = ""
    ids: str = ""
    lines: Mapping[str, str] = {}
    binds: Mapping[str, tuple[str, str]] = {}


class Settings(msgspec.Struct, frozen=True):
    """All settings. `objects` empty: every entity set. `parameters`: as they stand in an address."""

    url: str
    objects: Mapping[str, ObjectSetting]
    auth: Auth
    parameters: str = ""
    headers: Mapping[str, str] = {}
    account: str = ""
    batch: str = "auto"
    batch_max: int = 100
    overlap_s: int = 60

    def object(self, name: str) -> ObjectSetting:
        """What is said of an object; CONFIG for one that the settings leave out."""
        found = self.objects.get(name)
        if found is None and self.objects:
            raise TandemError(
                Kind.CONFIG,
                f"the settings name no object '{name}'",
                hint=f"they name {', '.join(self.objects)}",
            )
        return found or ObjectSetting(name)


def parsed(settings: Mapping[str, Any]) -> Settings:
    """Typed settings; raises CONFIG with all faults at once."""
    faults: list[str] = []
    given = settings.get("objects") or {}
    objects = {str(name): _object(str(name), said, faults) for name, said in given.items()}
    overlap = int(settings.get("overlap_s", 60))
    if overlap < 0:
        faults.append("overlap_s: must be a number of seconds, 0 or more")
    batch_max = int(settings.get("batch_max", 100))
    if not 1 <= batch_max <= 1000:
        faults.append("batch_max: must be from 1 to 1000")
    proof = _auth(settings, faults)
    if faults:
        raise TandemError(Kind.CONFIG, "settings of the odata connection: " + "; ".join(faults))
    return Settings(
        str(settings["url"]),
        objects,
        proof,
        urlencode(_texts(settings.get("parameters")), quote_via=quote),
        _texts(settings.get("headers")),
        str(settings.get("account") or ""),
        str(settings.get("batch") or "auto"),
        batch_max,
        overlap,
    )


def _object(name: str, said: Any, faults: list[str]) -> ObjectSetting:
    said = said or {}
    if not isinstance(said, Mapping):
        faults.append(f"objects.{name}: must be a map of {', '.join(_OBJECT_SETTINGS)}")
        return ObjectSetting(name)
    if unknown := sorted(str(key) for key in said if key not in _OBJECT_SETTINGS):
        faults.append(
            f"objects.{name}: unknown {', '.join(unknown)}; there are {', '.join(_OBJECT_SETTINGS)}"
        )
    modified = str(said.get("modified") or "")
    find = str(said.get("find") or ("modified" if modified else "full"))
    if find not in FINDS:
        faults.append(f"objects.{name}.find: must be one of {', '.join(FINDS)}")
    if find == "modified" and not modified:
        faults.append(f"objects.{name}: find: modified needs the setting modified, naming a property")
    for key, choices in (("paging", ("key", "link")), ("ids", ("client", "service"))):
        if said.get(key) and said[key] not in choices:
            faults.append(f"objects.{name}.{key}: must be one of {', '.join(choices)}")
    lines = said.get("lines") or {}
    if not isinstance(lines, Mapping):
        faults.append(f"objects.{name}.lines: must map navigations to the property that numbers their lines")
        lines = {}
    return ObjectSetting(
        str(said.get("set") or name),
        modified,
        find,
        str(said.get("paging") or ""),
        str(said.get("ids") or ""),
        {str(path): str(order or "") for path, order in lines.items()},
        _binds(name, said.get("binds") or {}, faults),
    )


def _binds(name: str, said: Any, faults: list[str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for property_, place in said.items() if isinstance(said, Mapping) else [("", "")]:
        navigation, _, entity_set = str(place).partition("@")
        if not (navigation and entity_set):
            faults.append(
                f"objects.{name}.binds: must map look-ups to navigation@set, as in owner_id: owner@people"
            )
        found[str(property_)] = (navigation, entity_set)
    return found


def _auth(settings: Mapping[str, Any], faults: list[str]) -> Auth:
    way = str(settings.get("auth") or "none")
    told = {name: str(settings.get(name) or "") for needs in _NEEDS.values() for name in needs}
    if missing := [name for name in _NEEDS.get(way, ()) if not told[name]]:
        faults.append(f"auth: {way} needs {', '.join(missing)}")
        return auth.nobody()
    extra = {"scope": str(settings["scope"])} if settings.get("scope") else {}
    match way:
        case "basic":
            return auth.basic(told["user"], told["password"])
        case "bearer":
            return auth.bearer(told["token"])
        case "header":
            return auth.header(told["header"], told["token"])
        case "oauth2":
            return auth.client_credentials(
                told["token_url"], told["client_id"], told["client_secret"], extra=extra
            )
        case "oauth2_refresh":
            return auth.refreshed(
                told["token_url"],
                told["client_id"],
                told["client_secret"],
                told["refresh_token"],
                extra=extra,
            )
    return auth.nobody()


def _texts(said: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in (said or {}).items()}
