"""What persons do beside runs has its line in the audit log, whether it went well or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.engine.acts import Acting, acting
from pvenix.engine.audit import AuditLog, Record, key
from pvenix.engine.auditcheck import verify
from pvenix.model.act import Act
from pvenix.model.errors import Refused

WHO = {"operator": "ana", "os_user": "ana", "git": "ana <ana@ops1>"}
AT = "2026-11-20T10:20:00.000Z"


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path)


def test_a_decision_has_a_line_in_the_same_chain_that_says_who_decided_what_about_which_commit(log: AuditLog) -> None:
    log.append([{"run": "r", "host": "dns01", "step": "0.0.build", "count": 1}])
    with acting(log, Acting(act=Act.MERGE, host="dns01", about="registration/dns01"), at=AT, who=WHO) as act:
        act.before, act.commit = "a" * 40, "b" * 40
    line = list(log.records())[-1]
    wanted = {"verb": "merge", "host": "dns01", "operator": "ana", "at": AT, "outcome": "changed", "before": "a" * 40}
    assert {**wanted, "commit": "b" * 40, "about": "registration/dns01"}.items() <= line.items()
    assert verify(log).problems == ()


def test_a_decision_that_was_refused_has_a_line_that_says_so(log: AuditLog) -> None:
    with (
        pytest.raises(Refused),
        acting(log, Acting(act=Act.APPROVE, host="dns01", commit="c" * 40), at=AT, who=WHO),
    ):
        raise Refused("a check fails")
    [line] = log.records()
    assert (line["verb"], line["outcome"], line["commit"]) == ("approve", "refused", "c" * 40)


def test_the_line_of_a_decision_about_a_run_is_never_taken_for_that_of_a_step(log: AuditLog) -> None:
    with acting(log, Acting(act=Act.APPROVE_CHANGE, host="dns01", run="r", about="0.0.build"), at=AT, who=WHO):
        pass
    step: Record = {"run": "r", "host": "dns01", "step": "0.0.build", "count": 1}
    assert key(step) not in log.keys("r")
    log.append([step], missing_of="r")
    assert [line["step"] for line in log.records()] == ["", "0.0.build"]
