"""From a way back to the plan that takes it: what has to be read for it is read first, and nothing is started."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import UsageError
from pvenix.model.inverse import Undo, Way
from pvenix.model.plan import RunPlan
from pvenix.model.verbspec import Arg
from pvenix_tui.backend import Backend
from pvenix_tui.intents.base import Intent, Options, Reading, RunIntent, verb_intent
from pvenix_tui.intents.reviewing import decision
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line
from pvenix_tui.models.plan import PlanView, Tier, field_line

if TYPE_CHECKING:
    from pvenix.lifecycle.goingback import Prospect
    from pvenix.lifecycle.revert import Reverting


async def undo_intent(backend: Backend, undo: Undo) -> Intent:
    """What the plan screen shows for a way back.

    Raises: PvenixError when it cannot be planned, or there is none.
    """
    match undo.way:
        case Way.VERB:
            return verb_intent(backend, undo.verb, undo.hosts, undo.args)
        case Way.BEFORE:
            return await _before(backend, undo)
        case Way.REVERT:
            return TakeBack(backend, await backend.reverting(undo.commit))
        case Way.REVIEW:
            review = await backend.review(undo.hosts[0])
            if review.state == "merged":
                raise UsageError(f"{review.branch} is merged", hint="undo the merge instead")
            if review.commit != undo.commit:
                raise UsageError(
                    f"{review.branch} is at {review.commit[:12]} now, not at {undo.commit[:12]}",
                    hint="3 opens the reviews: look at it again there",
                )
            return decision(backend, undo.verb, review)
        case Way.NONE:
            raise UsageError(undo.told)


async def _before(backend: Backend, undo: Undo) -> Intent:
    """A rollback of each host to what it ran before the run, bound to exactly that."""
    run = await asyncio.to_thread(backend.run_to_undo, undo.run)
    found = await backend.prospects(undo.hosts, run=run)
    going = [each.host for each in found if each.changes]
    if not going:
        raise UsageError("; ".join(f"{each.host}: {each.skip or each.problem}" for each in found))

    def plan(options: Options) -> RunPlan:
        made = backend.plan_verb("rollback", going, check=options.check, step=options.step)
        return replace(made, title=f"back before {undo.run}", decisions=backend.decided(found))

    async def told() -> Sequence[Line]:
        return [line for each in found for line in _prospect_lines(each)]

    command = undo.told
    return RunIntent(
        backend, plan, Options(), command=lambda made: command + (" --check" if made.check else ""),
        readings=(Reading(name="Goes to", read=told, needed=True),),
    )  # fmt: skip


def _prospect_lines(each: Prospect) -> list[Line]:
    if not each.changes:
        return [field_line("Left out", f"{each.host}: {each.skip or each.problem}", Tone.WARN)]
    where = f"from generation {each.now} to {each.number or each.path}"
    return [
        field_line("Goes to", f"{each.host}: {where}"),
        *(field_line("", f"  {limit}", Tone.WARN) for limit in each.limits),
    ]


_MERGE: Final = {
    "merge": Arg(type=bool, help="move main forward to it at once, instead of a branch for a review"),
}


class TakeBack:
    """A commit of main taken back: on a branch for a review, or with `merge` at once."""

    toggles = frozenset({"options"})
    initial = Options()
    extras: Mapping[str, Arg] = _MERGE
    readings: Sequence[Reading] = ()

    def __init__(self, backend: Backend, found: Reverting) -> None:
        self._backend, self._found = backend, found
        self._merge = False

    def view(self, options: Options) -> PlanView:
        """What it takes back, from whom, and where that goes."""
        found = self._found
        self._merge = bool(options.args.get("merge"))
        command = f"pvenix revert {found.revision}" + (" --merge" if self._merge else "")
        effect = (
            "main moves forward to it; no host is rebuilt by that"
            if self._merge
            else f"pushes {found.branch} for a review; main stays as it is"
        )
        lines: list[Line] = [
            field_line("Reach", f"{effect}: y starts it", Tone.WARN if self._merge else Tone.PLAIN),
            field_line("Undo", "pvenix revert of the commit that this makes" if self._merge else "delete the branch"),
            field_line("Commit", f"{found.revision} {found.commit.author}: {found.commit.subject}", Tone.STRONG),
            field_line("Concerns", ", ".join(found.hosts) or "no host"),
            field_line("Command", command, Tone.ACCENT),
            EMPTY,
        ]
        for file in found.files:
            lines += [
                text_line(f"{file.path}  +{file.added} -{file.removed}", Tone.STRONG),
                *_diff_lines(file.unified),
                EMPTY,
            ]
        title = f"take back {found.revision}"
        return PlanView(title=title, tier=Tier.READ if self._merge else Tier.KEY, lines=tuple(lines), command=command)

    async def start(self) -> str:
        """What was done, in words."""
        if self._merge:
            tip = await self._backend.merge_revert(self._found)
            return f"main is at {tip[:12]}; rebuild {', '.join(self._found.hosts) or 'nothing'}"
        tip = await self._backend.propose_revert(self._found)
        return f"pushed {self._found.branch} at {tip[:12]} for a review"

    async def rehearse(self) -> RunDir:
        """There is nothing to rehearse: no host is touched."""
        raise UsageError("no host is touched, so there is no dry run")


_TONES: Final = {"+": Tone.OK, "-": Tone.BAD, "@": Tone.HUNK}


def _diff_lines(unified: str) -> list[Line]:
    return [text_line(f"  {line}", _TONES.get(line[:1], Tone.PLAIN)) for line in unified.splitlines()]
