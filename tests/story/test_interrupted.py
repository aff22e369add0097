"""A run whose process is killed is finished by `pvenix resume`, and nothing is done twice."""

from __future__ import annotations

import pytest

from tests.story.world import StoryLab, until

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

NEW = "tappaas-vllm"


def activating(lab: StoryLab, host: str) -> bool:
    """True while the activation unit of an attempt runs on the host, as systemd there says."""
    return "pvenix-activate-" in lab.ssh(host, "systemctl", "list-units", "--all", "--plain", "--no-legend")


def test_a_clone_that_was_killed_ends_as_one_vm(lab: StoryLab) -> None:
    lab.fault("clone-slow", NEW, seconds=120)
    site = lab.site

    def cloning() -> bool:
        return any(task["type"] == "qmclone" for task in site.api("/cluster/tasks"))

    lab.killed_when(cloning, "clone", NEW)
    run = lab.ask("runs", "list", "-n", "1")["runs"][0]
    assert run["state"] == "interrupted"

    resumed = lab.start("resume", "last")
    lab.release()
    assert lab.finish(resumed).code == 0
    after = lab.site
    assert [vm.get("name") for vm in after.vms].count(NEW) == 1
    assert len([task for task in after.api("/cluster/tasks") if task["type"] == "qmclone"]) == 1
    config = after.config(NEW)
    assert "lock" not in config
    assert f"pvenix-host: {NEW}" in config["description"]
    assert config["memory"] == "32768" or config["memory"] == 32768
    ended = lab.ask("runs", "list", "-n", "1")["runs"][0]
    assert (ended["run"], ended["state"], ended["exit_code"]) == (run["run"], "ended", 0)


def test_a_clone_whose_task_fails_leaves_no_vm_and_is_not_success(lab: StoryLab) -> None:
    lab.fault("clone-fails-in-task", "tappaas-litellm")
    done = lab.ends(1, "clone", "tappaas-litellm")
    assert "tappaas-litellm" not in {vm.get("name") for vm in lab.site.vms}
    assert "clone" in done.text
    lab.ok("clone", "tappaas-litellm")
    assert "tappaas-litellm" in {vm.get("name") for vm in lab.site.vms}


def test_an_activation_that_was_killed_ends_as_one_generation(lab: StoryLab) -> None:
    before = lab.generations("dns01")
    commit = lab.commit("nix/common.nix", "[ pkgs.git ]", "[\n    pkgs.git\n    pkgs.htop\n  ]")
    lab.fault("activation-slow", "dns01", seconds=120)
    log = lab.tree("dns01") / "var/lib/pvenix"

    lab.killed_when(lambda: activating(lab, "dns01"), "rebuild", "dns01")
    assert activating(lab, "dns01")
    resumed = lab.start("resume", "last")
    lab.release()
    assert lab.finish(resumed).code == 0

    site = lab.site
    current = site.follow("dns01", "/run/current-system")
    assert site.revision("dns01", current) == commit
    assert site.boot_default("dns01")[1] == current
    assert len(lab.generations("dns01")) == len(before) + 1
    assert len(list(log.glob("*/activate.log"))) == 1
    ended = lab.ask("runs", "list", "-n", "1")["runs"][0]
    assert (ended["state"], ended["exit_code"]) == ("ended", 0)
    units = site.ssh("dns01", "systemctl", "list-units", "--all", "--plain", "--no-legend")
    assert "pvenix-" not in units


def test_a_run_that_ended_is_resumed_as_nothing(lab: StoryLab) -> None:
    before = lab.generations("dns01")
    lab.ok("resume", "last")
    assert lab.generations("dns01") == before


def test_a_run_that_is_being_executed_is_not_executed_twice(lab: StoryLab) -> None:
    lab.fault("activation-slow", "docker01", seconds=120)
    first = lab.start("rebuild", "docker01")
    until(lambda: activating(lab, "docker01"))
    others = [lab.finish(other) for other in (lab.start("resume", "last"), lab.start("rebuild", "docker01"))]
    lab.release()
    assert lab.finish(first).code == 0
    assert [other.code for other in others] == [7, 7], "\n".join(other.text for other in others)


def test_a_new_run_in_place_of_resume_makes_no_second_vm(lab: StoryLab) -> None:
    lab.ok("host", "add", "web05", "--role", "base", "--role", "docker", "--zone", "srvHome")
    lab.fault("clone-slow", "web05", seconds=120)
    site = lab.site

    def clones() -> int:
        return sum(task["type"] == "qmclone" for task in site.api("/cluster/tasks"))

    before = clones()
    lab.killed_when(lambda: clones() > before, "clone", "web05")
    again = lab.start("clone", "web05")
    until(lambda: any("to see whose it is" in file.read_text() for file in lab.folder.glob("home/**/events.jsonl")))
    lab.release()
    assert lab.finish(again).code == 0
    assert clones() == before + 1
    assert [vm.get("name") for vm in lab.site.vms].count("web05") == 1
