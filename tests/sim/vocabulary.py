"""The whole rule vocabulary of blueprints, beside what the simulation draws of it: every entry and every word is drawn, by
the sign that the compiled rules bear of it, or named with the reason why not.

A rule that is new in the tables of actors/core/blueprint/entries*.py fails `test_vocabulary.py` until it is in one of the
two. Must not: draw anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from actors.core.blueprint import entries, entries_objects, entries_rules, entries_when, lens_words
from actors.core.blueprint.forms import Either, Entries, Entry, Exactly, Form, Listing, Shared, Words
from actors.core.conditions import Test
from actors.core.lenses import Empty, MapValues, Same, Scale
from actors.core.lenses_one_way import Computed, Constant
from actors.core.lenses_text import ListText, NumberText
from actors.core.policy import (
    FieldSpec,
    Lens,
    LinkSpec,
    Owner,
    StreamSpec,
)
from actors.core.types import SIDES

Sign = Callable[[LinkSpec], bool]
BOTH_WAYS = ({"a", "b"}, {"a_to_b", "b_to_a"})
TABLES: Mapping[str, Sequence[Entry]] = {
    "link": entries.LINK,
    "side": entries.SIDE,
    "stream": entries.STREAM,
    "field": entries.FIELD,
    "required": entries_rules.REQUIRED,
    "gate": entries.GATE,
    "budget": entries.BUDGET_ENTRIES,
    "effect": entries.EFFECT,
    "object": entries_objects.OBJECT,
    "schedule": entries_when.SCHEDULE,
    "condition": entries_rules.CONDITION,
    "case": entries_rules.LONE_CASE,
}


def vocabulary() -> Iterator[str]:
    """`table.entry` of every entry, or `table.entry: word` of every word that it may be."""
    for table, told in TABLES.items():
        for entry in told:
            if entry.name in ("lens", "lens_a", "lens_b"):
                continue
            if entry.name == "lines":
                inner = entry.form.of if isinstance(entry.form, Entries) else ()
                yield from (f"lines.{one.name}" for one in inner)
                continue
            found = tuple(dict.fromkeys(_words(entry.form)))
            yield from (
                (f"{table}.{entry.name}: {word}" for word in found) if found else (f"{table}.{entry.name}",)
            )
    yield from (f"lens.{word}" for word in lens_words.WORDS)


def _words(form: Form) -> Iterator[str]:
    if isinstance(form, Words):
        yield from form.words
    elif isinstance(form, Exactly):
        yield form.value
    elif isinstance(form, Either):
        for one in form.of:
            yield from _words(one)
    elif isinstance(form, Listing | Shared):
        yield from _words(form.of)
    elif isinstance(form, Entries) and {one.name for one in form.of} in BOTH_WAYS:
        for entry in form.of:
            yield from _words(entry.form)


# --------------------------------------------------------------------------------------------------- what is drawn


def of_stream(sign: Callable[[StreamSpec], object]) -> Sign:
    return lambda spec: any(sign(stream) for stream in spec.streams)


def of_field(sign: Callable[[FieldSpec], object]) -> Sign:
    return of_stream(lambda stream: any(sign(field) for field in stream.fields))


def of_lens(kind: type) -> Sign:
    def has(field: FieldSpec) -> bool:
        lenses: list[Lens] = [place.lens for place in (field.a, field.b) if place is not None]
        return any(isinstance(lens, kind) for lens in lenses)

    return of_field(has)


def of_gate(sign: Callable[[object], object]) -> Sign:
    return of_stream(lambda stream: any(sign(gate) for gate in stream.gates.values()))


def of_condition(test: Test) -> Sign:
    return of_field(lambda one: any(asked.test is test for case in one.owner_cases for asked in case.when))


def worded(
    name: str, words: Sequence[str], of: Callable[[Callable[[object], object]], Sign]
) -> dict[str, Sign]:
    """One sign for each word of an attribute that is one of them."""
    table, _, attribute = name.partition(".")

    def is_word(word: str) -> Sign:
        return of(lambda one: str(getattr(getattr(one, attribute), "value", getattr(one, attribute))) == word)

    return {f"{table}.{attribute}: {word}": is_word(word) for word in words}


FIRST_CONTACTS = ("a", "b", "fill_empty", "filled_else_a", "filled_else_b", "ask")
CONFLICTS = ("a", "b", "newest_else_a", "newest_else_b", "newest_else_ask", "ask", "strictest")
DRAWN: Mapping[str, Sign] = {
    "link.breaker": lambda spec: spec.breaker > 0,
    "stream.kind: master": of_stream(lambda one: one.kind == "master"),
    "stream.kind: document": of_stream(lambda one: one.kind == "document"),
    **worded("stream.left_behind", ("remove", "keep", "mark"), of_stream),
    "stream.parents": of_stream(lambda one: one.parents),
    "stream.requires": of_stream(lambda one: one.requires),
    "stream.match": of_stream(lambda one: one.match),
    "stream.clash": of_stream(lambda one: one.clashes),
    **{f"stream.creates: {s}": of_stream(lambda one, s=s: one.creates == {s}) for s in SIDES},  # type: ignore[misc]
    **{
        f"stream.deletes: {word}": of_stream(lambda one, w=word: w in {x.value for x in one.deletes.values()})  # type: ignore[misc]
        for word in ("ignore", "mark", "remove", "restore")
    },
    **worded("stream.delete_vs_edit", ("keep", "restore", "remove"), of_stream),
    **worded("stream.on_merge", ("ask", "keep", "delete", "follow"), of_stream),
    "stream.mark": of_stream(lambda one: one.mark),
    **{f"stream.once: {s}": of_stream(lambda one, s=s: s in one.once) for s in SIDES},  # type: ignore[misc]
    **{f"stream.stages: {s}": of_stream(lambda one, s=s: s in one.stages) for s in SIDES},  # type: ignore[misc]
    **{
        f"stream.imports: {word}": of_stream(lambda one, w=word: one.stages and one.imports.value == w)  # type: ignore[misc]
        for word in ("ask", "always", "never")
    },
    "required.which: any": of_stream(lambda one: any(name not in one.named for name in one.requires)),
    "required.which: assigned": of_stream(lambda one: one.named),
    **{f"required.{s}": of_stream(lambda one, s=s: any(s in at for at in one.named.values())) for s in SIDES},  # type: ignore[misc]
    "stream.effects": of_stream(lambda one: one.effects),
    "stream.gate": of_stream(lambda one: one.gates),
    **worded("stream.first_contact", FIRST_CONTACTS, of_stream),
    **{f"stream.initial_load: {s}": of_stream(lambda one, s=s: one.initial_load == {s}) for s in SIDES},  # type: ignore[misc]
    **worded("stream.initial_creates", ("on", "plan", "off"), of_stream),
    "stream.budgets": of_stream(lambda one: any(budget.count < 100 for budget in one.budgets.values())),
    "stream.complete_read": of_stream(lambda one: one.complete_read_s > 0),
    "stream.delivery: command": of_stream(
        lambda one: any(x.kind == "command" for x in one.delivery.values())
    ),
    "stream.delivery: instant": of_stream(lambda one: not one.delivery),
    **{f"field.{s}": of_field(lambda one, s=s: one.side(s)) for s in SIDES},  # type: ignore[misc]
    **worded("field.owner", ("a", "b", "both", "local"), of_field),
    **worded("field.conflict", CONFLICTS, of_field),
    **worded("field.first_contact", FIRST_CONTACTS, of_field),
    "field.group": of_field(lambda one: one.group),
    "field.on_create_only": of_field(lambda one: one.on_create_only),
    "field.required": of_field(lambda one: one.required),
    "field.set": of_field(lambda one: one.as_set),
    "field.reference": of_field(lambda one: one.reference),
    "field.attachment": of_field(lambda one: one.attachment),
    **worded("field.reactivation", ("follow", "ignore"), of_field),
    **worded("field.foreign_edit", ("put_back", "report"), of_field),
    "field.constant": of_lens(Constant),
    "field.starts_with": of_field(lambda one: one.starts_with),
    "lines.fields": of_field(lambda one: one.lines),
    "lines.key": of_field(lambda one: one.lines and one.lines.key),
    "lines.ordered": of_field(lambda one: one.lines and not one.lines.ordered),
    "lines.sums": of_field(lambda one: one.lines and one.lines.sums),
    "gate.path": of_stream(lambda one: one.gates),
    "gate.equals": of_gate(lambda one: len(getattr(one, "values", ())) == 1),
    "gate.in": of_gate(lambda one: len(getattr(one, "values", ())) > 1),
    **worded("gate.on", ("level", "edge"), of_gate),
    **worded("gate.then", ("keep", "put_back", "deactivate", "detach"), of_gate),
    "gate.since: activation": of_gate(
        lambda one: getattr(one, "on", "") == "edge" and getattr(one, "since", 0) is None
    ),
    "gate.dated": of_gate(lambda one: getattr(one, "dated", "")),
    "gate.keys: held": of_stream(lambda one: one.gates),
    "budget.count": of_stream(lambda one: any(budget.count < 100 for budget in one.budgets.values())),
    "budget.free": of_stream(lambda one: any(budget.free < 20 for budget in one.budgets.values())),
    "effect.object": of_stream(lambda one: one.follows),
    "effect.document": of_stream(lambda one: one.follows),
    "effect.fields": of_stream(lambda one: one.follows),
    **{f"object.creates: {s}": of_stream(lambda one, s=s: _of_objects(one, s)) for s in SIDES},  # type: ignore[misc]
    **{
        f"object.deletes: {word}": of_stream(lambda one, w=word: _deleted(one, w))  # type: ignore[misc]
        for word in ("ignore", "mark", "remove", "restore")
    },
    "schedule.at: command": of_stream(lambda one: any(x.kind == "command" for x in one.delivery.values())),
    "schedule.jitter": of_stream(lambda one: any(x.jitter_s for x in one.delivery.values())),
    "schedule.initial_load: instant": of_stream(
        lambda one: any(x.load_at_once for x in one.delivery.values())
    ),
    "schedule.initial_load: scheduled": of_stream(
        lambda one: any(not x.load_at_once for x in one.delivery.values())
    ),
    **{
        f"case.is: {word}": of_field(lambda one, w=word: w in {x.owner.value for x in one.owner_cases})  # type: ignore[misc]
        for word in (*SIDES, "both")
    },
    "case.when": of_field(lambda one: any(x.when for x in one.owner_cases)),
    "condition.not": of_condition(Test.NOT),
    "condition.filled": of_condition(Test.FILLED),
    "case.once: bound": of_field(lambda one: any(x.once_bound for x in one.owner_cases)),
    **{
        f"case.else: {word.value}": of_field(lambda one, w=word: one.owner_cases and one.owner is w)  # type: ignore[misc]
        for word in (Owner.BOTH, Owner.A, Owner.B)
    },
    "lens.same": of_lens(Same),
    "lens.empty": of_lens(Empty),
    "lens.scale": of_lens(Scale),
    "lens.map": of_lens(MapValues),
    "lens.formula": of_lens(Computed),
    "lens.number": of_lens(NumberText),
    "lens.list": of_lens(ListText),
}


def _of_objects(stream: StreamSpec, side: str) -> bool:
    return any(side in one.creates for several in stream.objects.values() for one in several)


def _deleted(stream: StreamSpec, word: str) -> bool:
    policies = (one.deletes.values() for several in stream.objects.values() for one in several)
    return any(policy.value == word for several in policies for policy in several)


# ------------------------------------------------------------------------------------------- what is not, and why

TEXT = "says nothing about what is done in a run"
SET_UP = "chosen when a link is set up, not in a run (tests/core/test_settings.py, tests/spec)"
PURE = "a pure function with laws of its own, checked by properties (tests/core/test_lenses*.py)"
ELSEWHERE = "the same machinery as what is drawn beside it"
NOT_DRAWN: Mapping[str, str] = {
    **dict.fromkeys(("link.blueprint", "link.version", "link.description"), TEXT),
    **dict.fromkeys(("link.a", "link.b", "link.streams", "stream.a", "stream.b", "stream.fields"), ELSEWHERE),
    **dict.fromkeys(("link.settings", "link.setup", "stream.custom", "lines.custom"), SET_UP),
    "link.zone": "a schedule's, and the simulation's is UTC (tests/core/test_schedule.py)",
    **dict.fromkeys((f"link.delivery: {word}" for word in ("instant", "command", "nightly")), "the stream's"),
    "side.connector": "the memory system plays all of them",
    "side.poll": "one for all, 20 s",
    **dict.fromkeys(
        (f"stream.active: {word}" for word in ("yes", "on", "no", "off")),
        "a stream that is off is not in the rules (tests/core/test_blueprint_chosen.py, tests/spec/test_switching.py)",
    ),
    "stream.delivery: nightly": "once a day: a seed lasts ten minutes; cron by the minute is drawn",
    "stream.triggers": "calls from systems: a hint by another way in (tests/daemon/test_webhooks.py)",
    "field.within": "a reference that waits; drawn without (tests/actors/test_several.py)",
    "field.lossy": "a declaration; the lossy lens that is drawn is a system that cuts (`rewrites`)",
    "lines.position": "a path within the line, by tables (tests/core/test_unit_lines.py)",
    "lines.tolerance": "a number in one comparison (tests/core/test_units.py)",
    "gate.set": "another question of one value (tests/core/test_blueprint_rules.py)",
    "gate.keys: free": "roles: two streams over the same objects (tests/actors/test_gates_keys.py)",
    "budget.percent": "the larger of the two counts, by tables (tests/core/test_guard.py)",
    "schedule.at: instant": "no schedule at all, drawn as such",
    "schedule.at: nightly": "once a day: a seed lasts ten minutes",
    "schedule.zone": "a schedule's, and the simulation's is UTC (tests/core/test_schedule.py)",
    **dict.fromkeys(
        ("case.is: local", "case.else: local"), "refused: a field is local for all records or for none"
    ),
    **dict.fromkeys((f"lens.{w}" for w in lens_words.WORDS if f"lens.{w}" not in DRAWN), PURE),
}
