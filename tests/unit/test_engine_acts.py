"""What persons do beside runs has its line in the audit log, whether it went well or not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pvenix.engine.acts import Acting, acting
from pvenix.engine.audit import AuditLog, Record, key
from pvenix.engine.auditcheck import verify
from pvenix.engine.begun import ID, begun, complete_acts
from pvenix.model.act import Act
from pvenix.model.errors import LocalResource, Refused

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


KILLED = """
import os, sys
from pathlib import Path
from pvenix.engine.acts import Acting, acting
from pvenix.engine.audit import AuditLog
from pvenix.model.act import Act

log = AuditLog(Path(sys.argv[1]))
if sys.argv[2] == "after":
    Path.unlink = lambda *_, **__: os.kill(os.getpid(), 9)
with acting(log, Acting(act=Act.MERGE, host="dns01", about="registration/dns01 " + "c" * 40), at=sys.argv[3], who={}):
    if sys.argv[2] == "pushed":
        os.kill(os.getpid(), 9)
"""


def killed(log: AuditLog, when: str) -> None:
    """A merge by a process of its own, which is killed when it has pushed, or after its line is written."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(log.path.parent), when, AT], check=False)
    assert done.returncode == -9


def outcomes(log: AuditLog) -> list[tuple[str, str]]:
    return [(line["verb"], line["outcome"]) for line in log.records()]


def test_a_merge_whose_process_is_killed_behind_the_push_has_a_line_that_claims_no_end(log: AuditLog) -> None:
    killed(log, "pushed")
    assert outcomes(log) == []
    with acting(log, Acting(act=Act.APPROVE, host="dns02"), at=AT, who=WHO):
        pass
    complete_acts(log)
    assert outcomes(log) == [("merge", "unknown"), ("approve", "changed")]
    line = next(log.records())
    assert (line["host"], line["at"], line["about"]) == ("dns01", AT, "registration/dns01 " + "c" * 40)
    assert verify(log).problems == ()


def test_an_act_whose_process_is_killed_behind_its_line_has_one_line(log: AuditLog) -> None:
    killed(log, "after")
    complete_acts(log)
    complete_acts(log)
    assert outcomes(log) == [("merge", "changed")]
    assert not list((log.path.parent / "acts").iterdir())


def test_an_act_that_is_under_way_is_left_to_write_its_own_line(log: AuditLog) -> None:
    with acting(log, Acting(act=Act.MERGE, host="dns01"), at=AT, who=WHO):
        complete_acts(log)
        assert outcomes(log) == []
    assert outcomes(log) == [("merge", "changed")]


def test_an_act_that_was_broken_off_has_a_line_that_claims_no_end(log: AuditLog) -> None:
    with pytest.raises(KeyboardInterrupt), acting(log, Acting(act=Act.MERGE, host="dns01"), at=AT, who=WHO):
        raise KeyboardInterrupt
    assert outcomes(log) == [("merge", "unknown")]


def test_what_cannot_be_noted_is_not_done(log: AuditLog) -> None:
    (log.path.parent / "acts").write_text("in the way")
    with pytest.raises(LocalResource, match="noted for the audit log"), begun(log, {ID: "x"}):
        pytest.fail("it was begun")


def test_an_act_whose_line_the_disk_does_not_take_has_it_later(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise LocalResource("the audit log cannot be written")

    monkeypatch.setattr(AuditLog, "append", full)
    with pytest.raises(LocalResource), acting(log, Acting(act=Act.MERGE, host="dns01"), at=AT, who=WHO):
        pass
    monkeypatch.undo()
    complete_acts(log)
    assert outcomes(log) == [("merge", "unknown")]
