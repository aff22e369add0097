"""What the four facts of a host say together."""

from __future__ import annotations

import pytest

from pvenix.model.generation import HostFacts, Sync, sync_state

MAIN, OLD, FOREIGN = "a" * 40, "b" * 40, "c" * 40


def facts(systems: str = "2 2 2", revision: str = MAIN, edits: tuple[str, ...] = ()) -> HostFacts:
    booted, current, profile = systems.split()
    return HostFacts(
        booted=booted, current=current, profile=profile, revision=revision, boot_id="x", checkout=revision, edits=edits
    )


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (facts(), Sync.IN_SYNC),
        (facts("1 2 2"), Sync.IN_SYNC),
        (facts("2 2 3"), Sync.STAGED),
        (facts("1 2 1"), Sync.TESTING),
        (facts("1 2 3"), Sync.TESTING),
        (facts(revision=OLD), Sync.BEHIND),
        (facts(revision=FOREIGN), Sync.DRIFTED),
        (facts(revision=""), Sync.DRIFTED),
        (facts(edits=(" M hosts/dns01.nix",)), Sync.DRIFTED),
        (facts("2 2 3", revision=OLD), Sync.STAGED),
        (facts("1 2 1", edits=("?? x",)), Sync.DRIFTED),
    ],
)
def test_each_combination_has_one_word(given: HostFacts, state: Sync) -> None:
    assert sync_state(given, expected=MAIN, ancestors=frozenset({OLD})) == state


def test_a_host_is_in_sync_only_when_it_runs_boots_and_holds_the_expected_commit() -> None:
    for systems in ("1 1 1", "1 2 1", "1 1 2", "1 2 2", "1 2 3"):
        for revision in (MAIN, OLD, FOREIGN, ""):
            for edits in ((), (" M x",)):
                state = sync_state(facts(systems, revision, edits), expected=MAIN, ancestors=frozenset({OLD}))
                _, current, profile = systems.split()
                assert (state is Sync.IN_SYNC) == (revision == MAIN and current == profile and not edits)
