"""What a person wants when they go back: hosts to earlier generations, or a commit of main and the hosts with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from pvenix.model.errors import PvenixError, UsageError
from pvenix.model.generation import NOT_UNDONE
from pvenix.model.plan import RunPlan
from pvenix_tui.actions.base import pvenix_line
from pvenix_tui.backend import Backend
from pvenix_tui.intents.base import Options, Reading, RunIntent, critical_hosts
from pvenix_tui.models.effects import Method
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line
from pvenix_tui.models.plan import PlanView, Reach, Tier, field_line, plan_view
from pvenix_tui.models.rollback import RollbackModel, aim_numbers, summary_lines
from pvenix_tui.session import describe

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix.lifecycle.revert import Reverting

_AT_ONCE: Final = 8
"""Hosts whose effects are read side by side: each runs a closure diff and a dry activation."""


async def read_effects(backend: Backend, model: RollbackModel) -> None:
    """Read what changes on every host that goes anywhere, as far as it is not known; a failure is kept by its host."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(host: str, number: int) -> None:
        async with slots:
            await read_effect(backend, model, host, number)

    async with asyncio.TaskGroup() as group:
        for host, number in aim_numbers(model.aims).items():
            group.create_task(one(host, number))


async def read_effect(backend: Backend, model: RollbackModel, host: str, number: int) -> None:
    """Read what going to one generation changes on one host, unless that is known."""
    if (host, number) in model.effects:
        return
    try:
        model.effects[host, number] = await backend.effects(host, number)
        model.failed.pop((host, number), None)
    except PvenixError as error:
        model.failed[host, number] = describe(error)


def rollback_command(plan: RunPlan, model: RollbackModel) -> str:
    """The same from a shell: one host by its number, several each by its own."""
    numbers = aim_numbers(model.aims)
    flags = [
        *(["--boot"] if model.method is Method.BOOT else []),
        *(["--check"] if plan.check else []),
        *(["--step"] if plan.step else []),
    ]
    if len(numbers) == 1:
        host, number = next(iter(numbers.items()))
        return pvenix_line("rollback", host, "--to", str(number), *flags)
    return pvenix_line("rollback", *(f"{host}={number}" for host, number in numbers.items()), *flags)


def rollback_intent(backend: Backend, model: RollbackModel) -> RunIntent:
    """Every host of the model to the generation that was chosen for it; not startable before each one's effects were told."""

    def plan(options: Options) -> RunPlan:
        boot = {"boot": True} if model.method is Method.BOOT else {}
        return backend.plan_rollback(model.aims, check=options.check, step=options.step, **boot)

    async def effects() -> Sequence[Line]:
        await read_effects(backend, model)
        return summary_lines(model, model.method)

    def waits() -> str:
        told = [key for key in aim_numbers(model.aims).items() if key in model.effects or key in model.failed]
        return f"what changes on each host is being read ({len(told)} of {len(model.aims)})"

    reading = Reading(name="Changes", read=effects, needed=True, waits=waits)
    return RunIntent(
        backend, plan, Options(), command=lambda planned: rollback_command(planned, model), readings=(reading,)
    )


class RevertIntent(RunIntent):
    """A commit of main taken back by moving main forward, and the hosts rebuilt."""

    def __init__(self, backend: Backend, found: Reverting, hosts: Sequence[str]) -> None:
        def plan(options: Options) -> RunPlan:
            made = backend.plan_verb("rebuild", hosts, check=options.check, step=options.step)
            return replace(made, title=f"revert {found.revision} and rebuild {', '.join(hosts)}")

        super().__init__(backend, plan, Options())
        self.toggles = frozenset({"step"})
        self._found, self._hosts = found, tuple(hosts)
        self._merged = False

    @override
    def view(self, options: Options) -> PlanView:
        """The commit, its difference taken back, and the rebuild of the hosts."""
        planned = self._viewed = self._plan(options)
        found = self._found
        step = ("--step",) if options.step else ()
        command = pvenix_line("revert", found.revision, *self._hosts, "--merge", *step)
        view = plan_view(planned, command, critical_hosts(self._backend))
        head, tier = view.lines.index(EMPTY), max(view.tier, Tier.READ)
        reach = Reach(tier=tier, why=f"moves main, and rebuilds {', '.join(self._hosts)}")
        others = len([host for host in found.hosts if host not in self._hosts])
        behind = f"{others} other hosts that it concerns run what they run, and are behind main then"
        lines = (
            reach.line,
            *view.lines[1:head],
            field_line("Reverts", f"{found.revision} of {found.commit.author}: {found.commit.subject}"),
            *([field_line("Others", behind, Tone.WARN)] if others else []),
            EMPTY,
            *(line for file in found.files for line in _diff_lines(file.unified)),
            *view.lines[head:],
            EMPTY,
            (("Not undone", Tone.TITLE),),
            *(text_line(f"  {line}") for line in NOT_UNDONE),
        )
        return PlanView(title=view.title, tier=tier, lines=lines, typed_name=view.typed_name, command=command)

    @override
    async def start(self) -> RunDir:
        """Main is moved to exactly what was shown, then the hosts are rebuilt by a run of its own."""
        if not self._merged:
            await self._backend.merge_revert(self._found)
            self._merged = True  # a run that could not be started is started by another y
        return await super().start()

    @override
    async def rehearse(self) -> RunDir:
        """Nothing tells what a rebuild would do before main has moved."""
        raise UsageError(
            "a dry run of the rebuild needs main to have moved", hint="pvenix revert COMMIT -C shows the rest"
        )


def _diff_lines(unified: str) -> list[Line]:
    tones = {"+": Tone.OK, "-": Tone.BAD, "@": Tone.HUNK}
    return [text_line(f"  {line}", tones.get(line[:1], Tone.PLAIN)) for line in unified.splitlines()]
