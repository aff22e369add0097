"""Retiring a host destroys its VM, and only that, and only after its name was typed."""

from __future__ import annotations

import pytest

from tests.story.world import StoryLab, writes

pytestmark = pytest.mark.story


def test_without_the_typed_name_nothing_happens(lab: StoryLab) -> None:
    for words in ((), ("--confirm", "dns01"), ("--confirm", "docker0")):
        done, counters = lab.counted("retire", "docker01", *words)
        assert done.code == 2, done.text
        assert writes(counters) == {}
    done, counters = lab.counted("run", "playbooks/retire.yaml", "-l", "docker01")
    assert done.code == 2, done.text
    assert writes(counters) == {}


def test_a_protected_host_and_the_controller_are_refused(lab: StoryLab) -> None:
    for host in ("dns01", "tappaas-cicd"):
        done, counters = lab.counted("retire", host, "--confirm", host)
        assert done.code == 8, done.text
        assert writes(counters) == {}


def test_what_goes_with_the_vm_is_told_before_anything_is_changed(lab: StoryLab) -> None:
    lab.fault("backup-job", "docker01")
    before = lab.site.api("/cluster/backup")
    done, counters = lab.counted("retire", "docker01", "-C")
    assert done.code == 3, done.text
    assert writes(counters) == {}
    assert "backup job backup-by-hand (02:00, to local) names it: the job is deleted, it names no other" in done.text
    assert "no backup is made before" in done.text
    assert lab.site.api("/cluster/backup") == before


def test_a_host_is_made_anew_with_the_same_id_and_name(lab: StoryLab) -> None:
    old, config = lab.site.vm("docker01"), lab.site.config("docker01")
    refused = lab.ends(2, "reprovision", "docker01", "--confirm", "dns01")
    assert "is not the host docker01" in refused.text
    waiting = lab.ends(3, "reprovision", "docker01", "--confirm", "docker01")
    assert "review" in waiting.text
    new = lab.site.vm("docker01")
    assert (new["vmid"], new["node"]) == (old["vmid"], old["node"])
    assert lab.site.config("docker01")["smbios1"] != config["smbios1"]
    assert lab.site.config("docker01")["ipconfig0"] == config["ipconfig0"]
    lab.ok("review", "approve", "docker01", "--yes")
    lab.ok("resume", "last")
    # It booted the template's initrd; that of its own system has the modules of its own hardware.
    assert lab.ask("status", "docker01")["status"][0]["sync"] == "reboot needed"
    assert lab.site.vm("docker01")["vmid"] == old["vmid"]


def test_a_host_that_could_not_be_made_anew_keeps_its_vm(lab: StoryLab) -> None:
    site = lab.fleet / "inventory/site.yaml"
    site.write_text(site.read_text().replace("nixos: {cluster: lab, vmid: 8100", "nixos: {cluster: lab, vmid: 8199"))
    done, counters = lab.counted("reprovision", "docker01", "--confirm", "docker01")
    assert done.code == 2, done.text
    assert "8199" in done.text
    assert writes(counters) == {}


def test_the_vm_is_gone_its_disk_too_and_a_branch_proposes_the_tombstone(lab: StoryLab) -> None:
    before = {vm["vmid"] for vm in lab.site.vms}
    vmid = lab.site.vm("docker01")["vmid"]
    done = lab.ok("retire", "docker01", "--confirm", "docker01")
    assert f"VM {vmid} is gone; tombstone on retire/docker01" in done.text
    site = lab.site
    assert {vm["vmid"] for vm in site.vms} == before - {vmid}
    assert not (lab.lab / "guests" / str(vmid)).exists()
    assert "state: absent" in site.git("show", "retire/docker01:inventory/host_vars/docker01.yaml")
    again, counters = lab.counted("retire", "docker01", "--confirm", "docker01")
    assert again.code == 0, again.text
    assert writes(counters) == {}
