"""Entry point of `tandemctl`: the generated commands, and the hand-written `version` and `completion`.

Must not: hold anything about the API.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import traceback
from collections.abc import Sequence

import click
from click.shell_completion import get_completion_class

from clients.cli import api, facts
from clients.cli.build import PROGRAM, build

_COMPLETE_VARIABLE = f"_{PROGRAM.upper()}_COMPLETE"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit. Anything unforeseen ends with status 70 and its traceback on stderr."""
    # gRPC's C core writes its own log to stderr; what a user needs of it is in our errors.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        command_line(api.installed()).main(arguments, prog_name=PROGRAM, complete_var=_COMPLETE_VARIABLE)
    except Exception:
        traceback.print_exc()
        click.echo("error: internal error of tandemctl\nhint: report it, with the lines above", err=True)
        sys.exit(facts.INTERNAL)


def command_line(descriptors: bytes) -> click.Group:
    """All commands, for the API in this serialised FileDescriptorSet."""
    root = build(api.load(descriptors))
    root.add_command(version)
    root.add_command(completion)
    return root


@click.command()
def version() -> None:
    """Show the version of tandemctl; that of the daemon is in `system get-status`."""
    click.echo(f"{PROGRAM} {importlib.metadata.version('tandemd')}")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands.

    For bash: tandemctl completion bash > ~/.local/share/bash-completion/completions/tandemctl
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, PROGRAM, _COMPLETE_VARIABLE).source())


if __name__ == "__main__":
    main()
