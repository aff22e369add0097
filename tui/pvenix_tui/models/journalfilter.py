"""The filter of the journal: words that must all hold.

dns01            in who, action, hosts, results, commits, the run's id or title
who:ana          whose doing it was; also host: action: result: run: commit:, each a part or a glob
since:7d         not longer ago; also 30m, 12h, 2w, or a date 2026-11-20
!word            not that
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pvenix.model.nearest import did_you_mean
from pvenix_tui.models.journal import Entry

FIELDS: Final = ("since", "who", "host", "action", "result", "run", "commit")
_SPAN: Final = re.compile(r"(\d{1,5})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
Test = Callable[[Entry], bool]


def parse(text: str, now: float) -> tuple[Test, str]:
    """What an entry must be, and what is wrong with the filter, empty when nothing is; a wrong word counts as none."""
    tests: list[Test] = []
    wrong = ""
    for word in text.split():
        test, why = _test(word.removeprefix("!"), now)
        wrong = wrong or why
        if test is not None:
            tests.append(_not(test) if word.startswith("!") else test)
    return (lambda entry: all(test(entry) for test in tests)), wrong


def _not(test: Test) -> Test:
    return lambda entry: not test(entry)


def _test(word: str, now: float) -> tuple[Test | None, str]:
    name, colon, value = word.partition(":")
    if not word or (colon and name in FIELDS and not value):
        return None, ""  # it is being typed
    if not colon or not name.isalpha():
        return _containing(word.casefold()), ""
    if name not in FIELDS:
        return None, f"no field {name}: {did_you_mean(name, FIELDS) or ', '.join(FIELDS)}"
    if name == "since":
        start = _since(value, now)
        return (None, f"since {value}? 30m, 12h, 7d, 2w or 2026-11-20") if start is None else (_not_before(start), "")
    return _field(name, value.casefold()), ""


def _containing(word: str) -> Test:
    return lambda entry: word in entry.text


def _not_before(start: str) -> Test:
    return lambda entry: entry.at >= start


def _field(name: str, value: str) -> Test:
    def test(entry: Entry) -> bool:
        return any(_fits(each.casefold(), value) for each in _values(entry, name))

    return test


def _fits(text: str, value: str) -> bool:
    return fnmatch.fnmatchcase(text, value) if "*" in value or "?" in value else value in text


def _values(entry: Entry, name: str) -> Sequence[str]:
    match name:
        case "who":
            return (entry.who, *dict.fromkeys(line.git for line in entry.lines))
        case "host":
            return entry.hosts
        case "action":
            return (entry.action, *entry.verbs)
        case "result":
            return (entry.result[0], *dict.fromkeys(line.outcome for line in entry.lines))
        case "run":
            return (entry.run_id,)
        case _:
            return (entry.commit.id if entry.commit else "", *dict.fromkeys(line.commit for line in entry.lines))


def _since(value: str, now: float) -> str | None:
    """The moment as the log writes it, None when `value` is none."""
    if _DATE.fullmatch(value):
        return value
    found = _SPAN.fullmatch(value)
    if found is None:
        return None
    start = datetime.fromtimestamp(now, UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
    return start.isoformat(timespec="milliseconds")
