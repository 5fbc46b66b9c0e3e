"""The command tree: a group per service, a command per method, built when it is looked at.

Owns: what a command is made of and what happens when it is run. Must not: import `grpc` or rich before a call is made
(`--help` and completion have to be fast), or know a method by name.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import click
from google.protobuf.message import Message

from clients.cli import facts, naming, options, shape
from clients.cli import target as targets
from clients.cli.api import Api, Method, Service
from clients.cli.options import Binding
from clients.cli.target import Target

PROGRAM = "tandemctl"
_HELP = {"help_option_names": ["--help", "-h"]}
_BELOW = f"The options of `{PROGRAM}` itself (--address, --output, --tenant, ...) may also follow here."


def build(schema: Api) -> click.Group:
    """The whole command line for an API."""
    root = _Root(
        PROGRAM,
        callback=_remember,
        params=list(targets.options()),
        help="Steer tandemd, the daemon that keeps the records of pairs of business systems in step.",
        epilog=_epilog(),
        context_settings=_HELP,
        no_args_is_help=True,
    )
    commands = naming.spelled_methods(schema)
    for name, service in naming.group_names(schema).items():
        root.add_command(ServiceGroup(name, schema, service, commands))
    return root


class _Root(click.Group):
    """Its commands stand in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


def _remember(**given: Any) -> None:
    click.get_current_context().obj = given


def _epilog() -> str:
    rows = "\n".join(f"  {status:>3}  {meaning}" for status, meaning in facts.EXIT_STATUS.items())
    return f"\b\nExit status:\n{rows}"


class ServiceGroup(click.Group):
    """The commands of one service, each built when it is asked for."""

    def __init__(self, name: str, schema: Api, service: Service, spelled: Mapping[str, str]) -> None:
        doc = schema.comment(service.descriptor.full_name).removeprefix(f"{service.name}: ")
        super().__init__(name, help=doc[:1].upper() + doc[1:], context_settings=_HELP, no_args_is_help=True)
        self._schema = schema
        self._methods = naming.command_names(service)
        self._spelled = spelled

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._methods)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        method = self._methods.get(cmd_name)
        return _command(cmd_name, self._schema, method, self._spelled) if method else None


def _command(name: str, schema: Api, method: Method, spelled: Mapping[str, str]) -> click.Command:
    bound = options.bindings(schema, method)
    for binding in bound:
        if binding.parameter.help:
            binding.parameter.help = naming.spell_methods(binding.parameter.help, spelled)
    parameters: list[click.Parameter] = [binding.parameter for binding in bound]
    for extra in (*_extras(schema, method), *targets.options(hidden=True)):
        # A field of the request goes before an option of ours with the same name.
        if not _flags(parameters) & set(extra.opts):
            parameters.append(extra)
    return click.Command(
        name,
        params=parameters,
        callback=functools.partial(_run, schema, method, bound),
        help=naming.spell_methods(schema.comment(method.full_name), spelled),
        epilog=_BELOW,
        context_settings=_HELP,
    )


def _flags(parameters: Sequence[click.Parameter]) -> set[str]:
    return {flag for parameter in parameters for flag in parameter.opts}


def _extras(schema: Api, method: Method) -> list[click.Option]:
    """The options that follow from the shape of a method, not from a field."""
    found = []
    if shape.has_pages(method):
        found.append(click.Option(["--all"], is_flag=True, help="Fetch all pages."))
    if not method.streams and shape.watched_field(schema, method.response):
        found.append(click.Option(["--watch"], is_flag=True, help="Then watch it until it has ended."))
    return found


def _run(schema: Api, method: Method, bound: Sequence[Binding], **given: Any) -> None:
    ctx = click.get_current_context()
    own = {key: value for key, value in given.items() if value is not None}
    target = targets.resolve({**(ctx.obj or {}), **own}, os.environ)
    request = options.request(method, bound, given)
    _fill_tenant(request, target)
    try:
        status = _call(schema, method, request, target, given)
    except KeyboardInterrupt:
        click.echo("interrupted; what was asked for may happen all the same", err=True)
        status = facts.INTERRUPTED
    ctx.exit(status)


def _fill_tenant(request: Message, target: Target) -> None:
    # Not equal to "": given, or no such field.
    if target.tenant and getattr(request, "tenant", None) == "":
        setattr(request, "tenant", target.tenant)  # noqa: B010  # not in Message's type


def _call(schema: Api, method: Method, request: Message, target: Target, given: Mapping[str, Any]) -> int:
    from clients.cli import call, render, watch

    with call.connect(target) as caller:
        if method.streams:
            return watch.follow(schema, caller, method, request)
        if given.get("all"):
            render.show(caller.all_pages(method, request), target)
            return 0
        answer = caller.unary(method, request)
        watched = shape.watched_field(schema, method.response) if given.get("watch") else None
        if watched is not None:
            return watch.follow_answer(schema, caller, *watched, answer)
        render.show(answer, target)
        token = shape.next_token(answer)
        if token and target.output == "table":
            click.echo(f"there are more: --all shows all, --page-token {token} the next page", err=True)
        faults = facts.FAULTS.get(method.full_name)
        return facts.REFUSED if faults and getattr(answer, faults) else 0
