"""One look at a fleet over real SSH, Git and HTTPS, after people were at work on its guests with plain ssh."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.story.world import StoryLab, writes

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

GIT = ("sudo", "-n", "git", "-C", "/etc/nixos")


def by_host(text: str) -> dict[str, dict[str, Any]]:
    return {item["host"]: item for item in json.loads(text)["status"]}


def test_status_tells_what_was_done_by_hand_and_what_was_known_of_a_silent_host(lab: StoryLab) -> None:
    before = by_host(
        lab.ok("status", "--exit-code", "--hardware", "-l", "dns01:docker01:nix-cache01", "-o", "json").out
    )
    assert {item["sync"] for item in before.values()} == {"in sync"}
    assert {(item["hardware"]["diff"], item["hardware"]["problem"]) for item in before.values()} == {("", "")}

    lab.ssh("dns01", "sudo", "-n", "dd", "of=/etc/nixos/nix/site.nix", "status=none", text="{ }\n")
    lab.ssh("dns01", "sudo", "-n", "touch", "/etc/nixos/notes")
    lab.ssh("docker01", *GIT, "checkout", "--quiet", "--detach", "HEAD~1")
    old = lab.ssh("docker01", *GIT, "rev-parse", "HEAD")
    lab.fault("ssh-refused", "nix-cache01")
    done, counters = lab.counted("status", "-l", "dns01:docker01:nix-cache01", "--exit-code", "-o", "json")
    after = by_host(done.out)
    assert (done.code, writes(counters), list(after)) == (4, {}, ["dns01", "docker01", "nix-cache01"])

    assert (after["dns01"]["sync"], after["docker01"]["sync"]) == ("drifted", "drifted")
    assert after["dns01"]["facts"]["edits"] == [" M nix/site.nix", "?? notes"]
    assert (after["docker01"]["facts"]["checkout"], after["docker01"]["facts"]["edits"]) == (old, [])
    silent = after["nix-cache01"]
    assert (silent["sync"], silent["facts"], silent["power"]) == ("unreachable", None, "running")
    assert silent["last"] == before["nix-cache01"]

    found = lab.pvenix("rebuild", "state=drifted", "--list-hosts")
    assert (found.code, found.out.split()) == (0, ["dns01", "docker01"]), found.text
