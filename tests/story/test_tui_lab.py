"""The life of a host by keys, at 80x24, in a terminal; what became of it is read from the far side."""

from __future__ import annotations

import sys

import pytest

from pvenix.model.verbs import ONBOARDING
from tests.story.terminal import Terminal
from tests.story.world import StoryLab

pytestmark = [pytest.mark.story, pytest.mark.tui, pytest.mark.timeout(300)]
HOST = "tappaas-litellm"
BEFORE_REVIEW = ONBOARDING[: ONBOARDING.index("review") + 1]
FROM_REVIEW = ONBOARDING[ONBOARDING.index("review") :]


def step_through(terminal: Terminal, verbs: tuple[str, ...]) -> None:
    """Let each step go on when it waits for it."""
    for verb in verbs:
        terminal.see_that(
            lambda screen, verb=verb: (
                any(  # type: ignore[misc] # a default argument binds the loop's value
                    "! waiting" in line and f"/{len(ONBOARDING)} {verb}" in line for line in screen.splitlines()
                )
                and f"enter starts {verb}" in screen
            ),
            f"{verb} waiting to go on",
        )
        terminal.press("c")


def to_host(terminal: Terminal) -> None:
    """Leave only the host in the table."""
    terminal.press("/", *HOST, "enter")
    terminal.see("Hosts 1/6", f"filter: {HOST}")


def leave(terminal: Terminal) -> None:
    """From the table of hosts, with the whole fleet in it: the next window begins where this one was, with its filter."""
    terminal.press("escape")
    terminal.see("Hosts 6/6")
    assert terminal.leave() == 0


def approve(terminal: Terminal) -> None:
    """Read every file of the registration, and approve it."""
    terminal.press("v")
    terminal.see(f"registration/{HOST}", "+ pass", ". open")
    terminal.press("tab")
    files = (f"inventory/trust/{HOST}", f"nix/hardware/{HOST}-hw.nix", f"nix/hosts/{HOST}.nix")
    for seen, path in enumerate(files, start=1):
        terminal.see(f"─ {path}")  # what was never on the screen was not read
        terminal.press_until(f"seen {seen}/3", "ctrl+d")
        terminal.press("}")
    terminal.press("escape")  # from the differences to the list
    terminal.see("Files  seen 3/3")
    terminal.press("A")
    terminal.confirm()
    terminal.see("+ approved")


def roll_back(terminal: Terminal) -> None:
    """Back to the generation before the one that runs, once what changes was read to its end."""
    terminal.press("b")
    terminal.see("1 of 1 go back", "the previous one", "runs now")
    terminal.press("enter")
    terminal.see("pvenix rollback", "taken back")
    terminal.confirm()
    terminal.see("ended exit 0", "+ changed")


def test_a_host_is_onboarded_reviewed_and_rolled_back_by_keys(lab: StoryLab) -> None:
    with Terminal(cwd=lab.fleet, env=lab.env) as terminal:
        terminal.see("no VM", "from main", HOST)
        to_host(terminal)

        terminal.press("o")
        terminal.see("before every step")
        terminal.confirm()
        step_through(terminal, BEFORE_REVIEW)
        terminal.see("waits for review", "v reviews and merges it here")
        assert lab.git("ls-remote", "origin", f"registration/{HOST}")

        approve(terminal)

        terminal.press("escape")
        terminal.see("waits for review")
        terminal.press("r")
        step_through(terminal, FROM_REVIEW)
        terminal.see(f"{HOST} is part of the fleet")
        main = lab.git("ls-remote", "origin", "refs/heads/main").split()[0]
        assert lab.ssh(HOST, "sudo", "-n", "git", "-C", "/etc/nixos", "rev-parse", "HEAD") == main
        onboarded = lab.ssh(HOST, "readlink", "-f", "/run/current-system")

        terminal.press("escape")
        terminal.see("! reboot needed")  # the initrd has other modules than the template's, which still runs
        roll_back(terminal)
        back = lab.ssh(HOST, "readlink", "-f", "/run/current-system")
        assert back != onboarded
        assert back == lab.ssh(HOST, "readlink", "-f", "/nix/var/nix/profiles/system")

        terminal.press("2")
        terminal.see("rollback tappaas-lit", "onboard tappaas-lite")
        terminal.press("1")
        terminal.see("[1 Fleet]", "ended exit 0")
        terminal.press("escape")
        terminal.see("Hosts 1/6")
        leave(terminal)


def name_it(terminal: Terminal, name: str) -> None:
    """Give the snapshot its name in the options, and take it."""
    terminal.press("o")
    terminal.see("Options of snapshot")
    terminal.press("enter")
    terminal.see("leave it empty")
    terminal.press(*name, "enter")
    terminal.see(f"--name {name}")
    terminal.confirm()
    terminal.see("ended exit 0", "+ changed")


def test_a_snapshot_is_taken_and_gone_back_to_by_keys(lab: StoryLab) -> None:
    host, name = "nix-cache01", "by-keys"

    def choose(terminal: Terminal, verb: str) -> None:
        terminal.press("x")
        terminal.see(f"Verbs for {host}")
        terminal.press(*verb[:4])
        terminal.see(f"pvenix {verb} {host}")
        terminal.press("enter")

    def files() -> list[str]:
        return lab.ssh(host, "ls", "-1", "/home/tappaas").split()

    with Terminal(cwd=lab.fleet, env=lab.env) as terminal:
        terminal.see("from main", host)
        terminal.press("/", *"cache", "enter")
        terminal.see("running", "filter: cache")

        choose(terminal, "snapshot")
        terminal.see("y start: snapshot")
        name_it(terminal, name)
        lab.ssh(host, "touch", "/home/tappaas/after")
        assert "after" in files()

        terminal.press("1")
        terminal.see("Hosts 1/", "read ")
        choose(terminal, "restore")
        terminal.see(f"Put {host} back to which snapshot?", name, "ours")
        terminal.press("down", "enter")  # another key between, as above
        terminal.see("At stake what VM", f"type {host} first")
        terminal.press(*host)
        terminal.confirm()
        terminal.see("ended exit 0", "+ changed")
        assert "after" not in files()
        terminal.press("1")
        terminal.see("Hosts 1/6")
        leave(terminal)


def test_leaving_in_mid_run_leaves_the_run_at_work_and_coming_back_finds_it(lab: StoryLab) -> None:
    with Terminal(cwd=lab.fleet, env=lab.env) as terminal:
        terminal.see("from main", "nix-cache01")
        terminal.press("/", *"nix-cache", "enter", "x")
        terminal.see("Verbs for nix-cache01")
        terminal.press(*"preflight", "enter")
        terminal.see("Command  pvenix preflight")
        terminal.press("s")
        terminal.see("Pauses   before every step")
        terminal.see("y start: ")
        terminal.confirm()
        terminal.see("! waiting", "waiting to go on")
        terminal.press("q")
        terminal.see("will go on without this window")
        terminal.confirm(" leave   esc no")
        assert terminal.end() == 0
    with Terminal(cwd=lab.fleet, env=lab.env) as again:
        again.see("1 live", "c starts preflight")  # the run that was open when the window before it was left
        again.press("2")
        again.see("waits for a person: enter opens it")
        again.press("enter")
        again.see("c starts preflight")
        again.press("c")
        again.see("ended exit 0")
        assert again.leave() == 0


def test_without_a_fleet_both_ways_on_are_named_and_nothing_is_started(lab: StoryLab) -> None:
    done = lab.tried("env", "-C", "/", sys.executable, "-m", "pvenix_tui.entry")
    assert done.code == 2
    assert "--lab" in done.err
    assert "pvenix init" in done.err
    assert "Traceback" not in done.err
