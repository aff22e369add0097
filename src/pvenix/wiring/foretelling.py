"""What can be told of a plan before it starts, and where the plans of hosts and playbooks come from; nothing is asked outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from pvenix.adapters.clock import SystemClock
from pvenix.engine.trust import own_host_keys
from pvenix.model.generation import Generation
from pvenix.model.plan import ArgValue, RunPlan
from pvenix.wiring.plans import Plans

if TYPE_CHECKING:
    from pvenix.engine.durations import Durations, History
    from pvenix.fleet.playbooks import Playbook
    from pvenix.lifecycle.gates import Gate


class Foretelling(Plans):
    """From a plan to what will be waited for and how long it takes."""

    def plan_rollback(self, aims: Mapping[str, Generation], **mode: bool | int) -> RunPlan:
        """Each host to a generation of its own, in one run that is bound to the systems that were shown."""
        args: dict[str, ArgValue] = {"boot": True} if mode.pop("boot", False) else {}
        if len(aims) == 1:
            args["to"] = next(iter(aims.values())).number
        run = self.plan_verb("rollback", tuple(aims), args=args, **mode)
        return replace(run, decisions={host: {"back_to": aim.path} for host, aim in aims.items() if aim.path})

    def durations(self) -> Durations:
        """What steps took in earlier runs; reads files, so it is for a thread."""
        return self._history.read(self.runs, {name: host.roles for name, host in self.fleet().hosts.items()})

    @cached_property
    def _history(self) -> History:
        from pvenix.engine.durations import History

        return History()

    def gates(self, plan: RunPlan) -> tuple[Gate, ...]:
        """The approvals that a plan will or may ask for, and the windows that are shut now."""
        from pvenix.lifecycle.gates import gates

        return gates(self.fleet(), plan, datetime.fromisoformat(SystemClock().utc()))

    def own_hosts(self) -> frozenset[str]:
        """The hosts that this pvenix runs on: what would end it is refused for them."""
        from pvenix.lifecycle.selfguard import runs_pvenix

        fleet, trust, keys = self.fleet(), self.trust, own_host_keys()
        return frozenset(host for host in fleet.hosts if runs_pvenix(fleet, trust, keys, host))

    def playbooks(self) -> tuple[Playbook, ...]:
        """The fleet's playbooks, and those that only ship with pvenix; a broken one with its findings."""
        from pvenix.fleet.playbooks import playbooks

        return playbooks(self.root)
