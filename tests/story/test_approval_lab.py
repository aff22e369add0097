"""A risky change at a terminal and without one, over real sockets: asked at once, left waiting, approved by another command."""

from __future__ import annotations

import pytest

from tests.story.person import AtTerminal
from tests.story.world import StoryLab

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

HOST = "docker01"


def boot_of(lab: StoryLab) -> str:
    return lab.ssh(HOST, "cat", "/proc/sys/kernel/random/boot_id").strip()


def test_a_reboot_is_asked_about_at_the_terminal_and_can_be_approved_later(lab: StoryLab) -> None:
    boot = boot_of(lab)
    words = ("run", "playbooks/maintenance.yaml", "-l", HOST, "--start-at-task", "reboot")
    person = AtTerminal(lab, *words)
    person.sees(f"approve it for {HOST}? [y/N]: ")
    assert "reboots" in person.shown
    assert f"of exactly boot {boot}" in person.shown
    person.types("")  # which is no
    person.ends(10)
    assert boot_of(lab) == boot
    done = lab.ends(0, "approve", "last", "-m", "agreed")
    assert "booted anew" in done.out
    assert ": agreed" in done.err
    assert boot_of(lab) != boot
