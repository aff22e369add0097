"""Rebuild the fleet: once for a change, for nothing a second time, for one host that was changed by hand, past one failure."""

from __future__ import annotations

import json

import pytest

from tests.story.world import Done, StoryLab, writes

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

HOSTS = ("dns01", "docker01", "nix-cache01", "tappaas-cicd")
REBUILD = ("run", "playbooks/rebuild-all.yaml")
MARKERS = {"/var/lib/ledger": "in /var/lib\n", "/home/tappaas/notes": "in /home\n"}


@pytest.fixture(scope="module")
def changed(lab: StoryLab) -> str:
    """The commit that every host of the module's lab runs after one run of the playbook; users' files were there before."""
    for host in HOSTS:
        for path, text in MARKERS.items():
            sudo = () if path.startswith("/home") else ("sudo", "-n")
            lab.ssh(host, *sudo, "dd", f"of={path}", "status=none", text=text)
    commit = lab.commit("nix/common.nix", "[ pkgs.git ]", "[\n    pkgs.git\n    pkgs.htop\n  ]")
    lab.ok(*REBUILD)
    return commit


def in_order(lab: StoryLab, commit: str, *hosts: str) -> None:
    """Each host runs, boots and holds the commit, by the disk and over ssh."""
    site = lab.site
    for host in hosts:
        current = site.follow(host, "/run/current-system")
        assert site.revision(host, current) == commit
        assert site.ssh(host, "readlink", "-f", "/nix/var/nix/profiles/system").strip() == current
        assert site.boot_default(host)[1] == current
        assert site.ssh(host, "sudo", "-n", "git", "-C", "/etc/nixos", "rev-parse", "HEAD").strip() == commit
        assert site.ssh(host, "sudo", "-n", "git", "-C", "/etc/nixos", "status", "--porcelain") == ""


def test_every_registered_host_runs_and_boots_the_commit(lab: StoryLab, changed: str) -> None:
    in_order(lab, changed, *HOSTS)


def test_the_second_run_writes_nothing_anywhere(lab: StoryLab, changed: str) -> None:
    done, counters = lab.counted(*REBUILD)
    assert done.code == 0, done.text
    assert writes(counters) == {}
    in_order(lab, changed, *HOSTS)


def test_only_the_guest_that_was_changed_by_hand_is_named_and_repaired(lab: StoryLab, changed: str) -> None:
    before = {host: (lab.attempts(host), lab.generations(host)) for host in HOSTS}
    lab.ssh("dns01", "sudo", "-n", "dd", "of=/etc/nixos/nix/site.nix", "status=none", text="{ }\n")
    lab.ssh("docker01", "sudo", "-n", "/nix/var/nix/profiles/system-2-link/bin/switch-to-configuration", "test")

    check, counters = lab.counted(*REBUILD, "-C", "-o", "json")
    assert check.code == 3, check.text
    assert writes(counters) == {}
    assert pending(check) == {"dns01", "docker01"}

    repair = lab.pvenix(*REBUILD)
    assert repair.code == 0, repair.text
    in_order(lab, changed, *HOSTS)
    for host in ("nix-cache01", "tappaas-cicd"):
        assert (lab.attempts(host), lab.generations(host)) == before[host]
    assert lab.pvenix(*REBUILD, "-C").code == 0


def pending(check: Done) -> set[str]:
    """The hosts that a check says it would change."""
    return {host["host"] for host in json.loads(check.out)["hosts"] if host["status"] == "pending"}


def test_one_failing_build_is_shown_and_stops_nobody_else(lab: StoryLab, changed: str) -> None:
    lab.fault("build-fails", "dns01")
    commit = lab.commit("nix/common.nix", "pkgs.htop", "pkgs.htop\n    pkgs.tmux")
    done = lab.ends(1, *REBUILD)
    in_order(lab, commit, "docker01", "nix-cache01", "tappaas-cicd")
    assert lab.site.revision("dns01", lab.site.follow("dns01", "/run/current-system")) == changed
    failing = [line for line in done.text.splitlines() if "error:" in line]
    assert failing, done.text
    lab.ok(*REBUILD)
    in_order(lab, commit, *HOSTS)


def test_a_rollback_to_a_generation_and_forth_again(lab: StoryLab, changed: str) -> None:
    site = lab.site
    there = site.follow("dns01", "/run/current-system")
    lab.ok("rollback", "dns01", "--to", "2", "--yes")
    old = site.follow("dns01", "/nix/var/nix/profiles/system-2-link")
    assert old != there
    assert site.ssh("dns01", "readlink", "-f", "/run/current-system").strip() == old
    assert site.boot_default("dns01") == ("nixos-generation-2.conf", old)
    assert changed
    lab.ok("rebuild", "dns01")
    assert site.follow("dns01", "/run/current-system") == there
    assert "no generation 99" in lab.ends(1, "rollback", "dns01", "--to", "99").out


def test_the_lock_of_a_git_that_was_killed_holds_up_no_rebuild(lab: StoryLab, changed: str) -> None:
    commit = lab.commit("nix/common.nix", "pkgs.tmux", "pkgs.tmux\n    pkgs.jq")
    assert commit != changed
    lab.ssh("dns01", "sudo", "-n", "touch", "/etc/nixos/.git/index.lock")
    assert "left its lock" in lab.ok("rebuild", "dns01").text
    in_order(lab, commit, "dns01")


def test_the_users_files_survived_all_of_it(lab: StoryLab, changed: str) -> None:
    assert changed
    for host in HOSTS:
        for path, text in MARKERS.items():
            assert lab.ssh(host, "sudo", "-n", "cat", path) + "\n" == text
