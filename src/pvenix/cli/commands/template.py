"""`pvenix template`: the VM templates that hosts are cloned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_rows
from pvenix.cli.lazy import Group
from pvenix.cli.report import finding_lines
from pvenix.cli.settings import Output, Settings
from pvenix.model.errors import ExitCode

if TYPE_CHECKING:
    from pvenix.model.template import TemplateHealth
    from pvenix.wiring import Workspace

_HEADER = ("TEMPLATE", "VM", "NODE", "HEALTH", "AGE", "MADE", "NIXPKGS", "COMMIT")


@click.group(
    "template", cls=Group, examples=("pvenix template status", "pvenix run playbooks/template-refresh.yaml -C")
)
def command() -> None:
    """Look at the VM templates that hosts are cloned from."""


@command.command("status", examples=("pvenix template status", "pvenix template status nixos -o json"))
@click.argument(
    "names", nargs=-1, metavar="[TEMPLATE]...", help="Names in inventory/site.yaml; all of them without any."
)
@click.pass_obj
def status(settings: Settings, /, *, names: tuple[str, ...]) -> int:
    """Read whether clones of the templates will be what they should; changes nothing.

    Exit code 1 when one of them is broken; a stale one is not.
    """

    async def action(workspace: Workspace) -> tuple[TemplateHealth, ...]:
        return await workspace.template_healths(names)

    found = settings.run_async(action)
    rows = [
        (
            one.name,
            str(one.vmid),
            one.node or "-",
            "broken" if one.broken else "ok",
            one.freshness,
            one.made_at[:10] or "-",
            one.nixpkgs[:12] or "-",
            one.commit[:12] or "-",
        )
        for one in found
    ]
    show_rows(settings, "templates", [one.to_json() for one in found], _HEADER, rows, status=3)
    if settings.output is Output.TEXT:
        _show_findings(found)
    return ExitCode.FAILED if any(one.broken for one in found) else ExitCode.OK


def _show_findings(found: tuple[TemplateHealth, ...]) -> None:
    for finding in dict.fromkeys(finding for one in found for finding in one.findings):
        click.echo("\n".join(finding_lines(finding)))
