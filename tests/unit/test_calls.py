"""What a process asked of machines."""

from __future__ import annotations

import pytest

from pvenix.engine.calls import KEPT, TEXT_LIMIT, CallLog, Channel
from pvenix.model.secret import KNOWN


def test_nothing_is_kept_until_somebody_asks_for_it() -> None:
    log = CallLog()
    with log.call(Channel.GIT, "", "git log"):
        pass
    assert (log.calls, log.total) == ((), 0)


def test_a_call_has_its_time_and_its_end_and_is_under_way_until_then() -> None:
    log = CallLog()
    log.keep()
    with log.call(Channel.SSH, "dns01", "uptime") as call:
        assert list(log.under_way) == [call]
        before = log.changes
    assert (call.result, call.bad) == ("ok", False)
    assert list(log.under_way) == []
    assert call.seconds is not None
    assert log.changes == before + 1


def test_an_exception_is_the_end_of_its_call_and_goes_on() -> None:
    log = CallLog()
    log.keep()
    with pytest.raises(OSError, match="no route"), log.call(Channel.API, "tanka", "GET /version"):
        raise OSError("no route")
    assert (log.calls[0].result, log.calls[0].bad) == ("OSError: no route", True)


def test_the_ring_is_bounded_in_calls_and_in_the_text_of_each() -> None:
    log = CallLog()
    log.keep()
    for _ in range(KEPT + 5):
        with log.call(Channel.API, "tanka", "x" * 100_000):
            pass
    assert (len(log.calls), log.total, len(log.calls[0].text)) == (KEPT, KEPT + 5, TEXT_LIMIT)
    assert log.calls[0].number == 5


def test_a_secret_that_the_process_knows_is_in_no_call() -> None:
    KNOWN.add("hunter2-hunter2")
    log = CallLog()
    log.keep()
    with log.call(Channel.SSH, "dns01", "login hunter2-hunter2") as call:
        call.ended("refused hunter2-hunter2", bad=True)
    assert "hunter2" not in call.text + call.result
