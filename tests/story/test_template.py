"""A template is looked at, made anew and proposed by the command line, and the fleet's next host comes from it."""

from __future__ import annotations

import json
import re

import pytest

from tests.story.world import StoryLab, writes

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

MOMENT = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}|at=[0-9TZ:-]+")
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


def sent(lab: StoryLab, *words: str, code: int) -> list[str]:
    """The changing commands of a run, without what differs from run to run."""
    done = lab.ends(code, *words, "-o", "jsonl")
    events = [json.loads(line) for line in done.out.splitlines()]
    texts = (event["text"].replace("'", "") for event in events if event["kind"] == "command" and event["writes"])
    return [MOMENT.sub("<run>", text) for text in texts]


def test_what_would_make_a_template_is_shown_in_the_words_that_are_sent(lab: StoryLab) -> None:
    lab.ok("host", "add", "template-canary", "--zone", "mgmt", *CANARY)
    for verb in ("clone", "cloudinit", "boot"):
        lab.ok(verb, "template-canary")
    foreseen = sent(lab, "template-build", "template-canary", "-C", code=3)
    done = sent(lab, "template-build", "template-canary", code=0)
    [profile] = [text for text in done if "--set" in text]
    system = profile.split()[-1]
    running = next(word.partition("=")[2] for word in done[-3].split() if word.startswith("ExecStartPre=/nix"))
    ready = [text.replace(running.removesuffix("/sw/bin/cloud-init"), "<running system>") for text in done]
    assert foreseen == [text.replace(system, "<system>") for text in ready]


def test_a_new_template_is_proposed_and_after_the_merge_hosts_come_from_it(lab: StoryLab) -> None:
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
