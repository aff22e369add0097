"""When a host may be disturbed: weekly windows by the wall clock of a time zone.

A moment is inside when the clock on the wall shows a time inside, so a night in which the clock is set forward has a
shorter window or none, and one in which it is set back a longer one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

EXAMPLES = "`Sat 02:00-05:00`, `Mon..Fri 22:00-04:00`, `Sat,Sun 00:00-24:00` or `02:00-04:00 Europe/Amsterdam`"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = 24 * 60
_MINUTE = timedelta(minutes=1)
_FORM = re.compile(
    r"(?:(?P<days>[A-Za-z][A-Za-z.,]*) +)?(?P<begin>[0-9]{1,2}:[0-9]{2})-(?P<end>[0-9]{1,2}:[0-9]{2})"
    r"(?: +(?P<zone>[A-Za-z][A-Za-z0-9_+/-]*))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of a day, on some days of every week."""

    days: tuple[int, ...]
    """On which it begins, 0 is Monday."""
    begin: int
    """Minutes after midnight."""
    end: int
    """Minutes after midnight, of the next day when it is not after `begin`."""
    zone: str = ""
    """A time zone's name; empty for the site's."""
    text: str = ""
    """As it was written."""

    def holds(self, at: datetime, site_zone: str) -> bool:
        """True when `at` is inside."""
        local = at.astimezone(self._zone(site_zone))
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        return (day in self.days and minute >= self.begin) or ((day - 1) % 7 in self.days and minute < self.end)

    def opening(self, at: datetime, site_zone: str) -> datetime | None:
        """The first moment after `at`, which is outside, at which it opens; None when it does not within two weeks."""
        zone = self._zone(site_zone)
        today = at.astimezone(zone).date()
        for later in range(15):
            date = today + timedelta(days=later)
            if date.weekday() not in self.days:
                continue
            opens = datetime.combine(date, time(self.begin // 60, self.begin % 60), tzinfo=zone).astimezone(UTC)
            while opens - _MINUTE > at and self.holds(opens - _MINUTE, site_zone):
                opens -= _MINUTE  # its first minutes fell out of a night in which the clock was set forward
            if opens > at and self.holds(opens, site_zone):
                return opens
        return None

    def shown(self, opens: datetime, site_zone: str) -> str:
        """An opening in the window's own time, such as `Sat 2026-11-21 02:00 UTC`."""
        local = opens.astimezone(self._zone(site_zone))
        return f"{_DAYS[local.weekday()]} {local:%Y-%m-%d %H:%M} {self.zone or site_zone}"

    def _zone(self, site_zone: str) -> tzinfo:
        return zone_of(self.zone or site_zone)


def parse(text: str) -> Window:
    """The window that `text` describes.

    Raises: ValueError with examples.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:60]!r} is not a window; write {EXAMPLES}")
    begin, end = _minutes(match["begin"]), _minutes(match["end"])
    if begin in (end, _DAY):
        raise ValueError(f"{text[:60]!r} has no length; the whole day is 00:00-24:00")
    zone = match["zone"] or ""
    if zone:
        zone_of(zone)
    return Window(days=_days_in(match["days"] or ""), begin=begin, end=end, zone=zone, text=text.strip())


def closed(windows: Sequence[Window], at: datetime, site_zone: str) -> str:
    """When the next of the windows opens, empty when one is open at `at` or there is none."""
    if not windows or any(window.holds(at, site_zone) for window in windows):
        return ""
    found = [(opens, window) for window in windows if (opens := window.opening(at, site_zone)) is not None]
    if not found:
        return f"none of {', '.join(window.text for window in windows)} opens within two weeks"
    opens, window = min(found, key=lambda each: each[0])
    return window.shown(opens, site_zone)


def zone_of(name: str) -> tzinfo:
    """The time zone called `name`.

    Raises: ValueError when this machine knows none of that name.
    """
    from zoneinfo import ZoneInfo  # most commands need none

    if name == "UTC":
        return UTC  # known everywhere, also where no database of time zones is installed
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # not listed; a directory of the database; a path out of it
        if has_zones():
            raise ValueError(f"{name[:40]!r} is no time zone; write one such as Europe/Amsterdam or UTC") from error
        raise ValueError(f"this machine knows no time zone {name[:40]!r}; install its database, tzdata") from error


def has_zones() -> bool:
    """False when this machine has no database of time zones."""
    from zoneinfo import available_timezones

    return bool(available_timezones())


def _days_in(text: str) -> tuple[int, ...]:
    if text.casefold() in ("", "daily"):
        return tuple(range(7))
    days: set[int] = set()
    for part in text.split(","):
        first, dots, last = part.partition("..")
        begin = _day(first)
        days |= {(begin + step) % 7 for step in range((_day(last) - begin) % 7 + 1)} if dots else {begin}
    return tuple(sorted(days))


def _day(text: str) -> int:
    for number, day in enumerate(_DAYS):
        if text.casefold() == day.casefold():
            return number
    raise ValueError(f"{text[:20]!r} is not a day; write {', '.join(_DAYS)}, as in {EXAMPLES}")


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    count = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or count > _DAY:
        raise ValueError(f"{text} is not a time of day; write {EXAMPLES}")
    return count
