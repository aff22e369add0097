"""What persons decided about a run, kept in its directory: one JSON object a line, only ever added to.

Any process of this machine may add one, also while another one executes the run: a line is written with one call.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pvenix.engine.journalfile import read_entries
from pvenix.engine.ports import Entry
from pvenix.engine.runfiles import RunDir
from pvenix.engine.step import Step
from pvenix.model.approval import Asked, Decision, Verdict
from pvenix.model.errors import LocalResource
from pvenix.model.outcome import Outcome, Status
from pvenix.model.secret import KNOWN

ASKED = "asked"
"""The evidence of a step that waits for a person: the subject. Beside it `commit` and, a line each, `risks`."""


class Decisions:
    """The decisions of one run."""

    def __init__(self, run: Path) -> None:
        self._path = run / "decisions.jsonl"

    def all(self) -> tuple[Decision, ...]:
        """Every decision, oldest first; a line that a full disk cut short decides nothing.

        Raises: LocalResource when they cannot be read.
        """
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise LocalResource("the decisions about the run cannot be read", why=str(error)) from error
        return tuple(decision for line in lines if (decision := _decision_in(line)))

    def add(self, decision: Decision) -> None:
        """Keep one decision; on the disk when this returns.

        Raises: LocalResource when the disk does not take it.
        """
        # The first line end is for a line that an earlier process could not finish.
        line = ("\n" + json.dumps(KNOWN.masked(asdict(decision)), separators=(",", ":")) + "\n").encode()
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                written = os.write(file, line)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise LocalResource(
                "the decision cannot be kept", why=str(error), hint="make room, and decide again"
            ) from error
        if written != len(line):
            raise LocalResource("the decision cannot be kept", why="the disk took a part of it", hint="make room")


def waiting(entries: Iterable[Entry]) -> tuple[Asked, ...]:
    """What waits for a decision, by the journal of a run: every host's step whose last end was to wait for one."""
    known: dict[tuple[str, str], dict[str, str]] = {}
    asked: dict[tuple[str, str], Asked] = {}
    for entry in entries:
        key = entry.host, entry.step
        if entry.what != "result":
            known.setdefault(key, {}).update(entry.data)
            continue
        asked.pop(key, None)
        said = known.pop(key, {})
        if entry.data["status"] == Status.WAITING and ASKED in said:
            asked[key] = Asked(
                host=entry.host,
                step=entry.step,
                subject=said[ASKED],
                commit=said.get("commit", ""),
                risks=tuple(said.get("risks", "").splitlines()),
            )
    return tuple(asked.values())


def undecided(run: RunDir) -> tuple[Asked, ...]:
    """What of a run waits for a decision that nobody has made yet.

    Raises: LocalResource when the run's files cannot be read.
    """
    said = [one for one in Decisions(run.path).all() if one.verdict is not Verdict.NOW]
    return tuple(each for each in waiting(read_entries(run.journal_path)) if not any(one.covers(each) for one in said))


def rejected(step: Step) -> Outcome | None:
    """How a step ends whose change somebody rejected; None when nobody did."""
    subject = step.known.get(ASKED, "")
    said = [one for one in step.decisions() if one.verdict is not Verdict.NOW] if subject else []
    last = next(
        (one for one in reversed(said) if (one.host, one.step, one.subject) == (step.host, step.id, subject)), None
    )
    if last is None or last.verdict is not Verdict.REJECTED:
        return None
    return Outcome(
        status=Status.CANCELLED, summary=last.shown, hint="another run asks anew", evidence=(f"for exactly {subject}",)
    )


def _decision_in(line: bytes) -> Decision | None:
    try:
        data: dict[str, Any] = json.loads(line)
        return Decision(**{**data, "verdict": Verdict(data["verdict"]), "risks": tuple(data["risks"])})
    except (ValueError, LookupError, TypeError):
        return None
