"""A person who stops a run: what runs ends first or is named, the terminal is as it was, and `resume` goes on."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.story.person import AtTerminal
from tests.story.world import StoryLab, until

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

FIRST, SECOND = "dns01", "docker01"


@pytest.fixture(autouse=True)
def commit(lab: StoryLab) -> str:
    """Something to activate for every host."""
    return lab.commit("nix/common.nix", "[ pkgs.git", "[ pkgs.git pkgs.hello")


def runs_on(lab: StoryLab, host: str, commit: str) -> bool:
    site = lab.site
    return site.revision(host, site.follow(host, "/run/current-system")) == commit


def begun(lab: StoryLab, *hosts: str) -> AtTerminal:
    """A rebuild at a terminal whose first host is activating until it is released, one host at a time."""
    lab.fault("activation-slow", FIRST, seconds=120)
    person = AtTerminal(lab, "rebuild", ":".join(hosts), "-f", "1")
    until(lambda: "pvenix-activate-" in lab.ssh(FIRST, "systemctl", "list-units", "--all", "--plain", "--no-legend"))
    return person


def last(lab: StoryLab) -> dict[str, Any]:
    found: dict[str, Any] = lab.ask("runs", "list", "-n", "1")["runs"][0]
    return found


@pytest.mark.parametrize("how", ["ctrl-c", "TERM"])
def test_told_once_no_further_step_starts_and_what_runs_ends_well(lab: StoryLab, commit: str, how: str) -> None:
    person = begun(lab, FIRST, SECOND)
    if how == "ctrl-c":
        person.presses_ctrl_c()
    else:
        os.kill(person.process.pid, signal.SIGTERM)
    person.sees("no further step starts")
    lab.release()
    person.ends(130)
    assert runs_on(lab, FIRST, commit)
    assert not runs_on(lab, SECOND, commit)
    lab.ok("resume", "last")
    assert runs_on(lab, SECOND, commit)


def test_told_twice_it_lets_go_and_names_the_units_that_are_left(lab: StoryLab, commit: str) -> None:
    person = begun(lab, FIRST, SECOND)
    person.presses_ctrl_c()
    person.sees("no further step starts")
    person.presses_ctrl_c()
    person.sees("left before its end")
    person.ends(130)
    run = last(lab)
    assert run["state"] == "interrupted"
    units = lab.ssh(FIRST, "systemctl", "list-units", "--all", "--plain", "--no-legend")
    named = [word.rstrip(",") for word in person.shown.split() if word.startswith("pvenix-activate-")]
    assert named
    assert all(unit in units for unit in named)
    assert f"pvenix resume {run['run']}" in person.shown
    lab.release()
    lab.ok("resume", "last")
    assert [runs_on(lab, host, commit) for host in (FIRST, SECOND)] == [True, True]


def test_a_closed_window_ends_what_runs_and_starts_nothing_more(lab: StoryLab, commit: str) -> None:
    person = begun(lab, FIRST, SECOND)
    person.closes_the_window()
    lab.release()
    assert person.process.wait(timeout=60) == 130
    assert runs_on(lab, FIRST, commit)
    assert not runs_on(lab, SECOND, commit)
    run = last(lab)
    assert (run["state"], run["exit_code"]) == ("ended", 130)
    lab.ok("resume", "last")
    assert runs_on(lab, SECOND, commit)


def test_a_laptop_that_slept_longer_than_the_dead_man_finds_the_old_system_and_says_so(
    lab: StoryLab, commit: str
) -> None:
    old = lab.site.follow(FIRST, "/run/current-system")
    lab.fault("activation-slow", FIRST, seconds=120)
    rebuild = lab.start("rebuild", FIRST, "--set", "update.confirm_timeout=20s")
    until(lambda: "pvenix-deadman-" in lab.ssh(FIRST, "systemctl", "list-units", "--all", "--plain", "--no-legend"))
    rebuild.send_signal(signal.SIGSTOP)
    lab.release()
    until(lambda: lab.site.follow(FIRST, "/run/current-system") != old)
    until(lambda: lab.site.follow(FIRST, "/run/current-system") == old)
    rebuild.send_signal(signal.SIGCONT)
    done = lab.finish(rebuild)
    assert done.code == 6, done.text
    assert not runs_on(lab, FIRST, commit)
    assert lab.site.boot_default(FIRST)[1] == old
