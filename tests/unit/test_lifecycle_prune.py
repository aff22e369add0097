"""Which directories and roots of earlier attempts may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pvenix.lifecycle.activation.prune import KEEP, WAITING, YOUNG, prunable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEWEST = "20260301-115900-ffff-0.0-1"


def run(age: timedelta, mark: int = 0) -> str:
    return f"{NOW - age:%Y%m%d-%H%M%S}-{mark:04x}"


def attempt(age: timedelta, mark: int = 0) -> str:
    return f"{run(age, mark)}-0.0-1"


def folders(*names: str) -> tuple[str, ...]:
    return tuple(f"/var/lib/pvenix/{name}" for name in sorted(names))


OLD = [attempt(YOUNG + timedelta(days=day)) for day in range(1, KEEP + 4)]


def test_the_newest_stay_however_old_they_are() -> None:
    assert prunable(OLD, newest=NEWEST, now=NOW).folders == folders(*OLD[KEEP - 1 :])


def test_what_is_young_stays_however_many_there_are() -> None:
    many = [attempt(timedelta(hours=1), mark) for mark in range(50)]
    assert prunable(many, newest=NEWEST, now=NOW).folders == ()


def test_roots_go_with_the_end_of_their_attempt_but_those_of_the_newest() -> None:
    other = attempt(timedelta(minutes=5))
    names = [f"{name}/{link}" for name in (other, NEWEST) for link in ("new", "old", "profile", "activate.log")]
    assert prunable(names, newest=NEWEST, now=NOW).roots == folders(
        *(f"{other}/{x}" for x in ("new", "old", "profile"))
    )


def test_a_build_that_may_still_be_activated_keeps_its_root() -> None:
    waits, waited = run(timedelta(hours=1)), run(WAITING + timedelta(hours=1))
    names = [f"{waits}/new", f"{waited}/new"]
    assert prunable(names, newest=NEWEST, now=NOW).roots == folders(f"{waited}/new")


def test_files_of_a_person_that_were_put_aside_stay() -> None:
    names = [*OLD, f"{OLD[-1]}/etc-nixos"]
    assert folders(OLD[-1])[0] not in prunable(names, newest=NEWEST, now=NOW).folders


def test_a_host_whose_names_lie_in_the_future_loses_nothing() -> None:
    later = [attempt(-timedelta(days=day)) for day in range(1, 30)]
    assert prunable(later, newest=NEWEST, now=NOW).folders == ()


def test_a_number_behind_an_attempt_is_a_number() -> None:
    """The tenth attempt of a step is newer than its second."""
    day = YOUNG + timedelta(days=1)
    names = [f"{run(day)}-0.0-{count}" for count in range(1, KEEP + 2)]
    assert prunable(names, newest=NEWEST, now=NOW).folders == folders(f"{run(day)}-0.0-1", f"{run(day)}-0.0-2")


@given(st.lists(st.text("0123456789abcdef-./pins", max_size=30)))
def test_what_is_not_named_as_we_name_is_never_touched(names: list[str]) -> None:
    found = prunable(names, newest=NEWEST, now=NOW)
    for path in (*found.roots, *found.folders):
        assert path.removeprefix("/var/lib/pvenix/")[:8].isdigit()
        assert ".." not in path
