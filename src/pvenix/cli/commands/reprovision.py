"""`pvenix reprovision HOST`: the VM destroyed and made anew, the host the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pvenix.cli.confirming import CONFIRM, confirmed
from pvenix.cli.lazy import Command
from pvenix.cli.selection import How, host_argument, run_options
from pvenix.cli.settings import Settings
from pvenix.cli.starting import show_hosts, start
from pvenix.model.verbs import REPROVISIONING, VERBS

if TYPE_CHECKING:
    from pvenix.model.plan import ArgValue, RunPlan
    from pvenix.wiring import Workspace


@click.command(
    "reprovision",
    cls=Command,
    examples=("pvenix reprovision docker01 -C", "pvenix reprovision docker01 --confirm docker01"),
)
@host_argument(many=False)
@click.option(f"--{CONFIRM}", metavar="HOST", help="The host's name, typed.")
@run_options
@click.pass_obj
def command(settings: Settings, *, host: str, confirm: str | None, how: How) -> int:
    """Destroy the VM of a host and make it anew: name, VM id and fixed address stay, keys and disks are new."""

    async def planner(workspace: Workspace) -> RunPlan:
        [verb, *_] = REPROVISIONING
        name = workspace.fleet().host(host).name
        given: dict[str, ArgValue] = {} if confirm is None else {CONFIRM: confirm}
        if not how.list_hosts:
            await workspace.refuse_unmakeable(name)
            args = (settings, workspace, VERBS[verb], (name,), given)
            given[CONFIRM] = await confirmed(*args, check=how.check, word="reprovision")
        return workspace.plan_verbs(REPROVISIONING, (name,), args={verb: given}, **how.mode)

    return show_hosts(settings, planner) if how.list_hosts else start(settings, planner, now=how.now)
