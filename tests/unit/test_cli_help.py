"""The help: complete, with an example for every command, and cheap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pvenix.cli.catalogue import COMMANDS
from pvenix.cli.lazy import Command, Group
from pvenix.cli.main import cli
from tests.unit.cli_fake import Cli


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command | Group]]:
    """Every command below `group` with its path."""
    context = click.Context(group)
    for name in COMMANDS if group is cli else group.list_commands(context):
        command = group.get_command(context, name)
        assert isinstance(command, Command | Group)
        yield (*path, name), command
        if isinstance(command, Group):
            yield from commands(command, (*path, name))


ALL = dict(commands(cli))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...], tmp_path: Path) -> None:
    command = ALL[path]
    assert command.help
    assert any(path[0] in example for example in command.examples)
    result = Cli(tmp_path / "fleet")(*path, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.stdout


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_and_argument_says_what_it_is_for(path: tuple[str, ...]) -> None:
    context = click.Context(ALL[path], info_name=path[-1])
    texts = {param.name: getattr(param, "help", None) for param in ALL[path].get_params(context)}
    assert not [name for name, text in texts.items() if not text]


def test_the_root_lists_every_command(tmp_path: Path) -> None:
    shown = Cli(tmp_path / "fleet")("--help").stdout
    for name, entry in COMMANDS.items():
        assert (f"  {name} " in shown) == bool(entry.section)


def test_without_a_command_the_help_is_shown_and_the_exit_code_is_2(tmp_path: Path) -> None:
    result = Cli(tmp_path / "fleet")()
    assert (result.exit_code, "Usage: pvenix" in result.stderr) == (2, True)


@pytest.mark.parametrize(("wrong", "right"), [("rebuid", "rebuild"), ("invntory", "inventory")])
def test_a_misspelt_command_is_answered_with_the_nearest(wrong: str, right: str, tmp_path: Path) -> None:
    result = Cli(tmp_path / "fleet")(wrong)
    assert (result.exit_code, f"'{right}'?" in result.stderr) == (2, True)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_scripts_are_printed(shell: str, tmp_path: Path) -> None:
    assert "_PVENIX_COMPLETE" in Cli(tmp_path / "fleet")("completion", shell).stdout
