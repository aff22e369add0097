"""Writes docs/cli.md, the reference of the command line, from the commands themselves; `--check` only compares."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from pvenix.cli.catalogue import COMMANDS, SECTIONS
from pvenix.cli.main import cli
from pvenix.cli.settings import GlobalOption, global_options
from pvenix.model.errors import ExitCode

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
HEAD: Final = """# Command line

Written by `python tools/gen_cli_docs.py` from the commands themselves; do not edit.

Results go to stdout, talk goes to stderr. `-o json` prints one document with a `schema`, `-o jsonl` one object a line;
an error is then a document `pvenix/error/v1` too.
"""
MEANINGS: Final = {
    ExitCode.OK: "done, or nothing to do",
    ExitCode.FAILED: "failed on at least one host",
    ExitCode.USAGE: "the command line, the inventory or a playbook is invalid",
    ExitCode.CHANGES: "`plan`, `--check`: something would change; otherwise: a registration waits for its review",
    ExitCode.UNREACHABLE: "a host or Proxmox did not answer",
    ExitCode.UNKNOWN: "an effect may or may not have happened; `pvenix resume` looks",
    ExitCode.ROLLED_BACK: "a host is back on its earlier system",
    ExitCode.LOCKED: "another run holds the lock",
    ExitCode.REFUSED: "authentication, host key, TLS or permission was refused",
    ExitCode.LOCAL: "this machine cannot keep its records (disk, files)",
    ExitCode.APPROVAL: "a risky change waits for `pvenix approve`; nothing else went wrong",
    ExitCode.WINDOW: "a change waits for its host's window: `pvenix resume` then, or with `--now`",
    ExitCode.INTERRUPTED: "interrupted, or a change was rejected",
}


def main() -> int:
    """0 when the page is written, or with --check when it is up to date."""
    text = page()
    if "--check" in sys.argv[1:]:
        fresh = PAGE.is_file() and PAGE.read_text() == text
        print(f"{PAGE.name} is {'up to date' if fresh else 'stale: python tools/gen_cli_docs.py'}")
        return 0 if fresh else 1
    PAGE.write_text(text)
    return 0


def page() -> str:
    """The whole reference."""
    parts = [HEAD, "## Options of every command\n", _table(_options(global_options()))]
    parts += ["## Exit codes\n", "A run exits with the worst one of its hosts.\n"]
    parts.append(_table([(str(int(code)), text) for code, text in MEANINGS.items()], ("Code", "Meaning")))
    for section in SECTIONS:
        parts.append(f"## {section}\n")
        for name, entry in COMMANDS.items():
            if entry.section == section:
                parts += _command(click.Context(cli, info_name="pvenix"), name, cli)
    return "\n".join(parts).rstrip() + "\n"


def _command(parent: click.Context, name: str, group: click.Group) -> Iterator[str]:
    command = group.get_command(parent, name)
    if command is None:
        raise KeyError(name)
    context = click.Context(command, info_name=name, parent=parent)
    yield f"### {context.command_path}\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    yield f"```console\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
    yield "Examples:\n"
    yield "```console\n" + "".join(f"{line}\n" for line in getattr(command, "examples", ())) + "```\n"
    own = [param for param in command.params if not isinstance(param, GlobalOption)]
    arguments = [
        (f"`{each.make_metavar(context)}`", each.help or "") for each in own if isinstance(each, click.Argument)
    ]
    yield from [_table(arguments, ("Argument", ""))] if arguments else []
    options = _options([each for each in own if isinstance(each, click.Option)])
    yield from [_table(options)] if options else []
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            yield from _command(context, child, command)


def _options(params: list[click.Parameter] | list[click.Option]) -> list[tuple[str, str]]:
    context = click.Context(cli, info_name="pvenix", terminal_width=1000)
    records = [param.get_help_record(context) for param in params]
    return [(f"`{record[0]}`", record[1]) for record in records if record is not None]


def _table(rows: list[tuple[str, str]], header: tuple[str, str] = ("Option", "")) -> str:
    lines = [header, ("---", "---"), *rows]
    return "".join(
        f"| {left.replace('|', chr(92) + '|')} | {right.replace('|', chr(92) + '|')} |\n" for left, right in lines
    )


if __name__ == "__main__":
    raise SystemExit(main())
