"""What `--check` shows is what is sent: the same commands, in the same order."""

from __future__ import annotations

import json
import re

import pytest

from tests.story.world import StoryLab

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

RUN = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
NEW = "<new system>"
READ_ONLY = ("switch-to-configuration check", "switch-to-configuration dry-activate", "nix build --dry-run")


def shown(lab: StoryLab, *words: str, code: int) -> list[str]:
    """The changing commands of a run, without what differs from run to run and without quotes."""
    done = lab.ends(code, *words, "-o", "jsonl")
    events = [json.loads(line) for line in done.out.splitlines()]
    commands = (event for event in events if event["kind"] == "command" and event["writes"])
    sent = [event["text"].replace("'", "") for event in commands]
    return [RUN.sub("<run>", text) for text in sent if not any(word in text for word in READ_ONLY)]


def test_a_rebuild(lab: StoryLab) -> None:
    lab.commit("nix/common.nix", "[ pkgs.git ]", "[\n    pkgs.git\n    pkgs.htop\n  ]")
    foreseen = shown(lab, "rebuild", "dns01", "-C", code=3)
    sent = shown(lab, "rebuild", "dns01", code=0)
    new = lab.ssh("dns01", "readlink", "-f", "/run/current-system")
    assert foreseen == [text.replace(new, NEW) for text in sent]


def test_a_rollback_that_only_boots(lab: StoryLab) -> None:
    foreseen = shown(lab, "rollback", "dns01", "--to", "1", "--boot", "-C", code=3)
    assert foreseen == shown(lab, "rollback", "dns01", "--to", "1", "--boot", "--yes", code=0)


def test_a_rollback(lab: StoryLab) -> None:
    foreseen = shown(lab, "rollback", "dns01", "--to", "1", "-C", code=3)
    assert foreseen == shown(lab, "rollback", "dns01", "--to", "1", "--yes", code=0)


def test_a_new_guest_up_to_its_first_boot(lab: StoryLab) -> None:
    foreseen = shown(lab, "clone", "tappaas-litellm", "-C", code=3)
    sent = shown(lab, "clone", "tappaas-litellm", code=0)
    assert [text.split()[:2] for text in foreseen] == [text.split()[:2] for text in sent]
    assert foreseen[0] == sent[0]
    for verb in ("cloudinit", "boot", "register"):
        assert shown(lab, verb, "tappaas-litellm", "-C", code=3) == shown(lab, verb, "tappaas-litellm", code=0)


def test_a_retirement(lab: StoryLab) -> None:
    words = ("retire", "docker01", "--confirm", "docker01")
    assert shown(lab, *words, "-C", code=3) == shown(lab, *words, code=0)
