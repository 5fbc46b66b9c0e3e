"""What has to hold before a link may be made, whichever way it comes about; each refusal names the thing and the way out.

Must not: make one (the store does, under its lock, and asks `check` again there).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from actors.core import preflight, roles
from actors.core.blueprint.compiler import BlueprintError
from actors.core.lifecycle import Establishment
from actors.core.permissions import Access, Mode
from actors.core.policy import LinkSpec
from actors.core.preflight import Obstacle
from actors.core.roles import Role, Standing
from actors.core.setup import Moment
from actors.core.types import SIDES, Side
from actors.ports import ObjectInfo, Webhook
from daemon.api import access, convert, fitting
from daemon.api.desk import Desk
from daemon.api.errors import ApiError, Violation, exists, invalid, precondition
from daemon.api.preflight import Pair, Preflight, account
from daemon.store.life_rows import Founding, StandingRow, identity
from daemon.store.rows import LinkInfo
from daemon.wiring import Blueprints, webhook_of


def loaded(blueprints: Blueprints, text: str) -> LinkSpec:
    """The compiled blueprint; INVALID_ARGUMENT with every fault."""
    try:
        return blueprints.load(text)
    except BlueprintError as error:
        faults = [
            Violation(f"blueprint:{one.line}", f"{one.path}: {one.message}" if one.path else one.message)
            for one in error.faults
        ]
        said = f"the blueprint can't be used ({len(faults)} found): {error.faults[0]}"
        raise invalid(
            faults, said, "mend these lines; tandemctl blueprints check FILE looks at them again"
        ) from error


class Founder:
    """Looks whether a link may be made of these rules between these two connections."""

    def __init__(
        self,
        desk: Desk,
        spec: LinkSpec,
        pair: Pair,
        name: str,
        *,
        link: str = "",
        text: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """`link`: the one that is to have these rules, where it stands already; else `text`: of the blueprint, and what is
        chosen so far of the `settings` that it asks for."""
        self._text = text
        self._incomplete = False
        self._settings: Mapping[str, Any] = {}
        if settings is not None:
            self._settings = chosen(spec, settings)
            whole = sound(desk.blueprints, text, self._settings)
            spec, self._incomplete = whole or spec, whole is None
        self._link = link
        self._desk = desk
        self._spec = spec
        self._pair = pair
        self._name = name
        self.look = Preflight(desk, spec, pair)

    async def fits(self) -> None:
        """The kinds of systems, two accounts, what the blueprint names, and nothing that is linked already."""
        _refuse_other_kinds(self._spec, self._pair)
        _refuse_one_account(self._pair)
        await self._refuse_misfit()
        await self._refuse_twice()
        await self._refuse_features()

    async def still_fits(self) -> None:
        """The same of other rules for a link that stands already; nor do other links have those records."""
        await self._refuse_misfit()
        await self._refuse_twice()
        await self.allowed()

    async def allowed(self) -> None:
        """As `check`, before anybody is asked to do anything."""
        ours, theirs = (account(self._pair[side]) for side in SIDES)
        found = await self._desk.life.access_between(ours, theirs)
        self.check(await self._desk.life.standings(ours, theirs), found)

    def check(self, standing: Sequence[StandingRow], known: Access | None) -> None:
        """Raises where roles, rings or the access between the accounts don't let it be."""
        self._refuse_access(known)
        others = [self._standing(row) for row in standing if row.id != self._link]
        new = Standing(
            link=self._name,
            kind=self._spec.setup.kind,
            accounts={side: identity(*account(self._pair[side])) for side in SIDES},
            roles=self._spec.setup.roles,
            shares=_shares(self._spec),
        )
        clash = roles.clash(new, others)
        if clash:
            raise precondition(
                "ROLES", clash, "choose other accounts; roles can't be changed once they stand"
            )
        ring = roles.ring(new, others)
        if ring:
            raise precondition(
                "RING",
                f"the same records would go round in a ring, by way of {', '.join(ring)}",
                "leave one of these links out: over the others every change gets everywhere as it is",
            )

    async def preflight(self, override: bool = False) -> list[Obstacle]:
        """What is worth knowing; raises with everything that stands in the way."""
        found = await self.obstacles()
        refusing = preflight.refusing(found, override)
        if refusing:
            raise obstructed("PREFLIGHT", "this stands in the way", refusing)
        return preflight.warning(found) + [one for one in preflight.refusing(found) if override]

    async def obstacles(self) -> list[Obstacle]:
        """Everything that is in the way, and what is worth knowing."""
        return await self.look.obstacles(Moment.PROPOSAL, self._settings)

    async def founding(
        self, tenant: str, *, partner: str = "", wish: str = "run"
    ) -> tuple[Founding, list[Obstacle]]:
        """What the store makes a link of, and what it still needs: being set up, or active at once."""
        missing = await self.look.preparations(self._settings)
        stands = Establishment.CONFIRMED if missing else Establishment.ESTABLISHED
        made = Founding(
            tenant=tenant,
            name=self._name,
            connections={side: self._pair[side].id for side in SIDES},
            blueprint=self._text,
            partner=partner,
            settings=self._settings,
            establishment=stands,
            wish=wish,
            kind=self._spec.setup.kind,
            roles={side: self._spec.setup.roles[side].value for side in SIDES},
            rests_on={} if missing else await self.look.rests_on(),
        )
        return made, missing

    # ------------------------------------------------------------------------------------------------- inside

    async def _offer(self, side: Side) -> Sequence[ObjectInfo]:
        found: Sequence[ObjectInfo] = await self._desk.engine.call(self._pair[side].id, "describe")
        return found

    async def _refuse_misfit(self) -> None:
        if self._incomplete:
            return  # stand-ins for what is still to be chosen: asked at activation, of what it is then
        offers = {side: await self._offer(side) for side in SIDES}
        lacks = fitting.missing(self._spec, offers, {side: self._pair[side].name for side in SIDES})
        calls: dict[Side, Webhook | None] = {
            side: webhook_of(self._pair[side].connector, self._pair[side].settings) for side in SIDES
        }
        lacks += fitting.strange_events(self._spec, calls)
        if lacks:
            said = "; ".join(one.message for one in lacks[:3])
            hint = "correct the blueprint or the systems; tandemctl connections describe-objects shows what there is"
            raise precondition("BLUEPRINT_DOES_NOT_FIT", f"the blueprint does not fit: {said}", hint, lacks)

    async def _refuse_features(self) -> None:
        lacks: list[Violation] = []
        asks: dict[tuple[str, str], list[str]] = {}  # feature, connector -> who lacks it
        for feature in self._spec.setup.features:
            for side in SIDES:
                one = self._pair[side]
                enabled = {
                    row.feature for row in await self._desk.life.features_of(account(one)) if row.enabled
                }
                if feature not in enabled:
                    lacks.append(Violation(side, f"{feature} is not enabled for {one.identity}"))
                    asks.setdefault((feature, one.connector), []).append(one.identity)
        if lacks:
            ways = [
                f"tandemctl features ask {feature} {connector} --identities {' --identities '.join(dict.fromkeys(who))}"
                for (feature, connector), who in asks.items()
            ]
            said = f"not enabled by the provider: {'; '.join(one.message for one in lacks)}"
            raise precondition("FEATURE", said, f"ask for it: {'; '.join(ways)}", lacks)

    def _refuse_access(self, known: Access | None) -> None:
        setup = self._spec.setup
        if setup.access and known is None:
            raise precondition(
                "NOT_CONNECTED",
                f"the accounts {' and '.join(self._pair[side].identity for side in SIDES)} are not connected",
                "connect them first: tandemctl accesses create",
            )
        if setup.access and known is not None and known.mode is Mode.NOBODY and not setup.in_mode_4:
            raise precondition(
                "MODE_4",
                "the access between the two accounts is in mode 4 (nobody may switch), which allows no sync",
                "choose another mode: tandemctl accesses update",
            )

    async def _refuse_twice(self) -> None:
        for other in await self._desk.names.links_between(self._pair["a"], self._pair["b"]):
            if other.row.id == self._link:
                continue
            try:
                theirs = self._desk.blueprints.of(other.row)
            except BlueprintError:
                continue
            place = await self._desk.admin.get_connection(other.row.a_connection)
            mirrored = account(place) != account(self._pair["a"])
            objects = fitting.overlap(self._spec, theirs, mirrored)
            if objects is not None:
                raise _linked_already(other, objects)

    def _standing(self, row: StandingRow) -> Standing:
        try:
            shares = _shares(self._desk.blueprints.load(row.blueprint, row.settings))
        except BlueprintError:
            shares = ()
        seen = access.caller().sees(row.tenant, row.partner)
        return Standing(
            link=row.name if seen else "one of another tenant",
            kind=row.kind,
            accounts={side: identity(*row.accounts[side]) for side in SIDES},
            roles={side: Role(row.roles[side]) for side in SIDES},
            shares=shares,
        )


def obstructed(reason: str, said: str, found: Iterable[Obstacle]) -> ApiError:
    """A refusal that lists each thing with its ways out."""
    faults = [
        Violation(f"{one.side}.{one.object}" if one.side else one.object, _with_ways(one)) for one in found
    ]
    ways = dict.fromkeys(way for one in found for way in one.ways_out)
    hint = f"{'; '.join(ways)}; then say it again" if ways else "clear it, then say it again"
    return precondition(reason, f"{said}: {'; '.join(one.text for one in found)}", hint, faults)


def _with_ways(one: Obstacle) -> str:
    return f"{one.text}; {' or '.join(one.ways_out)}" if one.ways_out else one.text


def sound(blueprints: Blueprints, text: str, settings: Mapping[str, Any]) -> LinkSpec | None:
    """The rules with these settings, None while one that they need is missing; INVALID_ARGUMENT where one is wrong."""
    try:
        return blueprints.load(text, settings)
    except BlueprintError as error:
        missing = {
            f"settings.{one.name}" for one in loaded(blueprints, text).settings if one.name not in settings
        }
        wrong = [Violation(one.path, one.message) for one in error.faults if one.path not in missing]
        if wrong:
            raise invalid(wrong) from error
        return None


def chosen(spec: LinkSpec, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a link as they are stored; INVALID_ARGUMENT where the blueprint asks for no such setting."""
    known = sorted({one.name for one in spec.setup.settings} | {one.name for one in spec.settings})
    faults = [
        Violation(f"settings.{name}", f"is no setting of this blueprint; it has {', '.join(known) or 'none'}")
        for name in settings
        if name not in known
    ]
    if faults:
        raise invalid(faults)
    texts = {one.name for one in spec.setup.settings if one.keys is None}
    texts |= {one.name for one in spec.settings if one.form == "text"}
    return {
        name: _as_text(convert.plain(value)) if name in texts else convert.plain(value)
        for name, value in settings.items()
    }


def _as_text(value: Any) -> Any:
    """A whole number as it is written: `journal=17` means the journal of that code, and a text is what has to be given."""
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    return str(int(value)) if is_whole else value


def _shares(spec: LinkSpec) -> tuple[tuple[str, str], ...]:
    return tuple(pair for stream in spec.streams for pair in fitting.shares(stream))


def _refuse_other_kinds(spec: LinkSpec, pair: Pair) -> None:
    wanted = {"a": spec.a_connector, "b": spec.b_connector}
    faults = [
        Violation(
            side,
            f"connection {pair[side].name} is of {pair[side].connector}, the blueprint wants {wanted[side]}",
        )
        for side in SIDES
        if pair[side].connector != wanted[side]
    ]
    if faults:
        said = "; ".join(one.message for one in faults)
        raise precondition("OTHER_CONNECTOR", said, "choose other connections, or another blueprint", faults)


def _refuse_one_account(pair: Pair) -> None:
    a, b = pair["a"], pair["b"]
    if a.id == b.id or account(a) == account(b):
        raise precondition(
            "ONE_ACCOUNT",
            f"connections {a.name} and {b.name} are the same account ({a.identity})",
            "link two different accounts; within one, every write would be the other side's change",
        )


def _linked_already(other: LinkInfo, objects: tuple[str, str]) -> ApiError:
    seen = access.caller().sees(other.row.tenant, other.row.partner)
    name = other.row.name if seen else "of another tenant"
    return exists(
        "link",
        name,
        f"link {name} keeps {objects[0]} and {objects[1]} of these two accounts in step already",
        "use that link, or leave these objects out of the blueprint",
        objects=f"{objects[0]}, {objects[1]}",
    )
