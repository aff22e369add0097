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
