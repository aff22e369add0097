"""What the four facts of a host say together."""

from __future__ import annotations

from itertools import product

import pytest

from pvenix.model.generation import HostFacts, Lineage, Sync, drift, sync_state

MAIN, OLD, FOREIGN = "a" * 40, "b" * 40, "c" * 40
ANCESTORS = {OLD: {OLD}, MAIN: {OLD, MAIN}, FOREIGN: {OLD, FOREIGN}}
"""Which commits a commit holds."""


def facts(
    systems: str = "2 2 2",
    revision: str = MAIN,
    edits: tuple[str, ...] = (),
    *,
    checkout: str | None = None,
    reboot: tuple[str, ...] = (),
    starts: str = "",
) -> HostFacts:
    booted, current, profile = systems.split()
    return HostFacts(
        booted=booted,
        current=current,
        profile=profile,
        revision=revision,
        boot_id="x",
        checkout=revision if checkout is None else checkout,
        edits=edits,
        reboot=reboot,
        starts=starts,
    )


def lineage(given: HostFacts, expected: str = MAIN) -> Lineage:
    """What a repository with these three commits says."""
    held = ANCESTORS.get(expected, set())
    newer = given.checkout in held and given.revision in ANCESTORS.get(given.checkout, set())
    return Lineage(expected=expected, runs_ancestor=given.revision in held, checkout_newer=newer)


def state(given: HostFacts, expected: str = MAIN) -> Sync:
    known = lineage(given, expected)
    return sync_state(given, known, drifted=bool(drift(given, known)))


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (facts(), Sync.IN_SYNC),
        (facts("1 2 2"), Sync.IN_SYNC),
        (facts("1 2 2", reboot=("kernel",)), Sync.REBOOT),
        (facts("2 2 3"), Sync.STAGED),
        (facts("2 2 3", reboot=("kernel",)), Sync.STAGED),
        (facts("2 2 2", starts="3"), Sync.STAGED),
        (facts("1 2 1"), Sync.TESTING),
        (facts("1 2 3"), Sync.TESTING),
        (facts(revision=OLD), Sync.BEHIND),
        (facts(revision=OLD, reboot=("kernel",)), Sync.BEHIND),
        (facts(revision=OLD, checkout=MAIN), Sync.BEHIND),  # brought there, and gone back or not activated yet
        (facts("2 2 3", revision=OLD), Sync.STAGED),
        (facts(revision=FOREIGN), Sync.DRIFTED),
        (facts(revision=""), Sync.DRIFTED),
        (facts(edits=(" M hosts/dns01.nix",)), Sync.DRIFTED),
        (facts("1 2 1", edits=("?? x",)), Sync.DRIFTED),
        (facts(checkout=OLD), Sync.DRIFTED),
        (facts(checkout=FOREIGN), Sync.DRIFTED),
        (facts(checkout=""), Sync.DRIFTED),
        (facts(revision=OLD, checkout=FOREIGN), Sync.DRIFTED),
    ],
)
def test_each_combination_has_one_word(given: HostFacts, word: Sync) -> None:
    assert state(given) is word


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (facts(), Sync.UNKNOWN),
        (facts(revision=FOREIGN), Sync.UNKNOWN),
        (facts("2 2 3"), Sync.STAGED),
        (facts("1 2 1"), Sync.TESTING),
        (facts(edits=("?? x",)), Sync.DRIFTED),
        (facts(revision=""), Sync.DRIFTED),
    ],
)
def test_without_the_repository_a_host_is_called_only_what_it_says_itself(given: HostFacts, word: Sync) -> None:
    assert state(given, expected="") is word


def test_a_hardware_file_that_would_be_another_one_is_drift() -> None:
    assert sync_state(facts(), lineage(facts()), drifted=True) is Sync.DRIFTED


def test_a_host_is_in_sync_only_when_it_boots_and_holds_the_expected_commit_and_nothing_waits_for_a_boot() -> None:
    """Every combination: 240 hosts."""
    systems = ("1 1 1", "1 2 1", "1 1 2", "1 2 2", "1 2 3")
    commits = (MAIN, OLD, FOREIGN, "")
    for which, revision, checkout, edits, reboot in product(systems, commits, (MAIN, OLD, ""), ((), (" M x",)), ((), ("kernel",))):  # fmt: skip
        found = state(facts(which, revision, edits, checkout=checkout, reboot=reboot))
        _, current, profile = which.split()
        whole = revision == checkout == MAIN and current == profile and not edits and not reboot
        assert (found is Sync.IN_SYNC) == whole


def test_each_kind_of_drift_is_a_line_of_its_own() -> None:
    given = facts(revision=FOREIGN, checkout=OLD, edits=(" M nix/site.nix", "?? x"))
    assert drift(given, lineage(given)) == (
        "edited in /etc/nixos: M nix/site.nix, ?? x",
        "/etc/nixos is at bbbbbbbbbb, the system that runs was built from cccccccccc",
        "runs cccccccccc, which the main branch does not hold",
    )


def test_a_line_names_a_few_of_many_edited_files() -> None:
    [line] = drift(facts(edits=tuple(f"?? {n}" for n in range(9))), lineage(facts()))
    assert line == "edited in /etc/nixos: ?? 0, ?? 1, ?? 2, ?? 3, ?? 4, ?? 5 and 3 more"


@pytest.mark.parametrize("sync", Sync)
def test_only_what_was_not_read_counts_as_no_answer(sync: Sync) -> None:
    assert sync.answered == (sync.value not in ("unreachable", "unknown"))
