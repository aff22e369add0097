"""The rows that need sockets: certificates, silent listeners, dropped packets, floods, pushes; through the command line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from tests.story.fault_scene import row
from tests.story.world import StoryLab, writes

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

NEW = "tappaas-litellm"
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
_MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""
CONTROLS = ("\x1b]", "\x9b", "\x07", "\u202e", "\x08")


@pytest.fixture(autouse=True)
def _no_fault_is_left(lab: StoryLab) -> Iterator[None]:
    yield
    lab.ok("lab", "clear", str(lab.lab))


def arm(lab: StoryLab, name: str, *words: str) -> None:
    lab.ok("lab", "fault", str(lab.lab), name, *words)


@pytest.mark.parametrize("certificate", ["self-signed", "expired", "wrong-name", "other-ca"])
@row("F13", "R11")
def test_a_certificate_that_proves_nothing_is_sent_no_token(lab: StoryLab, certificate: str) -> None:
    arm(lab, "tls", "--arg", f"certificate={certificate}")
    done, counters = lab.counted("clone", "tappaas-vllm")
    assert (done.code, "did not prove its identity" in done.text) == (8, True), done.text
    assert "compare the certificate" in done.text
    assert (counters["pve_reads"], writes(counters)) == (0, {})


@row("F14")
def test_a_token_that_died_is_said_to_be_dead(lab: StoryLab) -> None:
    arm(lab, "F14")
    done = lab.ends(8, "clone", "tappaas-vllm")
    assert "does not accept the API token" in done.text


@row("T10", "R10")
def test_a_jump_host_with_another_key_gets_no_login(lab: StoryLab) -> None:
    arm(lab, "T10", "--host", "tappaas-cicd")
    done, counters = lab.counted("hardware", "dns01")
    assert (done.code, "did not prove to be jump" in done.text) == (8, True), done.text
    assert counters["guest_commands"] == 0


@row("R10")
def test_a_guest_with_another_key_gets_no_command(lab: StoryLab) -> None:
    arm(lab, "R10", "--host", "docker01")
    lab.ok("lab", "reset-counters", str(lab.lab))
    done = lab.ends(8, "rebuild", "docker01")
    assert "did not prove to be docker01" in done.text
    assert writes(lab.control()["counters"]) == {}


@pytest.mark.slow
@row("T17")
def test_a_listener_that_says_nothing_is_given_up_in_time(lab: StoryLab) -> None:
    arm(lab, "T17", "--host", "docker01")
    began = time.monotonic()
    lab.ends(4, "rebuild", "docker01")
    assert time.monotonic() - began < 80


@pytest.mark.slow
@row("R2", "T17")
def test_a_network_that_drops_every_packet_is_noticed_within_twenty_seconds(lab: StoryLab) -> None:
    lab.commit("nix/common.nix", "[ pkgs.git ]", "[\n    pkgs.git\n    pkgs.htop\n  ]")
    arm(lab, "ssh-cut", "--host", "dns01", "--arg", "how=silent", "--arg", "command=systemd-run --unit=pvenix-activate")
    began = time.monotonic()
    done = lab.ends(0, "rebuild", "dns01", "-o", "jsonl")
    assert "was not confirmed; looking at its unit" in done.out
    assert done.out.count("systemd-run --unit=pvenix-activate") == 1
    assert time.monotonic() - began < 90
    site = lab.site
    assert site.boot_default("dns01")[1] == site.follow("dns01", "/run/current-system")


@row("T17")
def test_a_flood_and_a_line_without_end_are_read_to_their_ends(lab: StoryLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is printed only a bounded part is held: pvenix never takes 300 MB."""
    monkeypatch.setattr(lab, "command", (sys.executable, "-c", _MEASURED, *lab.command))
    for fault, mib in (("output-flood", 200), ("output-long-line", 50)):
        arm(lab, fault, "--host", "nix-cache01", "--arg", f"mib={mib}", "--arg", "command=nixos-generate-config")
        done = lab.pvenix("hardware", "nix-cache01")
        assert done.code in (0, 1), done.text
        assert "Traceback" not in done.text
        assert lab.control()["faults"] == []
        assert int(done.err.split()[-1]) * _MAXRSS_UNIT < 300e6


@row("T8")
def test_an_api_that_takes_six_seconds_is_waited_for(lab: StoryLab) -> None:
    arm(lab, "T8", "--arg", "path=/cluster/resources")
    began = time.monotonic()
    lab.ok("place", "tappaas-vllm")
    assert time.monotonic() - began > 6


@row("R5")
def test_somebody_else_s_push_is_kept_and_ours_comes_after_it(lab: StoryLab) -> None:
    lab.ends(3, "run", "playbooks/onboard.yaml", "-l", NEW)
    lab.git("fetch", "--quiet")
    proposed = lab.git("rev-parse", f"origin/registration/{NEW}")
    arm(lab, "push-race", "--arg", "branch=main", "--times", "2")
    done = lab.pvenix("review", "approve", NEW, proposed, "-m", "looked at", "--merge")
    lab.git("fetch", "--quiet")
    log = lab.git("log", "--format=%s", "origin/main")
    assert done.code == 0, done.text
    assert log.count("Somebody was faster") == 2
    assert lab.tried("git", "merge-base", "--is-ancestor", proposed, "origin/main").code == 0


@row("R5", "R6")
@pytest.mark.parametrize(("fault", "words"), [("push-refused", "frozen"), ("repository-full", "No space left")])
def test_a_repository_that_takes_nothing_is_quoted(lab: StoryLab, fault: str, words: str) -> None:
    tip = lab.tried("git", "ls-remote", "origin", "refs/heads/retire/docker01").out
    arm(lab, fault)
    done = lab.pvenix("retire", "docker01", "--confirm", "docker01", "--yes")
    assert done.code not in (0, 2), done.text
    assert words in done.text
    assert lab.tried("git", "ls-remote", "origin", "refs/heads/retire/docker01").out == tip


@row("T3", "T5", "T11", "T12", "R8", "R9")
@pytest.mark.parametrize("what", ["subject", "ref", "bomb"])
def test_a_branch_that_is_a_trap_is_listed_and_does_nothing(lab: StoryLab, what: str) -> None:
    arm(lab, "hostile-branch", "--arg", f"what={what}")
    began = time.monotonic()
    listed = lab.pvenix("review", "list")
    shown = lab.pvenix("review", "show", "web-099")
    assert time.monotonic() - began < 60
    for done in (listed, shown):
        assert "Traceback" not in done.text
        assert not [control for control in CONTROLS if control in done.text]
    assert listed.code == 0, listed.text
    assert not list(lab.folder.rglob("touch-owned"))
    assert not [word for word in listed.text.split() if word.startswith("-")]  # the name of a branch is never an option
