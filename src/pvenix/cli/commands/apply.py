"""`pvenix apply`: bring hosts to what the inventory says, by a new plan or by one that was kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pvenix.cli.commands.plan import plan_now, show_plan
from pvenix.cli.driver import refuse_unasked
from pvenix.cli.lazy import Command
from pvenix.cli.nothing import NothingToDo
from pvenix.cli.prompts import confirm, typed
from pvenix.cli.render.plan import plan_text
from pvenix.cli.selection import How, complete_hosts, run_options
from pvenix.cli.settings import Output, Settings, talk
from pvenix.cli.starting import executed, show_hosts
from pvenix.cli.text import columns
from pvenix.model.errors import ExitCode, UsageError, worst
from pvenix.model.fleetplan import Action, FleetPlan

if TYPE_CHECKING:
    from pvenix.model.plan import RunPlan
    from pvenix.wiring import Workspace


@click.command(
    "apply",
    cls=Command,
    examples=(
        "pvenix apply",
        "pvenix apply role_dns -C                       the exact calls, and nothing else",
        "pvenix plan --out changes.json && pvenix apply changes.json --yes",
        "pvenix apply web03 --yes --confirm web03       web03 has `state: absent`: its VM is destroyed",
    ),
)
@click.argument(
    "what", nargs=-1, metavar="[FILE | HOST...]", shell_complete=complete_hosts,
    help="A plan that `pvenix plan --out` kept, or hosts, groups and patterns; all of them unless said.",
)  # fmt: skip
@click.option("--confirm", "confirmed", multiple=True, metavar="HOST", help="Yes, destroy the VM of this host.")
@click.option("--reboot", is_flag=True, help="Reboot once where a change needs it, whatever update.reboot says.")
@click.option("--offline", is_flag=True, help="Shut down for what only a VM that is off takes, and start it again.")
@run_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    what: tuple[str, ...],
    confirmed: tuple[str, ...],
    reboot: bool,
    offline: bool,
    how: How,
) -> int:
    """Plan, show the plan, ask, and do it in one run.

    A plan from a file is made anew before, and refused when anything is not as it was: commit, inventory, a VM's
    options, power or place. What has `state: absent` is destroyed when its name is typed or confirmed.
    """
    kept = _kept(what, how)
    if kept is not None and not settings.overrides:
        settings.overrides = dict(kept.extra)

    async def made(workspace: Workspace) -> tuple[FleetPlan, RunPlan]:
        plan = await _plan(workspace, kept, what, how)
        return plan, workspace.plan_apply(plan, reboot=reboot, offline=offline, **how.mode)

    async def planner(workspace: Workspace) -> RunPlan:
        return (await made(workspace))[1]

    async def action(workspace: Workspace) -> int:
        return await _apply(settings, workspace, *await made(workspace), confirmed, now=how.now)

    return show_hosts(settings, planner) if how.list_hosts else settings.run_async(action)


def _kept(what: tuple[str, ...], how: How) -> FleetPlan | None:
    """The plan of the file that the command line names, None when it names hosts."""
    if not any(word.endswith(".json") or Path(word).is_file() for word in what):
        return None
    if len(what) > 1 or how.limit:
        raise UsageError("a plan says itself which hosts it is for", hint=f"pvenix apply {what[0]}")
    from pvenix.lifecycle.planning.saved import read_plan

    return read_plan(Path(what[0]))


async def _plan(workspace: Workspace, kept: FleetPlan | None, what: tuple[str, ...], how: How) -> FleetPlan:
    if kept is None:
        return await plan_now(workspace, what, how.limit)
    from pvenix.lifecycle.planning.stale import refuse_stale

    fleet = workspace.fleet().site.name
    if kept.fleet != fleet:
        raise UsageError(f"the plan is for the fleet {kept.fleet[:60]}, not for {fleet}", hint="--fleet DIR")
    now = await workspace.plan_fleet(kept.pattern, kept.limit)
    refuse_stale(kept, now)
    return now


async def _apply(
    settings: Settings, workspace: Workspace, plan: FleetPlan, run: RunPlan, confirmed: tuple[str, ...], *, now: bool
) -> int:
    if settings.output is Output.TEXT:
        talk(plan_text(plan, width=columns(), verbose=settings.verbose > 0))
    refused = worst([ExitCode(host.exit_code) for host in plan.hosts])
    if not run.plays and refused is ExitCode.OK:
        raise NothingToDo("nothing to do: every host is as it should be")
    if not run.plays:
        if settings.output is not Output.TEXT:
            show_plan(settings, plan)
        return refused
    refuse_unasked(settings, run)
    _ask(settings, plan, confirmed, check=run.check)
    code = await executed(settings, workspace, run, now=now)
    new = [host.host for host in plan.hosts if host.action is Action.ADD]
    if new and code == ExitCode.OK:
        talk(f"next: pvenix run playbooks/onboard.yaml -l {':'.join(new)}")
    return worst([ExitCode(code), refused])


def _ask(settings: Settings, plan: FleetPlan, confirmed: tuple[str, ...], *, check: bool) -> None:
    """Return when the person wants the plan, and each machine gone that it destroys.

    Raises: UsageError when not, or nobody can be asked; nothing was changed then.
    """
    doomed = [host.host for host in plan.hosts if host.action is Action.DESTROY]
    unknown = [name for name in confirmed if name not in doomed]
    if unknown:
        raise UsageError(f"--confirm {unknown[0]}: the plan does not destroy {unknown[0]}", why="nothing was changed")
    if check:
        return
    for name in doomed:
        if name not in confirmed:
            typed(settings, f"the VM of {name} will be destroyed; type its name", name, f"--confirm {name}")
    confirm(settings, f"do it ({plan.todo or 'a reboot of what waits for one'})?")
