"""What is started from the form of a new host and from its wizard: the line with the onboarding, and its undo."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import PvenixError, UsageError
from pvenix.model.newhost import NewHost, Placing, Trial
from pvenix.model.plan import ArgValue, RunPlan
from pvenix.model.sofar import SoFar
from pvenix.model.verbs import ONBOARDING, VERBS, Arg
from pvenix_tui.actions import BY_ID
from pvenix_tui.backend import Backend
from pvenix_tui.intents.base import Options, Reading, RunIntent
from pvenix_tui.models.commandline import ONBOARD_PLAYBOOK
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line
from pvenix_tui.models.newhost import add_command, diff_lines
from pvenix_tui.models.plan import PlanView, Tier, field_line

ONLY: Final = "only_write"
_NO_PLACE: Final = "no place for it: esc changes size or node, o writes the line only"
_HELPS: Final = f"esc: another size, node or template in the form; o: {ONLY} writes the line, to onboard it later"
_EXTRAS: Final = {ONLY: Arg(type=bool, help="write the line and onboard later, with o on the host")}


class NewHostIntent:
    """A line in the inventory, and the onboarding of the host that it makes."""

    toggles = frozenset({"step", "options"})
    initial = Options(step=True)
    extras: Mapping[str, Arg] = _EXTRAS

    def __init__(self, backend: Backend, new: NewHost, trial: Trial, placing: Placing | None) -> None:
        self.readings: Sequence[Reading] = (Reading(name="Place", read=self._place, blocks=self._blocks),)
        self._backend = backend
        self._new = new
        self._trial = trial
        self._placing = placing
        self._placed = False
        """True when it was asked where the host would go, also when there was no answer."""
        self._options = self.initial
        self._added = ""
        """What the writing of the line came to; set once, also when the onboarding could not be started then."""

    @property
    def host(self) -> str:
        """The host's name."""
        return self._new.name

    @property
    def written(self) -> bool:
        """True when the line is in the inventory."""
        return bool(self._added)

    def view(self, options: Options) -> PlanView:
        """What would be written, and the steps behind it."""
        self._options = options
        only = bool(options.args.get(ONLY))
        command = add_command(self._new)
        if not only:
            step = " --step" if options.step else ""
            command += f" && pvenix run {ONBOARD_PLAYBOOK} -l {self._new.name}{step}"
        reach = "a file of this checkout" if only else "a file of this checkout, and one new VM; can be taken back"
        lines: list[Line] = [
            field_line("Reach", f"{reach}: y starts it"),
            field_line("Writes", f"{self._trial.file}; staged where Git tracks it, committed by its registration"),
            field_line(
                "Undo", f"the wizard's {BY_ID['wizard.undo'].key} takes the VM and the branch back; the line stays"
            ),
            field_line("Pauses", "before every step" if options.step else "none") if not only else (),
            field_line("Command", command, Tone.ACCENT),
            EMPTY,
            *diff_lines(self._trial.diff),
            *(text_line(f"! {words}", Tone.WARN) for words in self._trial.warnings),
        ]
        if not only:
            lines += [EMPTY, field_line("Steps", str(len(ONBOARDING)))]
            lines += [text_line(f"  {n:>2} {verb:<10} {VERBS[verb].help}") for n, verb in enumerate(ONBOARDING, 1)]
        shown = tuple(line for line in lines if line or line is EMPTY)
        return PlanView(title=f"new host {self._new.name}", tier=Tier.KEY, lines=shown, command=command)

    async def start(self) -> RunDir | str:
        """Write the line, unless that was done; then the run of its onboarding, or words when that was not wanted."""
        if not self._added:
            added = await self._backend.add_host(self._new)
            how = "staged, and committed by its registration" if added.staged else "not committed"
            self._added = f"{self._new.name} is in {added.file} ({how})"
        if self._options.args.get(ONLY):
            return f"{self._added}; o onboards it"
        plan = onboarding_plan(self._backend, self._new.name, step=self._options.step)
        return await asyncio.to_thread(self._backend.start_detached, plan)

    async def rehearse(self) -> RunDir:
        """There is no host yet whose steps could be rehearsed."""
        raise UsageError(
            "the host is not in the inventory yet", hint="o writes only the line; then o on the host, and c on its plan"
        )

    async def _place(self) -> Sequence[Line]:
        placing = self._placing
        try:
            if placing is None or not placing.node:
                placing = self._placing = await self._backend.place_host(self._new)
        except PvenixError:
            self._placed = True  # nobody knows: that keeps nobody from starting
            raise
        self._placed = True
        return [
            field_line("Place", placing.words, Tone.OK if placing.node else Tone.BAD),
            *([] if placing.node else [field_line("", _HELPS, Tone.WARN)]),
            *(field_line("", words, Tone.WARN) for words in placing.warnings),
        ]

    def _blocks(self) -> str:
        """A host for which there is no place would leave its line behind; the line alone may be wanted."""
        if self._options.args.get(ONLY) or self._added:
            return ""
        if not self._placed:
            return "where it would go is being asked"
        return _NO_PLACE if self._placing is not None and not self._placing.node else ""


def onboarding_plan(backend: Backend, host: str, *, step: bool) -> RunPlan:
    """All verbs of an onboarding of one host. Raises: PvenixError."""
    return replace(backend.plan_verbs(ONBOARDING, (host,), step=step), title=f"onboard {host}")


def undo_intent(backend: Backend, host: str, found: SoFar) -> RunIntent:
    """What takes back what was made so far; the VM's end is confirmed by the host's name."""
    args: dict[str, Mapping[str, ArgValue]] = {
        verb: {"confirm": host} for verb in found.verbs if "confirm" in VERBS[verb].args
    }

    def plan(options: Options) -> RunPlan:
        plan = backend.plan_verbs(found.verbs, (host,), args=args, check=options.check, step=options.step)
        return replace(plan, title=f"undo what was made of {host}")

    async def lines() -> Sequence[Line]:
        undone = [field_line("" if number else "Undoes", text) for number, text in enumerate(found.lines)]
        return [*undone, *(field_line("" if n else "Stays", text, Tone.DIM) for n, text in enumerate(found.stays))]

    destroys = any(verb in ("destroy", "retire") for verb in found.verbs)
    stake = (lambda: backend.consequences(host)) if destroys else None
    return RunIntent(backend, plan, Options(), stake=stake, readings=(Reading(name="Undo", read=lines),))
