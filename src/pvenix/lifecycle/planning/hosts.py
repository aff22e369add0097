"""The plan of one host: what is there is read, compared with the inventory, and put in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pvenix.lifecycle.fields.effects import SYS_MODIFY
from pvenix.lifecycle.ownership import STRANGER, Found, is_tagged
from pvenix.lifecycle.placement import Decision, decide_all
from pvenix.lifecycle.planning.comparing import compared, wanted_power
from pvenix.lifecycle.planning.looking import Looker
from pvenix.lifecycle.planning.origins import finding
from pvenix.lifecycle.planning.problems import problems
from pvenix.lifecycle.planning.scope import PLANNED
from pvenix.lifecycle.planning.words import adding, changing, destroying, going_on
from pvenix.lifecycle.removal import consequences, obstacle
from pvenix.lifecycle.world import World
from pvenix.model.errors import ExitCode, PvenixError, Refused, UsageError
from pvenix.model.findings import Finding
from pvenix.model.fleetplan import Action, Effect, FieldPlan, FieldState, HostPlan
from pvenix.model.host import Host, Install, State
from pvenix.model.privileges import effective

_IMPOSSIBLE: Final = {Effect.REFUSE: "PVX0561", Effect.RECREATE: "PVX0562"}


class HostPlanner:
    """Plans hosts of one picture of the site."""

    def __init__(self, world: World, looker: Looker) -> None:
        self._world = world
        self._looker = looker
        self.vmids: set[int] = set()
        """The VMs that were found to be hosts' own."""

    async def look(self, name: str) -> HostPlan:
        """The host as it is; one that needs a VM is `ADD`, without a place for it."""
        host = self._world.fleet.hosts[name]
        if host.machine.state not in PLANNED:
            note = PvenixError(f"{name} is {host.machine.state}: nothing of it is compared", code="PVX0574")
            return HostPlan(host=name, action=Action.NONE, findings=(self._note(host, note),))
        try:
            return await self._look(host)
        except (Refused, UsageError) as error:
            if host.machine.state is State.ABSENT and error.code == STRANGER:
                return HostPlan(host=name, action=Action.NONE, findings=(self._note(host, error),))
            return self._refused(host, error)
        except PvenixError as error:
            return replace(self._refused(host, error), action=Action.UNKNOWN, exit_code=int(error.exit_code))

    async def place(self, plans: Sequence[HostPlan]) -> list[HostPlan]:
        """Hosts that need a VM, each with the place that is reserved for it; refused where there is none."""
        hosts = [self._world.fleet.hosts[plan.host] for plan in plans]
        wrong = {host.name: await self._problems(host) for host in hosts}
        placeable = [host for host in hosts if all(one.warning for one in wrong[host.name])]
        decided = await decide_all(self._world, placeable)
        return [self._placed(plan, wrong[plan.host], decided.get(plan.host)) for plan in plans]

    async def _problems(self, host: Host) -> tuple[Finding, ...]:
        try:
            return await problems(self._world, host, None)
        except PvenixError as error:
            return (finding(self._world.fleet, host, error),)

    def _placed(
        self, plan: HostPlan, findings: tuple[Finding, ...], decision: Decision | PvenixError | None
    ) -> HostPlan:
        host = self._world.fleet.hosts[plan.host]
        if decision is None:
            return replace(plan, action=Action.REFUSE, findings=findings, exit_code=int(ExitCode.USAGE))
        if isinstance(decision, PvenixError):
            refused = self._refused(host, decision)
            return replace(refused, findings=(*findings, *refused.findings))
        warned = tuple(self._note(host, PvenixError(text, code="PVX0563")) for text in decision.warnings)
        return replace(
            plan,
            vmid=int(decision.vmid),
            node=decision.node,
            decision=decision.facts,
            steps=adding(host, decision),
            findings=(*findings, *warned),
        )

    async def _look(self, host: Host) -> HostPlan:
        found = await self._world.vms.find(host.name)
        if found is None:
            self._world.vms.refuse_blind(host.name, await self._world.survey.permissions())
            if host.machine.state is State.ABSENT:
                return HostPlan(host=host.name, action=Action.NONE)
            if host.machine.install is Install.ADOPT:
                raise _nothing_to_adopt(host.name)
            return HostPlan(host=host.name, action=Action.ADD)
        self.vmids.add(int(found.vmid))
        listed = next((vm for vm in await self._world.survey.vms() if vm.vmid == found.vmid), None)
        seen = HostPlan(
            host=host.name,
            action=Action.NONE,
            vmid=int(found.vmid),
            node=found.node,
            uuid=found.config.uuid,
            digest=found.config.digest,
            power=await self._power(host, found, listed.status if listed else "unknown"),
            lock=found.config.values.get("lock", ""),
            ha=listed.ha if listed else "",
        )
        if host.machine.state is State.ABSENT:
            return await self._destroyed(host, found, seen)
        return await self._changed(host, found, seen)

    async def _power(self, host: Host, found: Found, listed: str) -> str:
        """Whether it runs: as the cluster lists it, and where that is not as it should be, as its node says now."""
        if listed == wanted_power(host):
            return listed
        return (await self._world.pve.power(found.node, found.vmid)).status

    async def _destroyed(self, host: Host, found: Found, seen: HostPlan) -> HostPlan:
        refused = obstacle(host, found)
        if refused is None and not (self._world.vms.owns(found.config, host.name) and is_tagged(found.config)):
            refused = _not_ours(found, host.name)
        if refused is not None:
            return replace(self._refused(host, refused, field="state"), vmid=seen.vmid, node=seen.node, uuid=seen.uuid)
        return replace(
            seen,
            action=Action.DESTROY,
            decision={"node": found.node, "vmid": str(found.vmid)},
            steps=destroying(found, seen.power, await consequences(self._world, found)),
        )

    async def _changed(self, host: Host, found: Found, seen: HostPlan) -> HostPlan:
        world, present = self._world, self._looker.seen(found.node, found.vmid)
        fields = await compared(world, host, found, present, power=seen.power)
        plan = replace(
            seen,
            fields=tuple(one for one in fields if one.state is not FieldState.EQUAL),
            equal=sum(one.state is FieldState.EQUAL for one in fields),
        )
        if not world.vms.owns(found.config, host.name):
            note = PvenixError(
                f"VM {found.vmid} was not made by pvenix: its settings stay as they are",
                hint=f"pvenix adopt {found.vmid} {host.name}",
                code="PVX0564",
            )
            return replace(plan, findings=(self._note(host, note),))
        impossible = tuple(self._impossible(host, one) for one in plan.fields if one.effect in _IMPOSSIBLE)
        known = {(one.file, one.line, one.column) for one in impossible}
        wrong = await problems(world, host, present)
        findings = (*impossible, *(one for one in wrong if (one.file, one.line, one.column) not in known))
        if any(not one.warning for one in findings):
            return replace(plan, action=Action.REFUSE, findings=findings, exit_code=int(ExitCode.USAGE))
        if forbidden := await self._forbidden(host, plan):
            findings = (*forbidden, *findings)
            return replace(plan, action=Action.REFUSE, findings=findings, exit_code=int(ExitCode.REFUSED))
        plan = replace(plan, findings=findings)
        begun = {"node": found.node, "vmid": str(found.vmid)}
        made = host.machine.install is not Install.ADOPT
        if made and host.machine.state is State.PRESENT and world.trust.get(host.name) is None:
            return replace(plan, action=Action.ADD, decision=begun, steps=going_on(host, found))
        steps = changing(host, plan)
        return replace(plan, action=Action.CHANGE, decision=begun, steps=steps) if steps else plan

    async def _forbidden(self, host: Host, plan: HostPlan) -> tuple[Finding, ...]:
        """Fields that this token may not write: an apply would do the others, and fail halfway."""
        fields = [one for one in plan.fields if one.state.differs and SYS_MODIFY in one.note]
        if not fields or "Sys.Modify" in effective(await self._world.survey.permissions(), "/"):
            return ()
        error = PvenixError(
            f"the API token may not write {', '.join(one.field for one in fields)}",
            why="it lacks Sys.Modify on /",
            hint="pvenix doctor prints the line that grants it",
            code="PVX0573",
        )
        return (finding(self._world.fleet, host, error, field=fields[0].field),)

    def _impossible(self, host: Host, one: FieldPlan) -> Finding:
        error = PvenixError(
            f"{one.field} cannot go from {one.there or 'nothing'} to {one.desired or 'nothing'}",
            why=one.note,
            hint=_way_on(host.name, one),
            code=_IMPOSSIBLE[one.effect],
        )
        return finding(self._world.fleet, host, error, field=one.field)

    def _refused(self, host: Host, error: PvenixError, *, field: str = "") -> HostPlan:
        """A host of which nothing is done; what is wrong with it is a matter of its files unless a right is missing."""
        return HostPlan(
            host=host.name,
            action=Action.REFUSE,
            findings=(finding(self._world.fleet, host, error, field=field),),
            exit_code=int(ExitCode.REFUSED if isinstance(error, Refused) else ExitCode.USAGE),
        )

    def _note(self, host: Host, error: PvenixError) -> Finding:
        return finding(self._world.fleet, host, error, warning=True)


def _way_on(name: str, one: FieldPlan) -> str:
    if one.state is FieldState.DRIFT:
        hint = f"accept what it is: pvenix plan -l {name} --accept-drift"
    else:
        hint = "take the change back"
    return hint + (f", or have another VM made: pvenix reprovision {name}" if one.effect is Effect.RECREATE else "")


def _nothing_to_adopt(name: str) -> UsageError:
    return UsageError(
        f"{name} is to be adopted, and no VM is its own",
        why="install: adopt makes none",
        hint=f"pvenix adopt VMID {name}, or another `install`",
        code="PVX0569",
    )


def _not_ours(found: Found, name: str) -> Refused:
    return Refused(
        f"VM {found.vmid} does not carry pvenix's marker for {name}",
        hint="pvenix destroys only what it made; remove the VM in Proxmox if that is what you want",
        code="PVX0542",
    )
