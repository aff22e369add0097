"""A command for each verb, made from its spec: `pvenix clone HOST…`, `pvenix rollback HOST --to N`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pvenix.cli.confirming import CONFIRM, confirmed
from pvenix.cli.lazy import Command
from pvenix.cli.selection import How, host_argument, run_options, select_now
from pvenix.cli.settings import Settings
from pvenix.cli.starting import show_hosts, start
from pvenix.model.errors import UsageError
from pvenix.model.verbs import VERBS, Arg, Danger, VerbSpec

if TYPE_CHECKING:
    from pvenix.model.plan import ArgValue, RunPlan
    from pvenix.wiring import Workspace

_EXAMPLES = {
    "clone": ("pvenix clone dns02", "pvenix clone dns02 --full"),
    "rebuild": ("pvenix rebuild all -C", "pvenix rebuild role_dns:!dns01", "pvenix rebuild dns01 -o jsonl"),
    "shutdown": ("pvenix shutdown web", "pvenix shutdown web-001 --grace 300 --force"),
    "reboot": ("pvenix reboot dns01", "pvenix run playbooks/maintenance.yaml -l web"),
    "snapshot": ("pvenix snapshot web", "pvenix snapshot dns01 --name before-42", "pvenix snapshot dns01 --memory"),
    "restore": (
        "pvenix snapshots dns01",
        "pvenix restore dns01 --to before-42 -C",
        "pvenix restore dns01 --to before-42",
    ),
    "delete-snapshot": ("pvenix delete-snapshot dns01 --name before-42",),
    "migrate": ("pvenix migrate dns01 --to tappaas2", "pvenix migrate tappaas-vllm --to tappaas1 --offline"),
    "rollback": ("pvenix generations dns01", "pvenix rollback dns01 --to 41"),
    "destroy": ("pvenix destroy docker01 -C", "pvenix destroy docker01 --confirm docker01"),
    "retire": ("pvenix retire docker01", "pvenix retire docker01 --confirm docker01"),
}


def verb_command(name: str) -> click.Command:
    """The command of one verb."""
    spec = VERBS[name]

    @host_argument(required=False)
    @run_options
    @click.pass_obj
    def callback(settings: Settings, /, *, hosts: tuple[str, ...], how: How, **args: ArgValue | None) -> int:
        if not hosts and not how.limit:
            raise UsageError(f"{spec.name} which hosts?", hint=f"pvenix {spec.name} HOST, or: pvenix {spec.name} all")

        async def planner(workspace: Workspace) -> RunPlan:
            names = await select_now(workspace, hosts, how.limit)
            given = {key: value for key, value in args.items() if value is not None and value is not False}
            if spec.danger is Danger.DESTROYS and not how.list_hosts:
                given[CONFIRM] = await confirmed(settings, workspace, spec, names, given, check=how.check)
            return workspace.plan_verb(spec.name, names, args=given, **how.mode)

        return show_hosts(settings, planner) if how.list_hosts else start(settings, planner, now=how.now)

    command = click.command(spec.name, cls=Command, examples=_EXAMPLES.get(name, (f"pvenix {name} dns02",)))(callback)
    options = [_option(key, arg, spec) for key, arg in spec.args.items()]
    command.params = [*command.params[:1], *options, *command.params[1:]]
    command.help = f"{spec.help[0].upper()}{spec.help[1:]}."
    return command


def _option(key: str, arg: Arg, spec: VerbSpec) -> click.Option:
    kind: dict[str, Any] = {"type": click.Choice(arg.choices) if arg.choices else arg.type}
    if arg.type is bool:
        kind = {"is_flag": True}
    typed_in = key == CONFIRM and spec.danger is Danger.DESTROYS
    text = f"{arg.help[0].upper()}{arg.help[1:]}."
    return click.Option([f"--{key.replace('_', '-')}"], help=text, required=arg.required and not typed_in, **kind)
