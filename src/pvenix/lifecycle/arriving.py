"""The way of a clone as it was decided: which template, where it lands, whether it moves on; and the moving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pvenix.engine.ports import NewVm
from pvenix.engine.step import Step
from pvenix.lifecycle.calls import Call, VmCalls, clone_call
from pvenix.lifecycle.making import DECIDED, LOST_PATIENCE_S, TASK_TIMEOUT_S, appeared
from pvenix.lifecycle.ownership import Found, marker
from pvenix.lifecycle.placement import Way
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import carried_out
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, RemoteFailure
from pvenix.model.names import NodeName, Vmid, node_name, vmid

_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """How a host's VM comes to its node."""

    way: Way
    node: NodeName
    vmid: Vmid
    storage: str
    template: Vmid
    source: NodeName

    @classmethod
    def of(cls, facts: Mapping[str, str]) -> Journey | None:
        """The journey that `facts` tell of, None when they do not tell of a whole one."""
        if not set(DECIDED) <= facts.keys():
            return None
        return cls(
            way=Way(facts["route"]),
            node=node_name(facts["node"]),
            vmid=vmid(facts["vmid"]),
            storage=facts["storage"],
            template=vmid(facts["template"]),
            source=node_name(facts["source"]),
        )

    @property
    def facts(self) -> dict[str, str]:
        """What `of` reads."""
        values = (self.node, str(self.vmid), str(self.way), self.storage, str(self.template), self.source)
        return dict(zip(DECIDED, values, strict=True))

    @property
    def landing(self) -> NodeName:
        """The node that the clone is made on."""
        return self.source if self.way is Way.MIGRATE else self.node

    def ends_elsewhere(self, found: Found) -> bool:
        """True when the VM still has to move to its node."""
        return (
            self.way is Way.MIGRATE and (found.vmid, found.node) == (self.vmid, self.source) and found.node != self.node
        )

    def cloning(self, world: World, step: Step) -> Call[str]:
        """The clone; `storage` is for full ones only, a linked one stays where its template is."""
        full = self.way is not Way.LINKED
        new = NewVm(
            vmid=self.vmid,
            name=step.host,
            description=marker(step.host, fleet=world.fleet.site.name, run=step.run),
            target=self.landing if self.landing != self.source else None,
            full=full,
            storage=self.storage if full else None,
            pool=world.host(step).machine.proxmox.pool or None,
        )
        return clone_call(world.pve, self.source, self.template, new)

    def moving(self, world: World) -> Call[str]:
        """The migration of the new VM, which is off."""
        return VmCalls(world.pve, self.source, self.vmid).migrate(self.node, online=False, local_disks=True)


async def arrived(world: World, step: Step, journey: Journey | None, found: Found) -> Found:
    """The VM on the node that was decided; a clone that is still on its template's node moves there.

    Raises: RemoteFailure, OutcomeUnknown; the VM stays whole where it is then, and is found there by another attempt.
    """
    if journey is None or not journey.ends_elsewhere(found):
        return found
    await step.intend(**journey.facts, moving=journey.node)
    use = Use(node=journey.source, transfer=(journey.source, journey.node))
    try:
        await carried_out(world, step, journey.moving(world), use, timeout_s=TASK_TIMEOUT_S)
    except (OutcomeUnknown, RemoteFailure) as error:
        step.tell(f"looking where VM {journey.vmid} is, after: {error}")
        moved = await _moved(
            world, step, journey, patience_s=0 if isinstance(error, RemoteFailure) else LOST_PATIENCE_S
        )
        if moved is None:
            raise
        return moved
    finally:
        world.survey.outdated()
    config = await world.pve.config(journey.node, journey.vmid)
    if config is None:
        raise RemoteFailure(
            f"VM {journey.vmid} is not on {journey.node} although its migration ended well", code="PVX0515"
        )
    return Found(node=journey.node, vmid=journey.vmid, config=config)


async def _moved(world: World, step: Step, journey: Journey, *, patience_s: float) -> Found | None:
    """The VM on its node, None when it has not gone there after `patience_s` seconds."""
    until_s = world.clock.monotonic() + patience_s
    while True:
        found = await appeared(world, step, journey.vmid, (journey.node, journey.source))
        if found is not None and found.node == journey.node:
            return found
        if world.clock.monotonic() >= until_s:
            return None
        await world.clock.sleep(_PAUSE_S)
