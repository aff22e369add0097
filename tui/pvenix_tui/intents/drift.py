"""The ways out of what was edited on a host, each as an intent: they start on the plan screen like everything else."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pvenix.engine.runfiles import RunDir
from pvenix.model.drift import HostDrift
from pvenix.model.errors import UsageError
from pvenix.model.plan import RunPlan
from pvenix.model.verbs import Arg
from pvenix_tui.backend import Backend
from pvenix_tui.intents.base import Options, Reading, RunIntent, verb_intent
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line
from pvenix_tui.models.plan import PlanView, Tier, field_line


def adopt_intent(backend: Backend, found: HostDrift) -> RunIntent:
    """Take the edits into a branch, and what the hardware generator writes now where that differs."""
    hardware = found.hardware is not None and bool(found.hardware.diff)
    intent = verb_intent(backend, "adopt-edits", (found.host,), {"hardware": True} if hardware else {})

    async def files() -> Sequence[Line]:
        return _taken(found, hardware=hardware)

    intent.readings = (*intent.readings, Reading(name="Files", read=files))
    return intent


def _taken(found: HostDrift, *, hardware: bool) -> list[Line]:
    """The files that are taken, with what stays where it is."""
    texts = [
        (f"{file.path}{', shared with other hosts' if file.shared else ''}", file.shared) for file in found.adoptable
    ]
    texts += [("the hardware file as its generator writes it now", False)] if hardware else []
    texts += [(f"not {file.path}: {file.stays}", True) for file in found.counted if file.stays]
    return [
        field_line("" if index else "Files", text, Tone.WARN if warns else Tone.PLAIN)
        for index, (text, warns) in enumerate(texts)
    ]


def overwrite_intent(backend: Backend, host: str) -> RunIntent:
    """Rebuild the host from main, once what that puts aside was read."""

    def plan(options: Options) -> RunPlan:
        return backend.plan_verb("rebuild", (host,), check=options.check, step=options.step)

    def command(plan: RunPlan) -> str:
        flags = (*(("--check",) if plan.check else ()), *(("--step",) if plan.step else ()))
        return shlex.join(("pvenix", "drift", "overwrite", host, *flags))

    return RunIntent(backend, plan, Options(), stake=lambda: backend.overwritten(host), command=command)


class IgnoreIntent:
    """Write into the inventory of this checkout that a path of a host may be edited there."""

    toggles: frozenset[str] = frozenset()
    initial = Options()
    extras: Mapping[str, Arg] = MappingProxyType({})
    readings: Sequence[Reading] = ()

    def __init__(self, backend: Backend, host: str, path: str) -> None:
        self._backend, self._host, self._path = backend, host, path

    def view(self, options: Options) -> PlanView:
        """The path, the file that is changed, and what that means."""
        del options
        command = shlex.join(("pvenix", "drift", "ignore", self._host, self._path))
        lines: list[Line] = [
            field_line("Path", self._path, Tone.STRONG),
            field_line("File", f"inventory/host_vars/{self._host}.yaml of this checkout, machine.drift.ignore"),
            EMPTY,
            text_line("Edits there are no drift any more, and a rebuild leaves them where they are.", Tone.DIM),
            text_line("Nothing is committed: push the change for other operators to see it.", Tone.DIM),
            EMPTY,
            field_line("Command", command, Tone.ACCENT),
        ]
        return PlanView(
            title=f"ignore {self._path} on {self._host}", tier=Tier.KEY, lines=tuple(lines), command=command
        )

    async def start(self) -> str:
        """What was done, in words. Raises: InvalidInput, LocalResource."""
        changed = await asyncio.to_thread(self._backend.ignore_drift, self._host, self._path)
        return f"{self._path} is ignored on {self._host}" + ("" if changed else " already")

    async def rehearse(self) -> RunDir:
        """There is no dry run of it: the plan says all. Raises: UsageError, always."""
        raise UsageError("there is no dry run of an edit of the inventory")
