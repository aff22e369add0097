"""`pvenix completion SHELL`."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from pvenix.cli.lazy import Command

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command(
    "completion",
    cls=Command,
    examples=(
        'eval "$(pvenix completion bash)"                                     in ~/.bashrc',
        'eval "$(pvenix completion zsh)"                                      in ~/.zshrc',
        "pvenix completion fish > ~/.config/fish/completions/pvenix.fish",
    ),
)
@click.argument("shell", type=click.Choice(list(SHELLS)), help="The shell to complete in.")
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    click.echo(SHELLS[shell](ctx.find_root().command, {}, "pvenix", "_PVENIX_COMPLETE").source())
