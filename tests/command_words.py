"""Whether the command line takes these words: they are parsed by its own parser, and nothing is run."""

from __future__ import annotations

import shlex

import click

from pvenix.cli.main import cli


def parsed(line: str) -> str:
    """The name of the command that a line as a shell takes it means; raises `click.UsageError` when it means none."""
    program, *words = shlex.split(line, comments=True)
    assert program == "pvenix", line
    command: click.Command | None = cli
    context = cli.make_context("pvenix", words)
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:
            break  # a group that does something by itself
        name, command, rest = command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    return context.command_path
