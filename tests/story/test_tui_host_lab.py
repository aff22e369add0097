"""A host looked at closely by keys, at 80x24, in a terminal; what became of its edits is read from the far side."""

from __future__ import annotations

import pytest

from pvenix.model.paths import host_file
from pvenix_tui.models.hosttabs import Tab
from tests.story.terminal import Terminal
from tests.story.world import StoryLab

pytestmark = [pytest.mark.story, pytest.mark.tui, pytest.mark.timeout(300)]
HOST = "dns01"
TABS = {
    Tab.HARDWARE: "the generator writes exactly this now",
    Tab.CLOUD_INIT: "user-data as the drive has it now",
    Tab.UNITS: "unbound.service",
    Tab.JOURNAL: "systemd[1]: Started",
    Tab.PROXMOX: "running",
}
"""What a tab shows that was read from the far side."""


def to_tab(terminal: Terminal, tab: Tab, shown: str) -> None:
    """Choose a tab by its name."""
    terminal.press("t")
    terminal.see("Which tab?")
    terminal.press(*tab.value, "enter")
    terminal.see(f"[{tab.label}]", shown)


def test_edits_are_looked_at_adopted_and_overwritten_by_keys_and_every_tab_answers(lab: StoryLab) -> None:
    own = f"/etc/nixos/{host_file(HOST)}"
    lab.ssh(HOST, "sudo", "-n", "dd", f"of={own}", "oflag=append", "conv=notrunc", "status=none", text="# by hand\n")
    with Terminal(cwd=lab.fleet, env=lab.env) as terminal:
        terminal.see("~ drifted", HOST)
        terminal.press("/", *HOST, "enter")
        terminal.see("Hosts 1/")
        terminal.press("d")
        terminal.see("DRIFT 1", "+# by hand", "a adopt")
        terminal.press("a")
        terminal.see(f"pvenix drift adopt {HOST}")
        terminal.confirm()
        terminal.see("ended exit 0", "+ changed")
        lab.git("fetch", "--quiet")
        assert lab.git("show", f"origin/edits/{HOST}:{host_file(HOST)}").endswith("# by hand")

        terminal.press("escape")
        terminal.see("[Drift]", "+# by hand")
        terminal.press("W")
        terminal.see("goes into a git stash")
        terminal.confirm()
        terminal.see("ended exit 0", "+ changed")
        assert lab.ssh(HOST, "sudo", "-n", "git", "-C", "/etc/nixos", "status", "--porcelain") == ""
        terminal.press("escape")
        terminal.see("no edits: /etc/nixos is as")

        for tab, shown in TABS.items():
            to_tab(terminal, tab, shown)
        assert terminal.leave() == 0


def test_lines_of_a_journal_show_as_they_come(lab: StoryLab) -> None:
    with Terminal(cwd=lab.fleet, env=lab.env) as terminal:
        terminal.see("+ in sync", HOST)
        terminal.press("escape")  # a filter of the last window is remembered
        terminal.see("Hosts 6/6")
        terminal.press("/", *HOST, "enter")
        terminal.see("Hosts 1/")
        terminal.press("enter")
        terminal.see("[Facts]")
        to_tab(terminal, Tab.JOURNAL, "Started sshd.service")
        terminal.press("f")
        terminal.see("following")
        lab.ssh(HOST, "sudo", "-n", "systemctl", "restart", "unbound.service")
        terminal.see("Stopped unbound.service")
        assert terminal.leave() == 0
