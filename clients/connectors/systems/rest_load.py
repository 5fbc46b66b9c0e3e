"""A declaration of the connector `rest`: read from YAML, a file or a map, checked wholly, compiled to a plan.

All faults are named at once, each with its line where the text has lines. Secrets never get into a fault: they are filled in
where a value is used, and a fault names the entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from actors.core.blueprint.nodes import BlueprintError, Faults, Node, Positions
from actors.core.errors import Kind, TandemError
from actors.ports import Declaration, Find, Setting, Webhook
from clients.connectors.http.client import checked_base
from clients.connectors.http.paging import Counted, Cursor, NextLink, Paging, Whole
from clients.connectors.http.shape import Field, Nested, Shape
from clients.connectors.http.values import Form
from clients.connectors.http.wire import Blotter
from clients.connectors.systems.rest_entries import DECLARATION as ENTRIES
from clients.connectors.systems.rest_ids import check_pattern
from clients.connectors.systems.rest_plan import (
    AnswerRule,
    Ask,
    Literals,
    Made,
    Many,
    Modified,
    ObjectPlan,
    Plan,
    Removed,
)
from clients.connectors.systems.rest_walk import Walk
from clients.connectors.yaml_nodes import parse

FILES: Final = (".yaml", ".yml", ".json")
NAMELESS: Final = (
    "two accounts at this address can't be told apart: say `identity`, or give a variable that names it"
)
DEADLINE_S: Final = 20.0
BATCH: Final = 100
# What each way of proving who one is needs.
AUTH_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "bearer": ("token",),
    "basic": ("user", "password"),
    "header": ("name", "value"),
    "query": ("name", "value"),
    "client_credentials": ("path", "client_id", "client_secret"),
    "refresh_token": ("path", "client_id", "refresh_token"),
    "log_in": ("path",),
}


def load(settings: Mapping[str, Any], base: Declaration, *, strict: bool = True) -> Plan:
    """The plan of a connection's settings. Raises CONFIG with every fault. Not `strict`: variables and secrets that are
    missing stand for themselves, for those who only ask what is promised."""
    data, positions = _data(settings.get("declaration"))
    secrets = _texts(settings.get("secrets") or {}, "secrets")
    variables = _texts(settings.get("variables") or {}, "variables")
    faults = Faults(positions)
    root = Node(data, (), faults)
    walk = Walk({**variables, **secrets}, strict=strict)
    found = walk.entries(root, ENTRIES)
    try:
        faults.check()
        plan = _Compiler(root, found, str(settings.get("url") or found.get("url") or "")).plan(base)
        if strict and not variables and "identity" not in found and plan.auth["kind"] != "none":
            root.fault(NAMELESS, "auth")
        faults.check()
    except BlueprintError as error:
        raise _refused(error, Blotter(secrets.values())) from None
    account = ", ".join(f"{name}={text}" for name, text in sorted(variables.items()))
    return msgspec.structs.replace(
        plan,
        secrets=tuple(secrets.values()),
        account=account,
        authorities=str(settings.get("authorities") or ""),
    )


def _data(given: Any) -> tuple[object, Positions]:
    """The declaration as plain data, and where each node stands ({} for a map, which has no lines)."""
    if isinstance(given, Mapping):
        return given, {(): (0, 0)}
    text = str(given or "")
    if text.strip() and "\n" not in text.strip():
        text = _file(text.strip())
    try:
        return parse(text, "the declaration")
    except BlueprintError as error:
        raise _refused(error) from None


def _file(name: str) -> str:
    if not name.endswith(FILES):
        raise TandemError(
            Kind.CONFIG,
            "the setting declaration is neither a YAML text nor the path of a .yaml file",
            hint="on the command line: --settings declaration=@shop.yaml",
        )
    try:
        return Path(name).read_text("utf-8")
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or "it is not UTF-8"
        raise TandemError(Kind.CONFIG, f"the declaration {name} can't be read: {words}") from error


def _refused(error: BlueprintError, blotter: Blotter | None = None) -> TandemError:
    faults = "; ".join(str(fault) for fault in error.faults)
    if blotter is not None:
        faults = blotter.known(faults)
    return TandemError(
        Kind.CONFIG, f"the declaration is wrong: {faults}", hint="docs/connectors/rest.md has every entry"
    )


def _texts(found: Any, what: str) -> dict[str, str]:
    if not all(isinstance(value, str | int) and not isinstance(value, bool) for value in found.values()):
        raise TandemError(Kind.CONFIG, f"the setting {what} holds something that is no text")
    return {name: str(value) for name, value in found.items()}


class _Compiler:
    """Typed entries to a plan; what entries owe each other is noted as faults at their place."""

    def __init__(self, root: Node, found: Mapping[str, Any], url: str) -> None:
        self._root = root
        self._found = found
        self._url = url

    def plan(self, base: Declaration) -> Plan:
        """The whole."""
        found = self._found
        try:
            checked_base("rest", self._url)
        except TandemError as error:
            self._root.fault(f"{error.message}; {error.hint}", "url")
        self._check_auth()
        objects = {name: self._object(name, entry) for name, entry in found["objects"].items()}
        identity = found.get("identity")
        return Plan(
            declaration=self._declaration(base, objects),
            url=self._url,
            objects=objects,
            auth=found.get("auth", {"kind": "none"}),
            secrets=(),
            headers=found.get("headers", {}),
            identity=_ask(identity, "") if identity else None,
            identity_at=identity["at"] if identity else "",
            check=_ask(found["check"], "") if "check" in found else None,
            limits=found.get("limits", {}),
            answers=tuple(map(_answer_rule, found.get("answers", []))),
            words=tuple(found.get("words", ())),
            literals=Literals(**found.get("literals", {})),
            account="",
        )

    def _declaration(self, base: Declaration, objects: Mapping[str, ObjectPlan]) -> Declaration:
        limits, promises = self._found.get("limits", {}), self._found.get("promises", {})
        plans = [*objects.values()]
        makes = [plan.create for plan in plans if plan.create]
        changes = [plan.update for plan in plans if plan.update]
        guarded = [one.if_match for one in changes] + [one.delete.if_match for one in plans if one.delete]
        webhook = self._found.get("webhook")
        finds = {Find.MODIFIED if plan.modified else Find.FULL for plan in plans}
        return msgspec.structs.replace(
            base,
            name=self._found["name"],
            doc=self._found.get("doc", base.doc),
            find=tuple(find for find in Find if find in finds),
            absence=promises.get("absence", "hint"),
            ids=promises.get("ids", "may_be_reused"),
            session=promises.get("session", "shared"),
            read_lag_s=promises.get("read_lag", 0.0),
            vendor_tail_s=promises.get("vendor_tail", 0.0),
            version="hint" if any(plan.etag or plan.shape.has_version for plan in plans) else "none",
            precondition="atomic" if guarded and all(guarded) else "reread",
            reply="record" if all(one.at is not None for one in (*makes, *changes)) else "id",
            draws_ids=any(plan.new_ids for plan in plans),
            tag=bool(makes) and all(plan.tag for plan in plans if plan.create),
            find_by_field=all(plan.find is not None for plan in plans),
            lines="nested" if any(plan.shape.lines for plan in plans) else "none",
            missing_means="null" if all(plan.shape.missing_is_null for plan in plans) else "unknown",
            batch_max=limits.get("batch", BATCH),
            concurrency=limits.get("concurrency", base.concurrency),
            rate_per_s=limits.get("rate_per_s", 0.0),
            rate_burst=limits.get("burst", 1),
            deadline_s=3 * limits.get("deadline", DEADLINE_S),
            webhook=Webhook(**{**webhook, "events": tuple(webhook.get("events", ()))}) if webhook else None,
        )

    def _check_auth(self) -> None:
        auth = self._found.get("auth", {"kind": "none"})
        for need in AUTH_NEEDS.get(auth["kind"], ()):
            if not auth.get(need):
                self._root.fault(f"`{need}` is missing for {auth['kind']}", "auth")

    # ---------------------------------------------------------------------------------------------------- objects

    def _object(self, name: str, entry: Mapping[str, Any]) -> ObjectPlan:
        path, query = entry["path"], entry.get("query", {})
        fields = {
            field: self._field(("objects", name, "fields"), field, said)
            for field, said in entry["fields"].items()
        }
        self._check_object(name, entry, fields)
        listed, look, find = entry.get("list", {}), entry.get("look", {}), entry.get("find")
        list_ask = _ask(listed, path, query=query)
        one = f"{path}/{{id}}"
        version = entry.get("version", "")
        shape = Shape(
            name,
            entry["key"],
            fields.values(),
            version="" if version == "ETag" else version,
            modified=entry.get("modified", {}).get("field", ""),
            missing_is_null=entry.get("missing") == "null",
            lines=[self._nested(name, path, said) for path, said in entry.get("lines", {}).items()],
            doc=entry.get("doc", ""),
        )
        return ObjectPlan(
            name=name,
            shape=shape,
            list=list_ask,
            list_at=listed.get("at", ""),
            paging=self._paging(name, listed.get("paging", {"kind": "whole"})),
            sorted=listed.get("sorted", "no"),
            after=listed.get("after"),
            look=_ask(look, one, query=query),
            look_at=look.get("at", ""),
            many=_many(look.get("many"), list_ask),
            find=_ask(find, list_ask.path, query=list_ask.query) if find is not None else None,
            find_fields=tuple(find.get("fields", fields)) if find is not None else (),
            modified=self._modified(name, entry.get("modified"), fields, list_ask),
            create=_made(entry.get("create"), path, "POST", query),
            update=_made(entry.get("update"), one, "PATCH", query),
            delete=_removed(entry.get("delete"), one, query),
            query=query,
            new_ids=entry.get("new_ids", ""),
            tag=entry.get("tag", ""),
            etag=version == "ETag",
        )

    def _check_object(self, name: str, entry: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
        where = ("objects", name)
        for owner, field in (
            (("key",), entry["key"]),
            (("tag",), entry.get("tag")),
            (("modified", "field"), entry.get("modified", {}).get("field")),
            *(
                (("find", "fields", place), one)
                for place, one in enumerate(entry.get("find", {}).get("fields", ()))
            ),
        ):
            if field is not None and field not in fields:
                self._root.fault(f"there is no field '{field}' among `fields`", *where, *owner)
        listed = entry.get("list", {})
        if "after" in listed and listed.get("sorted", "no") == "no":
            self._root.fault("`after` needs a list that is `sorted` by id", *where, "list", "after")
        if entry.get("tag") and "find" not in entry:
            self._root.fault("a tag has to be found again: say `find` too", *where, "tag")
        for verb in ("update", "delete"):
            if entry.get(verb, {}).get("if_match") and not entry.get("version"):
                self._root.fault("`if_match` needs a `version`", *where, verb, "if_match")
        if problem := check_pattern(entry.get("new_ids", "")):
            self._root.fault(problem, *where, "new_ids")

    def _nested(self, name: str, path: str, entry: Mapping[str, Any]) -> Nested:
        where = ("objects", name, "lines", path, "fields")
        if path in self._found["objects"][name]["fields"]:
            self._root.fault(f"'{path}' stands among `fields` too", *where[:4])
        cells = {cell: self._field(where, cell, said) for cell, said in entry["fields"].items()}
        read = entry.get("read", path)
        return Nested(
            name=path,
            cells=cells,
            read=read,
            write=entry.get("write", read),
            key=entry.get("key", ""),
            doc=entry.get("doc", ""),
        )

    def _field(self, at_: tuple[str, ...], field: str, said: Any) -> Field:
        where = (*at_, field)
        entry: Mapping[str, Any] = {"type": said} if isinstance(said, str) else said
        kept = {
            key: entry[key]
            for key in ("type", "format", "zone", "decimals", "places", "null_as")
            if key in entry
        }
        said_as = {"true_words": "true", "false_words": "false", "nulls": "nulls"}
        lists = {name: tuple(entry[key]) for key, name in said_as.items() if key in entry}
        form = Form(**{**kept, **lists})
        if form.zone and not _is_zone(form.zone):
            self._root.fault(f"there is no time zone '{form.zone}'", *where, "zone")
        if (
            form.format
            and form.format not in ("epoch_s", "epoch_ms", "dotnet")
            and not _is_format(form.format)
        ):
            self._root.fault(f"'{form.format}' is not a format", *where, "format")
        read = entry.get("read", field)
        return Field(
            name=field,
            form=form,
            read=read,
            write=entry.get("write", read),
            required=entry.get("required", False),
            writable=entry.get("writable", True),
            doc=entry.get("doc", ""),
        )

    def _modified(
        self, name: str, entry: Mapping[str, Any] | None, fields: Mapping[str, Field], listed: Ask
    ) -> Modified | None:
        if entry is None or entry["field"] not in fields:
            return None
        field = fields[entry["field"]]
        if field.form.type not in ("instant", "integer"):
            where = ("objects", name, "modified", "field")
            self._root.fault(f"{field.name} is neither an instant nor an integer", *where)
        form = field.form
        if "format" in entry:
            form = msgspec.structs.replace(form, format=entry["format"])
        ask = _ask(entry, listed.path, query=listed.query)
        return Modified(ask, field, form, entry.get("sorted", False), entry.get("overlap", 5.0))

    def _paging(self, name: str, entry: Mapping[str, Any]) -> Paging:
        kind, where = entry["kind"], ("objects", name, "list", "paging")
        size = {"size_max": entry.get("size_max", 100), "size_parameter": entry.get("size_parameter", "")}
        if kind == "next_link" and not entry.get("at"):
            self._root.fault("`at` is missing: where the next link stands in the body", *where)
        if kind == "cursor" and not entry.get("at") and not entry.get("header"):
            self._root.fault("`at` or `header` is missing: where the cursor stands", *where)
        if kind in ("page", "offset"):
            return Counted(
                entry.get("parameter", kind),
                first=entry.get("first", 1 if kind == "page" else 0),
                by_page=kind == "page",
                total=entry.get("total", ""),
                size_in_header=entry.get("size_in_header", False),
                short_is_end=not entry.get("checked", False),
                **size,
            )
        if kind == "cursor":
            return Cursor(
                entry.get("parameter", "cursor"),
                at=entry.get("at", ""),
                header=entry.get("header", ""),
                back_header=entry.get("back_header", ""),
                more=entry.get("more", ""),
                **size,
            )
        if kind in ("next_link", "link_header"):
            return NextLink(entry.get("at", "") if kind == "next_link" else "", **size)
        return Whole()


def _ask(
    entry: Mapping[str, Any], path: str, method: str = "GET", query: Mapping[str, str] | None = None
) -> Ask:
    method = entry.get(
        "method", "POST" if method == "GET" and ("json" in entry or "form" in entry) else method
    )
    return Ask(
        path=entry.get("path", path),
        method=method,
        query={**(query or {}), **entry.get("query", {})},
        headers=entry.get("headers", {}),
        json=entry.get("json", msgspec.UNSET),
        form=entry.get("form"),
    )


def _many(entry: Mapping[str, Any] | None, listed: Ask) -> Many | None:
    if entry is None:
        return None
    ask = _ask(entry, listed.path, query=listed.query)
    return Many(ask, entry.get("each", "{id}"), entry.get("join", ","), entry.get("most", 50))


def _made(entry: Mapping[str, Any] | None, path: str, method: str, query: Mapping[str, str]) -> Made | None:
    if entry is None:
        return None
    at = entry.get("at", "")
    kept = {
        key: entry[key]
        for key in ("wrap", "extra", "id_at", "id_from_location", "whole", "with_key", "if_match")
        if key in entry
    }
    return Made(
        ask=_ask(entry, path, method, query),
        at=None if at == "none" else at,
        drop=tuple(entry.get("drop", ())),
        **kept,
    )


def _removed(entry: Mapping[str, Any] | None, path: str, query: Mapping[str, str]) -> Removed | None:
    if entry is None:
        return None
    return Removed(_ask(entry, path, "DELETE", query), entry.get("if_match", False))


def _answer_rule(entry: Mapping[str, Any]) -> AnswerRule:
    return AnswerRule(
        means=entry["means"],
        status=entry.get("status", 0),
        at=entry.get("at", ""),
        equals=entry.get("is", msgspec.UNSET),
        holds=entry.get("holds", ""),
        seconds=entry.get("seconds", ""),
    )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return False
    return True


def _is_format(text: str) -> bool:
    plain = text.replace("%3f", "%f")
    when = datetime(2024, 2, 29, 13, 5, 6, tzinfo=UTC)
    try:
        datetime.strptime(when.strftime(plain), plain)  # noqa: DTZ007 - only whether it is one
    except (ValueError, re.error):
        return False
    return "%" in text


SETTINGS: Final = (
    Setting(
        "declaration",
        "document",
        required=True,
        doc="what the system offers, as YAML: the text (on the command line declaration=@shop.yaml), the path of a .yaml "
        "file on the daemon's machine, or the entries themselves",
    ),
    Setting("url", doc="where the interface lives; goes before the url of the declaration"),
    Setting(
        "authorities",
        "path",
        doc="a PEM file on the daemon's machine with certificate authorities to trust besides those of the machine",
    ),
    Setting(
        "variables",
        "map",
        default={},
        doc="what ${name} in the declaration stands for; part of the account's identity",
    ),
    Setting(
        "secrets",
        "map",
        secret=True,
        doc="the same for tokens and passwords; sealed, and never shown",
    ),
)
