"""`pvenix plan`: what an apply would do, host by host and field by field."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pvenix.cli.lazy import Command
from pvenix.cli.render.plan import plan_text
from pvenix.cli.selection import PATTERNS, host_argument, names_now
from pvenix.cli.settings import Output, Settings, talk
from pvenix.cli.text import clean, columns
from pvenix.model.errors import UsageError
from pvenix.model.fleetplan import FleetPlan

if TYPE_CHECKING:
    from pvenix.lifecycle.planning.drift import Accepted
    from pvenix.wiring import Workspace


@click.command(
    "plan",
    cls=Command,
    examples=(
        "pvenix plan",
        "pvenix plan role_dns -v                        unmanaged fields too",
        "pvenix plan --out changes.json && pvenix apply changes.json",
        "pvenix plan -l dns01 --accept-drift            drift becomes a commit for a review",
    ),
)
@host_argument(required=False)
@click.option("-l", "--limit", metavar="PATTERN", help=f"Only these. {PATTERNS}")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Keep the plan in a file, for an apply.")
@click.option("--accept-drift", is_flag=True, help="Push what was changed at Proxmox to a branch of the fleet.")
@click.option("--field", "fields", multiple=True, metavar="FIELD", help="Only this field's drift; repeated for more.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    hosts: tuple[str, ...],
    limit: str | None,
    out: Path | None,
    accept_drift: bool,
    fields: tuple[str, ...],
) -> int:
    """Compare what the inventory wants with what was applied and what Proxmox has, and change nothing.

    Exit code 0 when there is nothing to do, 3 when something would change, 2 when something of the files cannot be
    done, 4 when a host could not be looked at, 8 when a right is missing.
    """
    if fields and not accept_drift:
        raise UsageError("--field says which drift to accept", hint="add --accept-drift")

    async def action(workspace: Workspace) -> tuple[FleetPlan, tuple[Accepted, ...]]:
        plan = await plan_now(workspace, hosts, limit)
        return plan, await workspace.accept_drift(plan, fields) if accept_drift else ()

    plan, accepted = settings.run_async(action)
    if out is not None:
        from pvenix.lifecycle.planning.saved import write_plan

        write_plan(out, plan)
    show_plan(settings, plan, accepted)
    for one in accepted:
        if one.commit:
            talk(f"next: pvenix review show {one.branch}; when it is right: pvenix review approve {one.branch} --merge")
    if accept_drift and not accepted:
        talk("nothing to accept: no field was changed at Proxmox since it was recorded")
    if out is not None:
        talk(f"the plan is in {out}; next: pvenix apply {out}")
    elif plan.changes and not accepted and settings.output is Output.TEXT:
        _say_next(plan, shlex.join(["pvenix", "apply", *hosts, *(("-l", limit) if limit else ())]))
    return plan.exit_code


def _say_next(plan: FleetPlan, apply: str) -> None:
    talk(f"\nnext: {apply}")
    if any(host.needs_off for host in plan.hosts):
        talk(f"what only a VM that is off takes is left, unless that may shut it down: {apply} --offline")


async def plan_now(workspace: Workspace, hosts: tuple[str, ...], limit: str | None) -> FleetPlan:
    """The plan for the hosts that the command line names."""
    pattern = await names_now(workspace, ":".join(hosts) or "all")
    return await workspace.plan_fleet(pattern, await names_now(workspace, limit) if limit else "")


def show_plan(settings: Settings, plan: FleetPlan, accepted: tuple[Accepted, ...] = ()) -> None:
    """Print the plan, and what became of drift that was accepted."""
    taken = [dataclasses.asdict(one) for one in accepted]
    match settings.output:
        case Output.JSON:
            click.echo(json.dumps({**plan.to_json(), **({"accepted": taken} if taken else {})}))
        case Output.JSONL:
            document = plan.to_json()
            for host in document.pop("hosts"):
                click.echo(json.dumps(host))
            click.echo(json.dumps({**document, **({"accepted": taken} if taken else {})}))
        case Output.TEXT:
            click.echo(plan_text(plan, width=columns(), verbose=settings.verbose > 0))
            for one in accepted:
                click.echo(f"\n{_accepted_text(one)}")


def _accepted_text(one: Accepted) -> str:
    lines = []
    if one.commit:
        done = "is pushed" if one.new else "was there already"
        lines.append(f"{one.host}: {', '.join(one.taken)} on {one.branch} ({one.commit[:10]} {done})")
    lines += [f"{one.host}: {clean(left)}" for left in one.left]
    return "\n".join(lines)
