"""From a plan to an exit code: the one way in which every command starts a run."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from pvenix.cli.approving import asked_at_once
from pvenix.cli.driver import execute, refuse_unasked
from pvenix.cli.settings import Output, Settings
from pvenix.cli.text import table
from pvenix.model.plan import RunPlan

if TYPE_CHECKING:
    from pvenix.wiring import Workspace

Planner = Callable[["Workspace"], Awaitable[RunPlan]]


def start(settings: Settings, planner: Planner, *, now: bool = False) -> int:
    """The exit code of the run that `planner` asks for, executed in this process; with `now` outside of windows too."""

    async def action(workspace: Workspace) -> int:
        plan = await planner(workspace)
        refuse_unasked(settings, plan)  # before it is recorded: `resume last` is not meant for a run that never began
        return await executed(settings, workspace, plan, now=now)

    return settings.run_async(action)


async def executed(settings: Settings, workspace: Workspace, plan: RunPlan, *, now: bool = False) -> int:
    """The exit code of a new run of `plan`, when a person was asked about what it waits with, if there is one."""
    run = workspace.runs.create(plan)
    if now:
        workspace.allow_now(run)
    return await asked_at_once(settings, workspace, run, await execute(settings, workspace, run))


def show_hosts(settings: Settings, planner: Planner) -> int:
    """Print the hosts of the plan."""
    hosts = settings.run_async(planner).hosts
    if settings.output is Output.TEXT:
        click.echo("\n".join(hosts))
    else:
        click.echo(json.dumps({"schema": "pvenix/hosts/v1", "hosts": list(hosts)}))
    return 0


def show_tasks(settings: Settings, planner: Planner) -> int:
    """Print the plays of the plan with their tasks."""
    plan = settings.run_async(planner)
    if settings.output is not Output.TEXT:
        click.echo(json.dumps(plan.to_json()))
        return 0
    for play in plan.plays:
        count = sum(len(wave) for wave in play.waves)
        waves = f" in {len(play.waves)} waves" if len(play.waves) > 1 else ""
        click.echo(f"{play.name}: {count} host{'s' if count != 1 else ''}{waves}")
        rows = [(task.name, task.verb, ",".join(task.tags)) for task in play.tasks]
        click.echo(table(("TASK", "VERB", "TAGS"), rows))
    return 0
