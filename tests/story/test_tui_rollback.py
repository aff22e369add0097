"""Going back by keys, at 80x24, in a terminal: what the picker and the plan said is what the far side runs afterwards."""

from __future__ import annotations

import pytest

from tests.story.terminal import Terminal
from tests.story.world import StoryLab

pytestmark = [pytest.mark.story, pytest.mark.tui, pytest.mark.timeout(300)]
HOSTS = ("dns01", "docker01")


def systems(lab: StoryLab, path: str) -> dict[str, str]:
    """What a link on each host leads to."""
    return {host: lab.ssh(host, "readlink", "-f", path) for host in HOSTS}


def test_two_hosts_go_back_each_to_its_own_and_one_of_them_only_when_it_boots(lab: StoryLab) -> None:
    earlier = systems(lab, "/nix/var/nix/profiles/system-1-link")
    now = systems(lab, "/run/current-system")
    with Terminal(cwd=lab.fleet, env=lab.env) as terminal:
        terminal.see("from main", "docker01")
        terminal.press("/", *":".join(HOSTS), "enter")
        terminal.see("Hosts 2/")
        terminal.press("*", "b")
        terminal.see("2 of 2 go back", "taken back")
        terminal.press("space")
        terminal.see("1 of 2 go back", "left out")
        terminal.press("enter")
        terminal.see("pvenix rollback docker01 --to 1", "Left as they are")
        terminal.confirm()
        terminal.see("ended exit 0", "+ changed")
        assert systems(lab, "/run/current-system") == {**now, "docker01": earlier["docker01"]}

        terminal.press("escape")
        terminal.see("Hosts 2/")
        terminal.press("\\", "g", "b")
        terminal.see("1 of 1 go back")
        terminal.press("m")
        terminal.see("How do they go back?")
        terminal.press("/", *"boot default, and", "enter")
        terminal.see("method at the next boot")
        terminal.press("g", "enter")  # another key between: enter twice at once counts as held down
        terminal.see("--boot")
        terminal.confirm()
        terminal.see("ended exit 0", "+ changed")
        assert terminal.leave() == 0
    assert lab.ssh("dns01", "readlink", "-f", "/run/current-system") == now["dns01"]
    assert lab.ssh("dns01", "readlink", "-f", "/nix/var/nix/profiles/system") == earlier["dns01"]
