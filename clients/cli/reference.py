"""Writes docs/CLI.md from the commands themselves: `python -m clients.cli.reference`.

Must not: say anything that the commands don't; tests/cli/test_reference.py compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from clients.cli import api
from clients.cli.build import PROGRAM
from clients.cli.facts import EXIT_STATUS
from clients.cli.main import command_line

REFERENCE = Path(__file__).resolve().parents[2] / "docs/CLI.md"
_INTRODUCTION = f"""# {PROGRAM}

Generated from the API by `python -m clients.cli.reference`; never edited.

Every method of the API is a command: a group per service, the method's name without the service's noun. Options come
from the fields of the request, help from the comments in `proto/tandem/v1/*.proto`.

How values are written: durations with their unit (`30s`, `1h30m`), times as ISO 8601 (UTC where no zone is given), text
as it stands, from a file (`@file`) or from standard input (`-`); `@@x` is the text `@x`. Settings are `key=value`, dots
lead into nested objects, and values that read as JSON count as such (`retries=3`, `tags=["a"]`); a number that would not
be kept exactly (`0123`, `1.10`) stays text, and quotes make text of any number (`'company="17"'`).

`--output table` is for people and may change; `json` and `yaml` hold all fields of the answer as the API names them, and
for watched runs one document per change.

`--all`, on commands with pages, fetches every page. `--watch`, on commands that answer with a run, follows it to its end.
"""


def main() -> None:
    """Write the page."""
    REFERENCE.parent.mkdir(exist_ok=True)
    REFERENCE.write_text(render(), encoding="utf-8")


def render() -> str:
    """The page as Markdown."""
    root = command_line(api.installed())
    parts = [_INTRODUCTION, "## Exit status\n", *_exit_status(), "\n## Options of every command\n"]
    with click.Context(root, info_name=PROGRAM) as ctx:
        parts += [*_options(root, ctx), *_commands(root, ctx)]
    return "\n".join(parts).rstrip() + "\n"


def _exit_status() -> Iterator[str]:
    yield "| status | meaning |\n|---|---|"
    yield from (f"| {status} | {meaning} |" for status, meaning in EXIT_STATUS.items())


def _commands(group: click.Group, above: click.Context) -> Iterator[str]:
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None
        with click.Context(command, parent=above, info_name=name) as ctx:
            if isinstance(command, click.Group):
                yield f"\n## {name}\n\n{_help(command)}"
                yield from _commands(command, ctx)
            else:
                yield f"\n### {' '.join([ctx.command_path, *command.collect_usage_pieces(ctx)])}\n\n{_help(command)}\n"
                yield from _options(command, ctx)


def _help(command: click.Command) -> str:
    # Square brackets and pipes of types and metavars are in code spans; plain help needs no escaping.
    return "\n".join(line.strip() for line in (command.help or "").strip().splitlines())


def _options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(ctx)
        if record is not None and not getattr(parameter, "hidden", False):
            rows.append(f"| `{record[0].replace('|', ' ¦ ')}` | {' '.join(record[1].split())} |")
    if rows:
        yield "| option | |\n|---|---|"
        yield from rows


if __name__ == "__main__":
    main()
