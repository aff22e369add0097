"""Commands of one shape: examples in the help, global options accepted anywhere, modules imported on use."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import click
from typing_extensions import override

from pvenix.cli.catalogue import COMMANDS, SECTIONS
from pvenix.cli.settings import GlobalOption, global_options


class _Shaped(click.Command):
    """A command whose help shows examples before options, and global options apart from its own."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.params = [*self.params, *global_options()]

    @override
    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"{'':{formatter.current_indent}}{example}\n" for example in self.examples))

    @override
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        everywhere: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = None if isinstance(param, click.Argument) else param.get_help_record(ctx)
            if record is not None:
                (everywhere if isinstance(param, GlobalOption) else own).append(record)
        for title, records in (("Options", own), ("Global options", everywhere)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Command(_Shaped):
    """A command; its callback returns the exit code, or None for success."""


class Group(_Shaped, click.Group):
    """A command with sub-commands of the same shape."""

    command_class = Command

    @override
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _Shaped.format_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


class LazyGroup(Group):
    """The root: finds its commands through the catalogue."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, entry in COMMANDS.items() if entry.section]

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"pvenix.cli.commands.{entry.module}")
        command: click.Command = module.verb_command(cmd_name) if entry.module == "verbs" else module.command
        return command

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=self.list_commands(ctx), ctx=ctx) from None

    @override
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        _Shaped.format_options(self, ctx, formatter)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in SECTIONS:
            rows = [(name, entry.help) for name, entry in COMMANDS.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)
