"""A new version of a link's rules: its blueprint, its settings, and what is chosen for it of what the blueprint asks for.

Checked as a whole and only stored where it is sound, fits both accounts, and leaves the link what it is; what it means for
records that were settled before is worked out before anything is changed. Must not: know a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.core import lifecycle
from actors.core import settings as rules
from actors.core.blueprint.compiler import BlueprintError
from actors.core.blueprint.nodes import Fault
from actors.core.lifecycle import Establishment
from actors.core.policy import LinkSpec
from actors.core.settings import Changes, Kept, Mappings
from actors.core.types import SIDES, Side
from actors.ports import LinkRow, Webhook
from daemon import blueprints_yaml
from daemon.api import access, fitting
from daemon.api.desk import Desk
from daemon.api.errors import Violation, invalid, precondition
from daemon.api.founding import Founder
from daemon.api.preflight import Pair
from daemon.store.rows import LinkInfo, VersionRow
from daemon.wiring import webhook_of


class Texts(msgspec.Struct, frozen=True):
    """What a version says. `chosen`: what the link has for what the blueprint asks for."""

    blueprint: str
    settings: str
    chosen: Mapping[str, Any]


class Checked(msgspec.Struct, frozen=True):
    """The rules that hold (None where this daemon can't use them, and anything is better), those that are to hold, and what
    is otherwise under them."""

    old: LinkSpec | None
    new: LinkSpec
    changes: Changes


def held(row: LinkRow) -> Texts:
    """What holds for a link now."""
    return Texts(row.blueprint, rules.load(row.settings).rules, rules.chosen(row.settings))


class Versions:
    """Checks new versions of the rules of links, and stores them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def check(self, info: LinkInfo, texts: Texts) -> Checked:
        """Refused where they can't hold."""
        row, now = info.row, held(info.row)
        standing = lifecycle.load(row.facts).establishment is not Establishment.CONFIRMED
        new, is_whole = _loaded(texts)
        old = self._known(row)
        if old is not None:
            _refuse_impossible(old, new, row, texts, standing)
        # Of an active link that lacks something now: once that is chosen, nobody knows any more what held before.
        changes = rules.changes(old, new) if old is not None and (standing or is_whole) else Changes()
        calls = {side: await self._webhook(row, side) for side in SIDES}
        if strange := fitting.strange_events(new, calls):
            raise invalid(strange, f"the rules can't be used: {strange[0].field}: {strange[0].message}")
        chooses = (texts.blueprint, texts.settings) == (now.blueprint, now.settings)
        if chooses and not (standing and is_whole):
            return Checked(
                old, new, Changes()
            )  # it is being set up: what is chosen is tried when it is to be active
        if old is None or (is_whole and (changes.reread or changes.added)):
            await self._refuse_unfit(new, row)
        return Checked(old, new, changes)

    async def change(
        self, info: LinkInfo, was: int, texts: Texts, note: str, *, check: bool = False
    ) -> tuple[VersionRow, Changes]:
        """Put them in the place of version `was`, unless they are only checked; `Refused` where another one holds by now."""
        row, desk = info.row, self._desk
        found = await self.check(info, texts)
        now, by = desk.clock.now(), access.caller().token
        version = VersionRow(was + 1, texts.blueprint, texts.settings, by, now, note, texts.chosen)
        if not check:
            known = mappings(rules.load(row.settings), found.old, found.new)
            await desk.admin.change_rules(row.id, was, version, known, found.changes)
            desk.name_link(info, [stream.name for stream in found.new.streams])
            desk.engine.wake(row.id)
        return version, found.changes

    async def _webhook(self, row: LinkRow, side: Side) -> Webhook | None:
        """How the system of a side calls."""
        found = await self._desk.store.connection(row.a_connection if side == "a" else row.b_connection)
        return None if found is None else webhook_of(found.connector, found.settings)

    async def _refuse_unfit(self, spec: LinkSpec, row: LinkRow) -> None:
        """Rules that don't fit the accounts of this link, or take records that another link has."""
        pair: Pair = {
            "a": await self._desk.admin.get_connection(row.a_connection),
            "b": await self._desk.admin.get_connection(row.b_connection),
        }
        await Founder(self._desk, spec, pair, row.name, link=row.id).still_fits()

    def _known(self, row: LinkRow) -> LinkSpec | None:
        try:
            return self._desk.blueprints.of(row)
        except BlueprintError:
            return None


def mappings(kept: Kept, old: LinkSpec | None, new: LinkSpec) -> Mappings:
    """Every mapping under which records of the link were settled, and the new one."""
    known: Mappings = kept.mappings
    for spec in (old, new):
        known = rules.remember(known, spec) if spec is not None else known
    return known


def _refuse_impossible(old: LinkSpec, new: LinkSpec, row: LinkRow, texts: Texts, standing: bool) -> None:
    faults = list(rules.impossible(old, new))
    if standing:
        for_good = {one.name: texts.chosen.get(one.name, one.default) for one in old.settings if one.fixed}
        faults += rules.fixed(old, row.settings, for_good)
    if faults:
        raise invalid([Violation(one.path, one.message) for one in faults], str(faults[0]))
    asked = {one.name for one in new.settings if one.needed} | {one.name for one in new.setup.settings}
    lost = sorted(asked & rules.chosen(row.settings).keys() - texts.chosen.keys())
    if standing and lost:
        raise precondition(
            "NOT_CHOSEN",
            f"that version has nothing for {', '.join(lost)}, and the link is active",
            f"choose another value instead: tandemctl links prepare {row.name} --settings {lost[0]}=...",
            link=row.name,
        )


def _loaded(texts: Texts) -> tuple[LinkSpec, bool]:
    """The rules, and whether all that they need is chosen; as they stand without it where it is not."""
    try:
        return blueprints_yaml.load(texts.blueprint, texts.settings, texts.chosen), True
    except BlueprintError as error:
        faults: Sequence[Fault] = error.faults
    try:
        spec = blueprints_yaml.load(texts.blueprint, texts.settings)
    except BlueprintError as error:
        raise _refused(error.faults) from error
    missing = {f"settings.{one.name}" for one in spec.settings if one.name not in texts.chosen}
    wrong = [one for one in faults if one.path not in missing]
    if wrong:
        raise _refused(wrong)
    return spec, False


def _refused(faults: Sequence[Fault]) -> Exception:
    said = f"the rules can't be used ({len(faults)} found): {faults[0]}"
    hint = "mend what is named; tandemctl settings change --check looks at it again and changes nothing"
    return invalid([_violation(one) for one in faults], said, hint)


def _violation(one: Fault) -> Violation:
    if not one.line:
        return Violation(one.path, one.message)
    where = f"{one.text or 'blueprint'}:{one.line}"
    return Violation(where, f"{one.path}: {one.message}".removeprefix(": "))
