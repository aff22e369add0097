"""One step of a host from its look to its recorded end, whatever the verb."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import traceback
from collections.abc import Mapping, Sequence

from pvenix.engine.decisions import rejected
from pvenix.engine.step import Step, Verb
from pvenix.model.errors import LocalResource, LockHeld, OutcomeUnknown, PvenixError, Refused, Unreachable
from pvenix.model.outcome import Need, Outcome, Probe, Status
from pvenix.model.verbs import VERBS

_log = logging.getLogger(__name__)

_STATUS_OF: tuple[tuple[type[PvenixError], Status], ...] = (
    (Unreachable, Status.UNREACHABLE),
    (OutcomeUnknown, Status.UNKNOWN),
    (Refused, Status.REFUSED),
    (LockHeld, Status.LOCKED),
    (LocalResource, Status.LOCAL),
)


async def attempt(verb: Verb, step: Step) -> Outcome:
    """The end of a step: looked at, brought about unless it is so already, and recorded."""
    before = dict(step.facts)
    if (refusal := rejected(step)) is not None:
        return await _record(step, refusal, before)
    try:
        async with asyncio.timeout(VERBS[step.verb].timeout_s):
            probe = await verb.probe(step)
            step.facts |= probe.facts
            if probe.need is not Need.NEEDED:
                return await _record(step, _of_probe(probe), before)
            if step.check:
                for channel, text in await verb.commands(step):
                    step.sends(channel, text)
                return Outcome(status=Status.PENDING, summary=probe.reason, facts=probe.facts)
            outcome = await verb.apply(step)
    except PvenixError as error:
        outcome = outcome_of(error)
    except TimeoutError:
        outcome = Outcome(
            status=Status.UNKNOWN,
            summary=f"no end after {VERBS[step.verb].timeout_s:.0f} s",
            hint=f"pvenix resume {step.run}",
        )
    except Exception as error:  # noqa: BLE001 - a defect of one verb must not take the other hosts down
        _log.exception("step %s of %s", step.id, step.host)
        step.output("".join(traceback.format_exception(error)))
        inner = _innermost(error)
        outcome = Outcome(
            status=Status.FAILED,
            summary=f"defect in pvenix: {type(inner).__name__}: {inner}",
            hint=f"its traceback: pvenix runs show {step.run} --log {step.host} --step {step.id}",
        )
    return await _record(step, outcome, before)


def _innermost(error: BaseException) -> BaseException:
    """What went wrong in a group of tasks: the first that did."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _record(step: Step, outcome: Outcome, before: Mapping[str, str]) -> Outcome:
    """Put the end of a step on disk, with the facts that it added to those of `before`."""
    if step.check:
        return outcome
    found = (step.facts | outcome.facts).items()
    facts = {f"fact.{key}": value for key, value in found if before.get(key) != value}
    sent = {"sent": _digest(step.sent)} if step.sent else {}
    try:
        await step.journal.result(
            step.host, step.id, status=outcome.status.value, summary=outcome.summary, **sent, **facts
        )
    except LocalResource as error:
        return outcome_of(error)
    return outcome


def _digest(sent: Sequence[str]) -> str:
    """The SHA-256 of commands, a line each, by which an audit knows them again."""
    return hashlib.sha256("".join(f"{line}\n" for line in sent).encode()).hexdigest()


def _of_probe(probe: Probe) -> Outcome:
    status = {Need.DONE: Status.OK, Need.SKIP: Status.SKIPPED, Need.UNKNOWN: Status.UNKNOWN}[probe.need]
    return Outcome(status=status, summary=probe.reason, facts=probe.facts)


def outcome_of(error: PvenixError) -> Outcome:
    """The end that an error is for the step, or the host, that met it."""
    status = next((status for kind, status in _STATUS_OF if isinstance(error, kind)), Status.FAILED)
    return Outcome(status=status, summary=str(error), hint=error.hint, evidence=error.evidence)
