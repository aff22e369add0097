"""The page "from zero" is what pvenix does: its commands exist, and its pveum lines are those of `pvenix doctor`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from pvenix.checkup import pveum_lines
from pvenix.cli.main import cli
from pvenix.fleet.load import load_fleet
from pvenix.fleet.playbook import load_playbook
from pvenix.model.privileges import Level

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/from-zero.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the page is part of the checkout, not of the wheel")


def typed() -> list[str]:
    """The lines of the page's blocks."""
    return [line.strip() for line in PAGE.read_text().splitlines() if line.startswith("    ")]


def parsed(words: list[str]) -> click.Context:
    """The command that the words name, its options parsed; nothing is done."""
    context = cli.make_context("pvenix", words, resilient_parsing=True)
    command: click.Command = cli
    rest = words
    while isinstance(command, click.Group):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None, words
        command = found
        if not isinstance(command, click.Group):
            return command.make_context(command.name, rest, parent=context)
    raise AssertionError(words)


def test_every_command_of_the_page_exists() -> None:
    commands = [shlex.split(line)[1:] for line in typed() if line.startswith("pvenix ")]
    assert len(commands) > 15
    for words in commands:
        parsed(words)
    with pytest.raises(click.UsageError):
        parsed(["doctor", "--no-such-option"])


def test_the_pveum_lines_are_those_that_doctor_prints_for_the_starter_fleet() -> None:
    wanted = list(pveum_lines(load_fleet(ROOT), Level.PROVISIONER, 9))
    assert [line for line in typed() if line.startswith("pveum ")] == wanted, "see: pvenix doctor --lines 9"


def test_hosts_playbooks_and_tags_of_the_page_are_there() -> None:
    hosts = load_fleet(ROOT).hosts
    for line in typed():
        for name in re.findall(r"(?:-l|review \w+|review approve) (\S+)", line):
            assert name in hosts or name == "dns02", line
        for path in re.findall(r"playbooks/\S+\.yaml", line):
            tags = {tag for play in load_playbook(ROOT / path, ROOT) for task in play.tasks for tag in task.tags}
            assert set(re.findall(r"-t (\S+)", line)) <= tags, line
