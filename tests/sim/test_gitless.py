"""The guests' git without processes answers like the real one."""

from __future__ import annotations

import re

import pytest

from pvenix.model.events import Command, Event
from tests.sim.golden import Golden
from tests.sim.scenario import replay
from tests.sim.script import Act, Script
from tests.sim.troubles import Strike

pytestmark = pytest.mark.sim

ACTS = (
    Act(kind="onboard", hosts=("tappaas-litellm",)),
    Act(kind="rebuild", hosts=("docker01", "tappaas-litellm"), strikes=(Strike(call=2, name="edit", host="docker01"),)),
)


def told(events: list[Event]) -> dict[str, list[tuple[str, ...]]]:
    """What a run told of each host, without what differs between any two runs: ids, hashes, keys."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for event in events:
        text = plain(event.text) if isinstance(event, Command) else getattr(event, "status", "")
        found.setdefault(event.host, []).append((event.kind, event.step, text))
    return found


def plain(text: str) -> str:
    text = re.sub(r"/nix/store/[0-9a-z]{32}", "/nix/store/X", text)
    return re.sub(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}|\b[0-9a-f]{10,64}\b|[0-9A-F]{2}(:[0-9A-F]{2}){5}", "X", text)


def test_a_run_over_the_real_git_tells_the_same_story(golden: Golden) -> None:
    plays = [replay(golden, Script(seed=3, acts=ACTS), real_git=real) for real in (False, True)]
    assert [play.broken for play in plays] == [None, None]
    assert told(plays[0].sim.events) == told(plays[1].sim.events)


def test_an_edit_by_hand_is_put_aside_and_not_lost(golden: Golden) -> None:
    play = replay(golden, Script(seed=3, acts=ACTS))
    commands = [event.text for event in play.sim.events if isinstance(event, Command) and event.host == "docker01"]
    assert sum("git -C /etc/nixos stash push" in text for text in commands) == 1
