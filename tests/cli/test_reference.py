"""docs/CLI.md is what the commands say today."""

from __future__ import annotations

import click

from clients.cli import reference


def test_the_reference_is_up_to_date() -> None:
    committed = reference.REFERENCE.read_text(encoding="utf-8")
    assert committed == reference.render(), "run: python -m clients.cli.reference"


def test_the_reference_holds_every_command(commands: click.Group) -> None:
    text = reference.render()
    with click.Context(commands) as ctx:
        for group_name in commands.list_commands(ctx):
            group = commands.get_command(ctx, group_name)
            names = group.list_commands(ctx) if isinstance(group, click.Group) else [""]
            missing = [name for name in names if f"### tandemctl {group_name} {name}".rstrip() not in text]
            assert not missing, group_name
