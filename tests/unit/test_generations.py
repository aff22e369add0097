"""What is read of a system profile, and the rule that lets old generations go."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pvenix.fleet.schema import MACHINE
from pvenix.lifecycle.generations import PINS, PROFILES, Link, Pin, Profile, generations_of, profile_in
from pvenix.lifecycle.retention import Policy, doomed, protected
from pvenix.model.errors import OutcomeUnknown, UsageError
from pvenix.model.host import Generations

DAY = 86400.0
NOW = 1_760_000_000.0


def system(number: int) -> str:
    return f"/nix/store/{'a' * 31}{number % 10}-nixos-system-{number}"


LISTED = "\n".join(
    (
        f"/run/booted-system\t1.5\t{system(2)}",
        f"/run/current-system\t1.5\t{system(3)}",
        f"{PROFILES}/per-user\t1.0\t/nix/var/nix/per-user",
        f"{PROFILES}/system-10-link\t300.5000000000\t{system(3)}",
        f"{PROFILES}/system-2-link\t100.0000000000\t{system(2)}",
        f"{PROFILES}/system-9-link\t200.0\t{system(9)}",
        f"{PROFILES}/system\t400.0\tsystem-10-link",
        f"{PINS}/2\t500.0\t{system(2)}",
        f"{PINS}/2.why\t500.0\tbefore the\tmigration",
        f"{PINS}/9\t500.0\t{system(1)}",
    )
)


def test_the_profile_is_read_from_one_list_of_links() -> None:
    profile = profile_in(LISTED, default=10, now=1000.0)
    assert [(link.number, link.made_at) for link in profile.links] == [(2, 100.0), (9, 200.0), (10, 300.5)]
    assert (profile.current, profile.running, profile.booted) == (10, system(3), system(2))
    assert profile.pins[2] == Pin(path=system(2), reason="before the\tmigration")
    assert profile.boots == system(3)


def test_a_pin_of_a_number_that_was_given_again_is_of_another_generation() -> None:
    profile = profile_in(LISTED)
    assert [profile.pinned(link) for link in profile.links] == [True, False, False]
    assert protected(profile)[9] == "pinned"  # and yet it stays until somebody takes the pin away


@pytest.mark.parametrize(
    "missing", ["/run/booted-system", "/run/current-system", f"{PROFILES}/system\t", "-10-link\t3"]
)
def test_without_a_line_that_matters_nothing_is_known(missing: str) -> None:
    left = "\n".join(line for line in LISTED.splitlines() if missing not in line)
    with pytest.raises(OutcomeUnknown, match="generations of the host are not known"):
        profile_in(left)


def test_a_generation_tells_what_runs_boots_and_is_pinned() -> None:
    profile = profile_in(LISTED, default=9)
    documents = {system(3): {"configurationRevision": "f00", "nixosVersion": "25.11"}}
    two, nine, ten = generations_of(profile, documents, {system(2): "6.12.1"})
    assert (two.pinned, two.reason, two.booted, two.running, two.kernel) == (
        True,
        "before the\tmigration",
        True,
        False,
        "6.12.1",
    )
    assert (nine.boot_default, nine.pinned, nine.current) == (True, False, False)
    assert (ten.current, ten.running, ten.boot_default, ten.revision, ten.nixos) == (True, True, False, "f00", "25.11")
    assert two.date == "1970-01-01 00:01:40"


def profile(count: int, *, current: int = 0, every_s: float = DAY, **more: object) -> Profile:
    """`count` generations, one a day until now."""
    links = tuple(
        Link(number=number, path=system(number), made_at=NOW - (count - number) * every_s)
        for number in range(1, count + 1)
    )
    number = current or count
    whole = Profile(links=links, current=number, running=system(number), booted=system(number), now=NOW)
    return replace(whole, **more)  # type: ignore[arg-type]  # a test's shorthand


def gone(found: Profile, **policy: float) -> list[int]:
    return [link.number for link in doomed(found, Policy(**{"keep": 0, "older_than_s": 0, **policy}))]  # type: ignore[arg-type]


def test_the_newest_stay_and_what_was_in_use_not_long_ago() -> None:
    assert gone(profile(9), keep=3) == [1, 2, 3, 4, 5, 6]
    assert gone(profile(9), older_than_s=3 * DAY) == [1, 2, 3, 4, 5]  # 5 was followed by 6 just three days ago
    assert gone(profile(9), keep=6, older_than_s=3 * DAY) == [1, 2, 3]
    assert gone(profile(1)) == []


def test_a_generation_that_ran_until_yesterday_is_not_old_though_it_was_made_long_ago() -> None:
    links = (Link(number=1, path=system(1), made_at=NOW - 90 * DAY), Link(number=2, path=system(2), made_at=NOW - DAY))
    found = replace(profile(2), links=links)
    assert gone(found, older_than_s=30 * DAY) == []


def test_what_was_confirmed_before_a_rollback_stays_above_the_current_one() -> None:
    found = profile(6, current=3)
    assert gone(found) == [1, 2]
    assert protected(found) == {3: "current", **dict.fromkeys((4, 5, 6), "newer than the one confirmed last")}


@given(
    count=st.integers(1, 12),
    keep=st.integers(0, 5),
    older=st.integers(0, 20),
    picks=st.tuples(*[st.integers(1, 12)] * 4),
    pins=st.sets(st.integers(1, 12)),
    systems=st.sampled_from((12, 4)),
)
def test_no_policy_ever_lets_a_protected_generation_go(  # noqa: PLR0917 - one for each thing that is drawn
    count: int, keep: int, older: int, picks: tuple[int, ...], pins: set[int], systems: int
) -> None:
    current, running, booted, default = (min(pick, count) for pick in picks)
    paths = {number: f"/nix/store/{number % systems}" for number in range(1, 13)}
    found = profile(count, current=current)
    found = replace(
        found,
        links=tuple(replace(link, path=paths[link.number]) for link in found.links),
        running=paths[running],
        booted=paths[booted],
        default=default,
        pins={number: Pin(path=paths[number], reason="") for number in pins},
    )
    let_go = doomed(found, Policy(keep=keep, older_than_s=older * DAY))
    numbers = {link.number for link in let_go}
    assert not numbers & ({current, default} | pins)
    assert not {link.path for link in let_go} & {paths[running], paths[booted], paths[default]}
    assert all(number < current for number in numbers)
    assert len(found.links) - len(numbers) >= min(keep, count)
    assert all(NOW - found.links[link.number].made_at >= older * DAY for link in let_go)


def test_the_inventory_names_a_policy_and_is_held_to_it() -> None:
    declared = MACHINE.validate_python({"generations": {"keep": 3, "older_than": "2d"}}).generations
    assert declared == Generations(keep=3, older_than_s=2 * 86400)
    assert MACHINE.validate_python({}).generations == Generations(keep=10, older_than_s=30 * 86400)
    for wrong in ({"keep": 0}, {"keep": "5"}, {"older_than": "soon"}, {"newer_than": "1d"}):
        with pytest.raises(ValidationError):
            MACHINE.validate_python({"generations": wrong})


def test_what_is_asked_for_replaces_the_inventory_as_a_whole() -> None:
    declared = Generations(keep=4, older_than_s=60)
    assert Policy.of(declared, None, None) == Policy(keep=4, older_than_s=60)
    assert Policy.of(declared, 2, None) == Policy(keep=2, older_than_s=0)
    assert Policy.of(declared, None, "30d") == Policy(keep=0, older_than_s=30 * DAY)
    for keep, older in ((0, None), (True, None), ("x", None), (None, "soon")):
        with pytest.raises(UsageError):
            Policy.of(declared, keep, older)
