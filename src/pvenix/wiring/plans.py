"""What a person asks for, as runs and fleet plans; nothing is done here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix.fleet import planning
from pvenix.model.act import Act
from pvenix.model.plan import ArgValue, PlayPlan, RunPlan, Task
from pvenix.model.verbs import BUILDING
from pvenix.operator import operator
from pvenix.wiring.noting import Noting

if TYPE_CHECKING:
    from pvenix.lifecycle.planning.drift import Accepted
    from pvenix.model.fleetplan import FleetPlan


class Plans(Noting):
    """From verbs, playbooks and what the site has to what will be done."""

    def plan_verb(
        self, verb: str, hosts: Sequence[str], *, args: Mapping[str, ArgValue] | None = None, **mode: bool | int
    ) -> RunPlan:
        """One verb on some hosts; `mode` takes check, diff, step and forks."""
        plays = planning.one_play((Task(verb=verb, args=dict(args or {})),), hosts)
        if verb in BUILDING and len(hosts) > 1:  # what cannot work is told of all before anything is built for one
            plays = (*planning.one_play((Task(verb="preflight"),), hosts), *plays)
        return self._run_plan(plays, mode, title=plays[-1].name)

    def plan_verbs(
        self,
        verbs: Sequence[str],
        hosts: Sequence[str],
        *,
        args: Mapping[str, Mapping[str, ArgValue]] | None = None,
        **mode: bool | int,
    ) -> RunPlan:
        """Several verbs in order on some hosts, such as the whole onboarding; `args` by verb."""
        tasks = tuple(Task(verb=verb, args=dict((args or {}).get(verb, {}))) for verb in verbs)
        return self._run_plan(planning.one_play(tasks, hosts), mode)

    def plan_playbook(
        self,
        path: Path,
        *,
        limit: str = "all",
        tags: Sequence[str] = (),
        skip_tags: Sequence[str] = (),
        start_at: str = "",
        extra: Mapping[str, ArgValue] | None = None,
        **mode: bool | int,
    ) -> RunPlan:
        """A playbook on the hosts that it and `limit` name.

        Raises: InvalidInput with every finding, UsageError for an unknown host or task.
        """
        plays = planning.playbook_plays(
            self.fleet(), path, limit=limit, tags=tags, skip_tags=skip_tags, start_at=start_at, extra=dict(extra or {})
        )
        return replace(self._run_plan(plays, mode, title=path.stem), named=False)

    async def plan_fleet(self, pattern: str, limit: str = "") -> FleetPlan:
        """What the site has against what the inventory wants of the hosts that both patterns mean."""
        from pvenix.adapters.git.checkout import head
        from pvenix.lifecycle.planning.building import fleet_plan
        from pvenix.lifecycle.unfinished import unfinished

        world = await self._site(fresh=True)
        commit = await head(self.root, home=self._git_home())
        made = unfinished(self.runs)
        return await fleet_plan(world, pattern=pattern, limit=limit, commit=commit, extra=self._extra, made=made)

    def plan_apply(
        self, plan: FleetPlan, *, reboot: bool = False, offline: bool = False, **mode: bool | int
    ) -> RunPlan:
        """The run that does what a plan says, bound to what it decided; without plays when there is nothing to do."""
        from pvenix.lifecycle.planning.running import decisions_of, plays_of

        run = self._run_plan(plays_of(self.fleet(), plan, reboot=reboot, offline=offline), mode, title="apply")
        return replace(run, decisions=decisions_of(plan))

    async def accept_drift(self, plan: FleetPlan, fields: Sequence[str] = ()) -> tuple[Accepted, ...]:
        """Push what a plan found changed at Proxmox to a branch of each host, for a review."""
        self.refuse_change("push a branch")
        from pvenix.lifecycle.planning.drift import accept_drift

        found = await accept_drift(await self._site(), plan, fields)
        for each in found:
            if each.new:
                self.note(Act.ACCEPT_DRIFT, host=each.host, commit=each.commit, about=each.branch)
        return found

    def _run_plan(self, plays: tuple[PlayPlan, ...], mode: Mapping[str, bool | int], *, title: str = "") -> RunPlan:
        return RunPlan(
            title=title or plays[0].name,
            plays=plays,
            fleet=str(self.root),
            inventory=str(self._inventory.absolute()) if self._inventory else "",
            check=bool(mode.get("check", False)),
            diff=bool(mode.get("diff", False)),
            step=bool(mode.get("step", False)),
            forks=int(mode.get("forks", 32)),
            extra=self._extra,
            operator=operator(),
        )
