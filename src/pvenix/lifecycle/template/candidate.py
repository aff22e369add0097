"""The template that a run is about to make: which host may carry it, and what the run's steps know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pvenix.engine.step import Step
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused, UsageError
from pvenix.model.host import Host
from pvenix.model.names import NodeName, Vmid, node_name, vmid
from pvenix.model.site import Template

_PLAYBOOK = "pvenix run playbooks/template-refresh.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A new template that nobody is cloned from yet."""

    node: NodeName
    vmid: Vmid
    system: str
    """The store path that its clones boot."""
    identities: frozenset[str]
    """Machine ids and host keys that none of its clones may have: those of the machine that it was."""

    @property
    def facts(self) -> dict[str, str]:
        """What the steps after it are told."""
        return {
            "new_template": str(self.vmid),
            "new_template_node": self.node,
            "new_template_system": self.system,
            "new_template_was": "\n".join(sorted(self.identities)),
        }

    @classmethod
    def of(cls, facts: Mapping[str, str]) -> Candidate:
        """The template that an earlier step of the run made.

        Raises: UsageError when none did.
        """
        if "new_template" not in facts:
            raise UsageError("no template was built in this run", hint=f"the whole of it: {_PLAYBOOK}")
        return cls(
            node=node_name(facts["new_template_node"]),
            vmid=vmid(facts["new_template"]),
            system=facts["new_template_system"],
            identities=frozenset(facts["new_template_was"].split("\n")),
        )


def to_come(step: Step) -> bool:
    """True when a run that changes nothing has come to the steps after the template would have been built."""
    return step.check and "new_template" not in step.facts


def template_of(world: World, host: Host) -> Template:
    """The template that is made anew: the one that the host is cloned from."""
    return world.fleet.site.templates[host.machine.template]


async def refuse_real_hosts(world: World, host: Host) -> None:
    """Return for a host that is there to become a template; a host with a system of its own never becomes one.

    Raises: Refused.
    """
    machine = host.machine
    if machine.update.canary and not machine.state.managed and not await world.registered(host.name):
        return
    raise Refused(
        f"{host.name} is not there to become a template",
        why="its VM would be one for good; that takes a host with state: archived and update.canary: true, "
        "which is not registered",
        hint="playbooks/template-refresh.yaml says how to add one",
        code="PVX0740",
    )
