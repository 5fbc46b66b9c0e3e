"""The facts that the descriptors can't say are about things that exist: a renamed method or field fails here."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor

from clients.cli import api, facts, options, shape
from clients.cli.api import Api


def test_positional_fields_exist(schema: Api) -> None:
    methods = {method.full_name: method for method in schema.methods()}
    for name, fields in facts.POSITIONAL.items():
        assert name in methods, f"no method {name}"
        missing = set(fields) - set(methods[name].request.fields_by_name)
        assert not missing, f"{name} has no field {missing}"


def test_optional_positional_fields_come_last(schema: Api) -> None:
    methods = {method.full_name: method for method in schema.methods()}
    for name, left_out in facts.OPTIONAL.items():
        positional = options.positional_fields(schema, methods[name])
        assert left_out == positional[-len(left_out) :], name


def test_listed_positional_fields_say_more_than_the_rule(
    schema: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = {method.full_name: method for method in schema.methods()}
    listed = dict(facts.POSITIONAL)
    monkeypatch.setattr(facts, "POSITIONAL", {})
    needless = [
        name for name, fields in listed.items() if options.positional_fields(schema, methods[name]) == fields
    ]
    assert not needless, f"the rule says the same of {needless}"


def test_fields_given_as_files_are_positional_and_lists_of_faults_are_lists(schema: Api) -> None:
    methods = {method.full_name: method for method in schema.methods()}
    for name, field in facts.FILES.items():
        assert field in options.positional_fields(schema, methods[name])
    for name, field in facts.FAULTS.items():
        assert methods[name].response.fields_by_name[field].is_repeated


def test_fields_that_tables_treat_otherwise_exist(schema: Api) -> None:
    known = {
        field.full_name
        for method in schema.methods()
        for message in (method.response, *_inner(method.response))
        for field in message.fields
    }
    assert {*facts.BELOW, *facts.SHORTENED, *facts.ONE_ONLY} <= known


def _inner(message: Descriptor, depth: int = 3) -> Iterator[Descriptor]:
    """The kinds of messages that a message holds."""
    for field in message.fields if depth else ():
        if api.is_message(field) and not api.is_map(field):
            yield api.inner(field)
            yield from _inner(api.inner(field), depth - 1)


def test_outcomes_are_the_ones_the_proto_names(schema: Api) -> None:
    """The comment of Run.outcome is where the values are listed."""
    comment = schema.comment("tandem.v1.Run.outcome").rstrip(".")
    listed = {word.strip() for part in comment.split(" or ") for word in part.split(",")}
    assert listed == set(facts.ENDED) | {"queued", "running"}
    assert facts.GOOD_END_OF_PLANNING[0] in {
        field.name
        for method in schema.methods()
        if method.name == "WatchRun"
        for field in method.response.fields
    }


def test_hints_name_methods_that_exist(schema: Api) -> None:
    assert set(facts.OUTCOME_HINTS) == {outcome for outcome, status in facts.ENDED.items() if status}
    known = {method.name for method in schema.methods()}
    for hint in facts.OUTCOME_HINTS.values():
        named = re.findall(r"[A-Z][a-z]+[A-Z]\w+", hint)
        assert named
        assert set(named) <= known, hint


def test_a_run_can_be_watched_where_it_is_answered(schema: Api) -> None:
    watchable = {
        method.name: found[0].name
        for method in schema.methods()
        if not method.streams and (found := shape.watched_field(schema, method.response))
    }
    assert watchable == dict.fromkeys(
        ("StartRun", "CancelRun", "GetRun", "VerifyLink", "RehearseSettings", "UndoRun"), "WatchRun"
    )


def test_everything_has_a_comment(schema: Api) -> None:
    """Comments are the help; a field or command without one would be a riddle."""
    silent = [
        name
        for service in schema.services
        for name in (service.descriptor.full_name, *(method.full_name for method in service.methods))
        if not schema.comment(name)
    ]
    silent += [
        field.full_name
        for method in schema.methods()
        for field in method.request.fields
        if not schema.comment(field.full_name)
    ]
    assert not silent


def test_enum_choices_are_short(schema: Api) -> None:
    fields = {
        field.full_name: field
        for method in schema.methods()
        for field in method.request.fields
        if field.enum_type is not None
    }
    side = fields["tandem.v1.GetRecordRequest.side"].enum_type
    assert side is not None
    assert api.enum_choices(side) == {"a": "SIDE_A", "b": "SIDE_B"}
