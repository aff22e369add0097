"""When a host may be disturbed: what is written, and what the clock on the wall makes of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.model.window import Window, closed, parse

AMSTERDAM = "Europe/Amsterdam"
NIGHT = parse("Sat 02:00-05:00")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "days", "begin", "end", "zone"),
    [
        ("Sat 02:00-05:00", (5,), 120, 300, ""),
        ("sat,Sun 2:00-05:00", (5, 6), 120, 300, ""),
        ("Mon..Fri 22:00-04:00", (0, 1, 2, 3, 4), 1320, 240, ""),
        ("Fri..Mon 01:00-02:00", (0, 4, 5, 6), 60, 120, ""),
        ("daily 00:00-24:00", tuple(range(7)), 0, 1440, ""),
        (" 01:30-03:00 Europe/Amsterdam ", tuple(range(7)), 90, 180, AMSTERDAM),
    ],
)
def test_days_hours_and_a_zone_make_a_window(text: str, days: tuple[int, ...], begin: int, end: int, zone: str) -> None:
    found = parse(text)
    assert (found.days, found.begin, found.end, found.zone) == (days, begin, end, zone)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Sat 2-5", "is not a window; write `Sat 02:00-05:00`"),
        ("Saturday 02:00-05:00", "'Saturday' is not a day; write Mon"),
        ("Sat 25:00-26:00", "25:00 is not a time of day"),
        ("Sat 02:60-03:00", "02:60 is not a time of day"),
        ("Sat 02:00-02:00", "has no length; the whole day is 00:00-24:00"),
        ("Sat 02:00-05:00 Mars/Olympus", "'Mars/Olympus' is no time zone"),
        ("Sat 02:00-05:00 ../etc/passwd", "is not a window"),
        ("", "is not a window"),
    ],
)
def test_what_is_no_window_is_refused_with_an_example(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        parse(text)


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("2026-11-20T20:00", "Sat 2026-11-21 02:00 UTC"),
        ("2026-11-21T01:59", "Sat 2026-11-21 02:00 UTC"),
        ("2026-11-21T02:00", ""),
        ("2026-11-21T04:59", ""),
        ("2026-11-21T05:00", "Sat 2026-11-28 02:00 UTC"),
    ],
)
def test_a_window_is_open_from_its_begin_until_before_its_end(at: str, opens: str) -> None:
    assert closed([NIGHT], utc(at), "UTC") == opens


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    weekdays = parse("Fri 22:00-04:00")
    assert not weekdays.holds(utc("2026-11-20T21:59"), "UTC")
    assert weekdays.holds(utc("2026-11-20T22:00"), "UTC")
    assert weekdays.holds(utc("2026-11-21T03:59"), "UTC")
    assert not weekdays.holds(utc("2026-11-21T04:00"), "UTC")
    assert not weekdays.holds(utc("2026-11-20T03:00"), "UTC"), "that is the night to Friday"


def test_of_several_windows_the_next_one_is_named_in_its_own_zone() -> None:
    both = [parse("Sun 03:00-04:00"), parse("Sat 03:00-04:00 Asia/Tokyo")]
    assert closed(both, utc("2026-11-20T12:00"), "UTC") == "Sat 2026-11-21 03:00 Asia/Tokyo"
    assert closed(both, utc("2026-11-20T18:30"), "UTC") == "", "it is Saturday in Tokyo"
    assert closed([], utc("2026-11-20T12:00"), "UTC") == "", "no window is no limit"


def test_the_night_without_a_second_hour_has_a_shorter_window() -> None:
    """Amsterdam, 2026-03-29: 02:00 CET is 03:00 CEST, the moment 01:00 UTC."""
    sunday = [parse("Sun 02:30-04:00")]
    assert closed(sunday, utc("2026-03-29T00:59"), AMSTERDAM) == "Sun 2026-03-29 03:00 Europe/Amsterdam"
    assert closed(sunday, utc("2026-03-29T01:00"), AMSTERDAM) == ""
    assert closed(sunday, utc("2026-03-29T02:00"), AMSTERDAM) == "Sun 2026-04-05 02:30 Europe/Amsterdam"


def test_a_window_that_is_the_missing_hour_does_not_open_that_night() -> None:
    lost = [parse("Sun 02:00-03:00")]
    assert closed(lost, utc("2026-03-28T12:00"), AMSTERDAM) == "Sun 2026-04-05 02:00 Europe/Amsterdam"


def test_the_night_with_two_second_hours_has_a_longer_window() -> None:
    """Amsterdam, 2026-10-25: 03:00 CEST is 02:00 CET, the moment 01:00 UTC."""
    sunday = parse("Sun 02:00-03:00")
    minutes = [utc("2026-10-24T22:00") + timedelta(minutes=number) for number in range(360)]
    assert sum(sunday.holds(at, AMSTERDAM) for at in minutes) == 120


_MOMENTS = st.integers(0, 2 * 365 * 1440).map(lambda minutes: utc("2026-01-01T00:00") + timedelta(minutes=minutes))
_WINDOWS = st.builds(
    lambda days, begin, length: Window(days=tuple(sorted(days)), begin=begin, end=(begin + length) % 1440),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(121, 1439),
)


@given(_WINDOWS, _MOMENTS, st.sampled_from(["UTC", AMSTERDAM, "America/New_York", "Asia/Kolkata"]))
def test_an_opening_is_the_first_minute_inside_whatever_the_clock_does(window: Window, at: datetime, zone: str) -> None:
    opens = window.opening(at, zone)
    if window.holds(at, zone):
        return
    assert opens is not None
    assert opens > at
    assert window.holds(opens, zone)
    assert not window.holds(opens - timedelta(minutes=1), zone)
    assert opens.astimezone(ZoneInfo(zone)).weekday() in {*window.days, *((day + 1) % 7 for day in window.days)}
    hours = int((opens - at) / timedelta(hours=1))
    assert not any(window.holds(at + timedelta(hours=number), zone) for number in range(hours))
