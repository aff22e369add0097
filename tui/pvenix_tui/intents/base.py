"""What a person wants to do, from its plan to its start: the plan screen shows one of these and starts nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Protocol

from pvenix.engine.runfiles import RunDir
from pvenix.model.cutting import cuts, cutting_options
from pvenix.model.errors import UsageError
from pvenix.model.plan import ArgValue, RunPlan
from pvenix.model.verbs import ONBOARDING, VERBS, Arg
from pvenix_tui.backend import Backend
from pvenix_tui.glyphs import ELLIPSIS
from pvenix_tui.models.commandline import equivalent
from pvenix_tui.models.lines import Line, Tone
from pvenix_tui.models.plan import CRITICAL, PlanView, field_line, gate_lines, plan_view, takes_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be switched on the plan screen."""

    check: bool = False
    step: bool = False
    comment: str = ""
    args: Mapping[str, ArgValue] = field(default_factory=dict)
    """What the verb is told beyond what it needs."""


Stake = Callable[[], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Something about a plan that is read while the plan shows."""

    name: str
    read: Callable[[], Awaitable[Sequence[Line]]]
    """The lines that stand in the plan then, none for nothing worth telling. Raises: PvenixError."""
    needed: bool = False
    """Whether the plan cannot be started before it was read, and the plan with it to its end."""
    waits: Callable[[], str] = lambda: "what goes with it is being read"
    """What the plan waits for until then."""
    blocks: Callable[[], str] = lambda: ""
    """Why the plan cannot be started as it is, and what helps; empty when nothing that was read keeps it."""


class Intent(Protocol):
    """Something that has to be confirmed before it is done."""

    toggles: frozenset[str]
    """Which of `check`, `step`, `options`, `comment` and `commands` it has."""
    initial: Options
    extras: Mapping[str, Arg]
    """What can be told beyond what is needed."""
    readings: Sequence[Reading]
    """What is read for the plan that was last viewed."""

    def view(self, options: Options) -> PlanView:
        """What would be done. Raises: PvenixError when it cannot be planned."""

    async def start(self) -> object:
        """Do exactly what was last viewed; for runs the run's directory. Raises: PvenixError."""

    async def rehearse(self) -> RunDir:
        """A run that looks and says what the last viewed one would do. Raises: PvenixError."""


_NO_ARGS: Final[Mapping[str, Arg]] = MappingProxyType({})


class RunIntent:
    """A run of verbs on hosts."""

    def __init__(
        self,
        backend: Backend,
        plan: Callable[[Options], RunPlan],
        initial: Options,
        *,
        extras: Mapping[str, Arg] = _NO_ARGS,
        stake: Stake | None = None,
        command: Callable[[RunPlan], str] = equivalent,
        readings: Sequence[Reading] = (),
    ) -> None:
        self.toggles = frozenset({"check", "step", "commands", *(("options",) if extras else ())})
        self.initial, self.extras = initial, extras
        self.readings: Sequence[Reading] = (
            Reading(name="Takes", read=self._takes),
            Reading(name="Waits", read=self._waits),
            *([_stake_reading(stake)] if stake else []),
            *readings,
        )
        self._backend = backend
        self._plan = plan
        self._command = command
        self._viewed: RunPlan | None = None

    @property
    def planned(self) -> RunPlan:
        """What was last viewed. Raises: UsageError when nothing was."""
        if self._viewed is None:
            raise UsageError("nothing was planned")
        return self._viewed

    def view(self, options: Options) -> PlanView:
        """The plan for these options, kept for `start`."""
        self._viewed = None
        self._viewed = self._plan(options)
        whole = any(reading.needed for reading in self.readings)
        return plan_view(self._viewed, self._command(self._viewed), critical_hosts(self._backend), whole=whole)

    async def start(self) -> RunDir:
        """The run, started as a process of its own."""
        return await asyncio.to_thread(self._backend.start_detached, self.planned)

    async def rehearse(self) -> RunDir:
        """The same run with --check, started as a process of its own."""
        plan = replace(self.planned, check=True, step=False)
        return await asyncio.to_thread(self._backend.start_detached, plan)

    async def _takes(self) -> Sequence[Line]:
        from pvenix.engine.durations import estimate

        times = await asyncio.to_thread(self._backend.durations)
        return [] if self.planned.check else [takes_line(estimate(self.planned, times))]

    async def _waits(self) -> Sequence[Line]:
        return [] if self.planned.check else gate_lines(await asyncio.to_thread(self._backend.gates, self.planned))


def critical_hosts(backend: Backend) -> frozenset[str]:
    """The hosts of the inventory that are in a group for production. Raises: InvalidInput."""
    return frozenset(name for name, host in backend.fleet().hosts.items() if CRITICAL & set(host.groups))


def _stake_reading(stake: Stake) -> Reading:
    async def read() -> Sequence[Line]:
        return [
            field_line("" if index else "At stake", text, Tone.BAD if text.startswith("refused") else Tone.WARN)
            for index, text in enumerate(await stake())
        ]

    return Reading(name="At stake", read=read, needed=True)


def verb_intent(
    backend: Backend,
    verb: str,
    hosts: Sequence[str],
    args: Mapping[str, ArgValue],
    *,
    readings: Sequence[Reading] = (),
) -> RunIntent:
    """One verb on hosts."""

    def plan(options: Options) -> RunPlan:
        told = {**needed, **options.args}
        _refuse_cutting(backend, verb, hosts, told)
        return backend.plan_verb(verb, hosts, args=told, check=options.check, step=options.step)

    extras = {key: arg for key, arg in VERBS[verb].args.items() if not arg.required and verb != "review"}
    needed = {key: value for key, value in args.items() if key not in extras}
    initial = Options(args={key: value for key, value in args.items() if key in extras})
    command = _adoption(backend) if verb == "adopt" else equivalent
    stake = _stake(backend, verb, hosts, args)
    return RunIntent(backend, plan, initial, extras=extras, stake=stake, command=command, readings=readings)


def _refuse_cutting(backend: Backend, verb: str, hosts: Sequence[str], args: Mapping[str, ArgValue]) -> None:
    """Return unless the verb would end the pvenix that does it, as the run itself would find.

    Raises: UsageError.
    """
    if not cuts(verb, args):
        return
    own = next((host for host in hosts if host in backend.own_hosts()), "")
    if own:
        what = f"{verb}{cutting_options(verb, args)}"
        raise UsageError(
            f"{own} runs pvenix; {what} would cut the branch it sits on",
            hint="run it from another machine, or do it in Proxmox",
        )


def _stake(backend: Backend, verb: str, hosts: Sequence[str], args: Mapping[str, ArgValue]) -> Stake | None:
    """What reads the consequences of a verb that destroys more than it names."""
    match verb:
        case "destroy" | "retire":
            return lambda: backend.consequences(hosts[0])
        case "restore":

            async def losses() -> Sequence[str]:
                return await (await backend.day_two()).losses(hosts[0], str(args["to"]))

            return losses
        case _:
            return None


def inventory_vmid(backend: Backend, host: str) -> str:
    """The id that the inventory gives the host's VM, empty when it gives none. Raises: PvenixError."""
    fields = backend.fleet().explain(host, "proxmox.vmid")
    return next((str(field.value) for field in fields if field.field == "proxmox.vmid" and field.value), "")


def _adoption(backend: Backend) -> Callable[[RunPlan], str]:
    """The command `pvenix adopt` takes the VM's id, which the verb reads from the inventory."""

    def command(plan: RunPlan) -> str:
        return equivalent(plan).replace("VMID", inventory_vmid(backend, plan.hosts[0]) or "VMID", 1)

    return command


def onboarding_intent(backend: Backend, hosts: Sequence[str]) -> RunIntent:
    """The whole way from a line in the inventory to a running host, waiting before every step."""

    def plan(options: Options) -> RunPlan:
        plan = backend.plan_verbs(ONBOARDING, hosts, check=options.check, step=options.step)
        return replace(plan, title=plan.title.replace(f"{ONBOARDING[0]} {ELLIPSIS} {ONBOARDING[-1]}", "onboard", 1))

    return RunIntent(backend, plan, Options(step=True))
