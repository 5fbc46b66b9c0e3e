"""Streams: live on a terminal, one line per change elsewhere; the exit status says how it ended.

Owns: showing a stream, following a run after it was started. Must not: know a method by name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from google.protobuf.message import Message

from clients.cli import api, facts, naming, render
from clients.cli.api import Api, Method
from clients.cli.call import Caller
from clients.cli.target import Target


def follow_answer(schema: Api, caller: Caller, method: Method, field: str, answer: Message) -> int:
    """Show the answer, then watch what it holds until it has ended. Returns the exit status."""
    watched: Message = getattr(answer, field) if field else answer
    rest = api.new(api.type_of(answer))
    rest.CopyFrom(answer)
    if field:
        rest.ClearField(field)
        for set_field, value in api.set_fields(rest):
            click.echo(f"{set_field.name.replace('_', ' ')}: {render.cell(set_field, value)}", err=True)
    request = api.new(method.request)
    setattr(request, method.request.fields[0].name, getattr(watched, "id"))  # noqa: B009  # not in Message's type
    return follow(schema, caller, method, request)


def follow(schema: Api, caller: Caller, method: Method, request: Message) -> int:
    """Show the stream to its end. Returns the exit status: 0, or what `facts.ENDED` says of the last message."""
    last = None
    try:
        with _screen(caller.target) as show:
            for message in caller.stream(method, request):
                show(message)
                last = message
    except KeyboardInterrupt:
        click.echo("stopped watching; what was watched goes on", err=True)
        return facts.INTERRUPTED
    return outcome_status(schema, last) if facts.OUTCOME in method.response.fields_by_name else 0


def outcome_status(schema: Api, message: Message | None) -> int:
    """Exit status for the last message of a watched thing; says on stderr what is not good."""
    outcome: str = getattr(message, facts.OUTCOME) if message else ""
    if outcome not in facts.ENDED:
        click.echo("error: the daemon ended the stream before the end was known\nhint: watch again", err=True)
        return facts.NOT_IN_TIME
    field, modes, good = facts.GOOD_END_OF_PLANNING
    planned = outcome == good and getattr(message, field, None) in modes
    if outcome in facts.OUTCOME_HINTS:
        hint = naming.spell_methods(facts.OUTCOME_HINTS[outcome], naming.spelled_methods(schema))
        click.echo(f"ended: {outcome}\nhint: {hint}", err=True)
    return 0 if planned else facts.ENDED[outcome]


@contextmanager
def _screen(target: Target) -> Iterator[Callable[[Message], None]]:
    """Gives the function to show each message with."""
    if target.output == "json":
        yield _show_json
    elif target.output == "yaml":
        yield _show_yaml
    elif not sys.stdout.isatty():
        yield _show_changes()
    else:
        from rich.live import Live

        with Live(console=render.console(target), auto_refresh=False) as live:
            yield lambda message: live.update(render.table(message), refresh=True)


def _show_json(message: Message) -> None:
    click.echo(json.dumps(render.plain(message), ensure_ascii=False))


def _show_yaml(message: Message) -> None:
    click.echo(f"---\n{render.as_yaml(message)}", nl=False)


def _show_changes() -> Callable[[Message], None]:
    before: list[Message] = []

    def show(message: Message) -> None:
        line = " ".join(_changed(before[-1] if before else None, message))
        before[:] = [message]
        if line:
            click.echo(line)

    return show


def _changed(before: Message | None, now: Message) -> Iterator[str]:
    for field, value in render.changes(before, now):
        yield render.pair(field, value)
