"""The page "from zero" is what pvenix does: its pveum lines are those of `pvenix doctor`, its hosts and playbooks are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pvenix.checkup import pveum_lines
from pvenix.fleet.load import load_fleet
from pvenix.fleet.playbook import load_playbook
from pvenix.model.privileges import Level

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/from-zero.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the page is part of the checkout, not of the wheel")


def typed() -> list[str]:
    """The lines of the page's blocks."""
    return [line.strip() for line in PAGE.read_text().splitlines() if line.startswith("    ")]


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
