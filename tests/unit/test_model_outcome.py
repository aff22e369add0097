"""Ends of steps: which let a host go on, which count as failed, and which exit code they are."""

from __future__ import annotations

import pytest

from pvenix.model.errors import ExitCode, worst
from pvenix.model.outcome import Need, Status, done, needed, skip

TABLE = [
    (Status.OK, True, False, 0),
    (Status.CHANGED, True, False, 0),
    (Status.PENDING, True, False, 3),
    (Status.SKIPPED, True, False, 0),
    (Status.WAITING, False, False, 3),
    (Status.FAILED, False, True, 1),
    (Status.UNREACHABLE, False, True, 4),
    (Status.REFUSED, False, True, 8),
    (Status.UNKNOWN, False, True, 5),
    (Status.ROLLED_BACK, False, True, 6),
    (Status.LOCKED, False, True, 7),
    (Status.LOCAL, False, True, 9),
    (Status.CANCELLED, False, False, 130),
]


def test_the_table_names_every_status() -> None:
    assert [row[0] for row in TABLE] == list(Status)


@pytest.mark.parametrize(("status", "goes_on", "failed", "code"), TABLE, ids=[row[0].value for row in TABLE])
def test_each_end_says_what_may_follow_and_how_the_program_exits(
    status: Status, goes_on: bool, failed: bool, code: int
) -> None:
    assert (status.goes_on, status.counts_as_failed, int(status.exit_code)) == (goes_on, failed, code)


def test_nothing_but_ok_changed_and_skipped_exits_with_0() -> None:
    assert {status for status in Status if status.exit_code == 0} == {Status.OK, Status.CHANGED, Status.SKIPPED}


def test_the_worst_code_wins_whatever_the_order() -> None:
    assert worst([ExitCode.OK, ExitCode.FAILED, ExitCode.UNKNOWN]) == ExitCode.UNKNOWN
    assert worst([ExitCode.UNKNOWN, ExitCode.FAILED, ExitCode.OK]) == ExitCode.UNKNOWN
    assert worst([]) == ExitCode.OK


def test_a_code_for_every_end_has_its_place_among_the_worst() -> None:
    for code in ExitCode:
        assert worst([code]) == code


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (ExitCode.LOCAL, ExitCode.REFUSED),
        (ExitCode.UNKNOWN, ExitCode.ROLLED_BACK),
        (ExitCode.ROLLED_BACK, ExitCode.FAILED),
        (ExitCode.FAILED, ExitCode.UNREACHABLE),
        (ExitCode.INTERRUPTED, ExitCode.CHANGES),
        (ExitCode.CHANGES, ExitCode.OK),
    ],
)
def test_what_asks_more_of_a_person_is_worse(worse: ExitCode, better: ExitCode) -> None:
    assert worst([better, worse]) == worse


def test_probes_say_what_they_found() -> None:
    assert (done("there", vmid="1").need, done("there", vmid="1").facts) == (Need.DONE, {"vmid": "1"})
    assert (needed("gone").need, needed("gone").reason) == (Need.NEEDED, "gone")
    assert skip("no GPU").need is Need.SKIP
