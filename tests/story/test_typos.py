"""A typo is told where it stands, what is wrong and what was meant; nobody sees a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.story.world import StoryLab

pytestmark = pytest.mark.story


@dataclass(frozen=True, slots=True, kw_only=True)
class Typo:
    """A text of a file, what it becomes, where the finding must point, and the word that was meant."""

    file: str
    old: str
    new: str
    meant: str
    command: tuple[str, ...] = ("validate",)


TYPOS = {
    "host file, unknown field": Typo(
        file="inventory/host_vars/tappaas-vllm.yaml", old="proxmox:", new="proxmx:", meant="proxmox"
    ),
    "host file, unknown role": Typo(
        file="inventory/hosts.yaml", old="roles: [base, dns]", new="roles: [base, dsn]", meant="dns"
    ),
    "host file, unknown class": Typo(file="inventory/hosts.yaml", old="class: gpu", new="class: gpuu", meant="gpu"),
    "site, unknown key": Typo(file="inventory/site.yaml", old="templates:", new="tempaltes:", meant="templates"),
    "playbook, unknown verb": Typo(file="playbooks/onboard.yaml", old="cloudinit:", new="cloudint:", meant="cloudinit"),
    "playbook, unknown keyword": Typo(
        file="playbooks/rebuild-all.yaml",
        old="max_fail_percentage:",
        new="max_fail_percent:",
        meant="max_fail_percentage",
        command=("run", "playbooks/rebuild-all.yaml", "-C"),
    ),
}


@pytest.fixture(params=[*TYPOS.values()], ids=[*TYPOS])
def typo(request: pytest.FixtureRequest, lab: StoryLab) -> Iterator[tuple[Typo, str]]:
    """A fleet with one typo, and `line:column` of it."""
    one: Typo = request.param
    file = lab.fleet / one.file
    good = file.read_text()
    assert one.old in good
    before = good[: good.index(one.old) + len(_common(one.old, one.new))]
    file.write_text(good.replace(one.old, one.new, 1))
    yield one, f"{one.file}:{before.count(chr(10)) + 1}:"
    file.write_text(good)


def _common(old: str, new: str) -> str:
    length = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), len(old))
    return old[:length]


def test_a_typo_is_told_with_its_place_and_the_nearest_match(lab: StoryLab, typo: tuple[Typo, str]) -> None:
    one, place = typo
    done = lab.ends(2, *one.command)
    assert re.search(re.escape(place) + r"[0-9]+\b", done.text), done.text
    assert one.meant in done.text.replace(one.new, "")


def test_a_command_for_an_unknown_host_names_the_nearest_one(lab: StoryLab) -> None:
    done = lab.ends(2, "status", "dns1")
    assert "dns01" in done.text


def test_an_unknown_playbook_names_the_nearest_one(lab: StoryLab) -> None:
    done = lab.ends(2, "run", "playbooks/rebuild_all.yaml")
    assert "playbooks/rebuild-all.yaml" in done.text


def test_a_directory_without_a_fleet_is_told_both_ways_to_get_one(lab: StoryLab, tmp_path: Path) -> None:
    done = lab.pvenix("status", cwd=tmp_path)
    assert done.code == 2
    assert "pvenix init" in done.text
    assert "--lab" in done.text
