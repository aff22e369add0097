"""Contact that is lost while a host activates: a cut is re-attached, a closed port 22 undoes itself on the target."""

from __future__ import annotations

import pytest

from tests.story.world import StoryLab

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", autouse=True)
def commit(lab: StoryLab) -> str:
    """Something to activate for every host."""
    return lab.commit("nix/common.nix", "[ pkgs.git ]", "[\n    pkgs.git\n    pkgs.htop\n  ]")


def test_an_ssh_cut_in_mid_activation_is_unknown_then_reattached_and_judged(lab: StoryLab, commit: str) -> None:
    lab.fault("ssh-cut-during-activation", "dns01")
    done = lab.ends(0, "rebuild", "dns01", "-o", "jsonl")
    assert "unknown: " in done.out
    assert "re-attaching" in done.out
    site = lab.site
    current = site.follow("dns01", "/run/current-system")
    assert site.revision("dns01", current) == commit
    assert site.boot_default("dns01")[1] == current
    assert len(list((lab.tree("dns01") / "var/lib/pvenix").glob("*/activate.log"))) == 1


def test_a_system_that_closes_port_22_undoes_itself(lab: StoryLab, commit: str) -> None:
    site = lab.site
    old = site.follow("docker01", "/run/current-system")
    lab.fault("port-closed-by-new-system", "docker01")
    done = lab.ends(6, "rebuild", "docker01", "--set", "update.confirm_timeout=10s")
    assert "rolled back" in done.text
    assert site.ssh("docker01", "readlink", "-f", "/run/current-system").strip() == old
    assert site.boot_default("docker01")[1] == old
    assert site.follow("docker01", "/nix/var/nix/profiles/system") == old
    assert lab.ask("status", "docker01")["status"][0]["sync"] == "behind"
    mended = lab.commit("nix/common.nix", "pkgs.htop", "pkgs.htop\n    pkgs.tmux")
    assert mended != commit
    lab.ok("rebuild", "docker01")
    assert site.revision("docker01", site.follow("docker01", "/run/current-system")) == mended


def test_a_system_with_a_failed_unit_is_taken_back(lab: StoryLab) -> None:
    site = lab.site
    old = site.follow("nix-cache01", "/run/current-system")
    lab.fault("unit-fails", "nix-cache01")
    lab.ends(6, "rebuild", "nix-cache01")
    assert site.ssh("nix-cache01", "readlink", "-f", "/run/current-system").strip() == old
    assert site.boot_default("nix-cache01")[1] == old


def test_a_host_that_does_not_answer_is_unreachable_and_the_others_go_on(lab: StoryLab) -> None:
    lab.switch_off("nix-cache01")
    done = lab.ends(4, "rebuild", "nix-cache01", "tappaas-cicd")
    assert "unreachable" in done.text
    site = lab.site
    assert site.revision("tappaas-cicd", site.follow("tappaas-cicd", "/run/current-system")) == site.main
