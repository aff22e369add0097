"""What an exit status of an activation means, and what failed units do to it."""

from __future__ import annotations

import pytest

from pvenix.lifecycle.activation.follow import status_in
from pvenix.lifecycle.activation.verdict import Next, against_units, verdict
from pvenix.model.site import OnFailure

KEEP, ROLLBACK, STRICT = OnFailure.KEEP, OnFailure.ROLLBACK, OnFailure.STRICT


@pytest.mark.parametrize(
    ("status", "follows"),
    [
        (0, Next.CONFIRM),
        (1, Next.AS_IT_WAS),
        (2, Next.GO_BACK),
        (3, Next.GO_BACK),
        (4, Next.POLICY),
        (100, Next.REBOOT),
        (203, Next.AS_IT_WAS),
        (209, Next.AS_IT_WAS),
        (255, Next.GO_BACK),
        (7, Next.GO_BACK),
        (None, Next.GO_BACK),
    ],
)
def test_each_status_has_its_own_verdict(status: int | None, follows: Next) -> None:
    said = verdict(status)
    assert said.next is follows
    assert said.what
    assert said.advice or follows in (Next.CONFIRM, Next.REBOOT)


def test_no_two_known_statuses_say_the_same() -> None:
    said = [verdict(status).what for status in (0, 1, 2, 3, 4, 100, 203, 255, None)]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    ("code", "status", "seen"),
    [("1", "0", 0), ("1", "4", 4), ("2", "9", None), ("3", "11", None), ("0", "0", None), ("", "", None)],
)
def test_a_signal_s_number_is_no_exit_status(code: str, status: str, seen: int | None) -> None:
    """ExecMainCode is CLD_EXITED, CLD_KILLED or CLD_DUMPED of waitid(2), and 0 before the process has run."""
    assert status_in({"ExecMainCode": code, "ExecMainStatus": status}) == seen


@pytest.mark.parametrize(
    ("policy", "failed", "before", "status", "said"),
    [
        (ROLLBACK, ("a",), (), 4, ("units failed: a", "")),
        (ROLLBACK, ("a",), (), 0, ("units failed: a", "")),
        (ROLLBACK, ("a",), ("a",), 4, ("", "had failed before and still do: a")),
        (ROLLBACK, ("a", "b"), ("a",), 4, ("units failed: b", "")),
        (ROLLBACK, (), ("a",), 0, ("", "")),
        (ROLLBACK, (), (), 4, ("units failed: one that is not failed any more, or starts again and again", "")),
        (STRICT, ("a",), ("a",), 0, ("units failed: a", "")),
        (STRICT, ("a", "b"), ("a",), 4, ("units failed: b, a", "")),
        (KEEP, ("a", "b"), ("a",), 4, ("", "units failed and were kept: b; had failed before and still do: a")),
        (KEEP, (), (), 0, ("", "")),
    ],
)
def test_failed_units_are_judged_against_those_before_by_the_policy(
    policy: OnFailure, failed: tuple[str, ...], before: tuple[str, ...], status: int, said: tuple[str, str]
) -> None:
    assert against_units(policy, failed=failed, before=before, status=status) == said
