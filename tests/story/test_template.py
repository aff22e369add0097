"""A template is looked at, made anew and proposed by the command line, and the fleet's next host comes from it."""

from __future__ import annotations

import pytest

from tests.story.world import StoryLab, writes

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]

CANARY = ("state=archived", "disk=32G", "update.canary=true", "proxmox.full=true", "proxmox.onboot=false")


def test_a_template_is_read_and_not_touched(lab: StoryLab) -> None:
    done, counters = lab.counted("template", "status")
    assert done.code == 0, done.text
    assert writes(counters) == {}
    [template] = lab.ask("template", "status", "nixos")["templates"]
    assert (template["vmid"], template["broken"], template["freshness"]) == (8100, False, "unknown")
    assert "did you mean `nixos`" in lab.ends(2, "template", "status", "nixo").text


def test_a_host_with_a_system_of_its_own_never_becomes_a_template(lab: StoryLab) -> None:
    done, counters = lab.counted("template-build", "dns01")
    assert done.code == 8, done.text
    assert writes(counters) == {}


def test_a_new_template_is_proposed_and_after_the_merge_hosts_come_from_it(lab: StoryLab) -> None:
    lab.ok("host", "add", "template-canary", "--zone", "mgmt", *CANARY)
    before = {vm["vmid"] for vm in lab.site.vms}
    lab.ok("run", "playbooks/template-refresh.yaml")
    [new] = [vm for vm in lab.site.vms if vm["vmid"] not in before]
    assert new["template"] == 1
    lab.git("commit", "--quiet", "--all", "--message", "Add the canary of the template")
    lab.git("fetch", "--quiet")
    lab.git("merge", "--quiet", "--no-edit", "origin/template/nixos")
    lab.git("push", "--quiet", "origin", "main")
    [template] = lab.ask("template", "status")["templates"]
    assert (template["vmid"], template["freshness"], template["broken"]) == (new["vmid"], "fresh", False)
    lab.ok("clone", "tappaas-litellm")
    disk = lab.site.config("tappaas-litellm")["scsi0"]
    assert f"base-{new['vmid']}-disk" in disk
