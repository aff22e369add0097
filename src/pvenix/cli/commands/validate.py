"""`pvenix validate`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pvenix.cli.lazy import Command
from pvenix.cli.report import finding_document, finding_lines
from pvenix.cli.settings import Output, Settings
from pvenix.model.errors import ExitCode, InvalidInput, UsageError
from pvenix.model.findings import Finding

if TYPE_CHECKING:
    from pvenix.model.fleetplan import FleetPlan
    from pvenix.wiring import Workspace


@click.command(
    "validate",
    cls=Command,
    examples=(
        "pvenix validate",
        "pvenix validate playbooks/onboard.yaml",
        "pvenix validate --fleet ~/fleet -o json",
        "pvenix validate --live                    ask Proxmox for nodes, storages, bridges and templates too",
    ),
)
@click.argument(
    "playbooks", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Playbooks beside those of the fleet.",
)  # fmt: skip
@click.option("--live", is_flag=True, help="Compare with the site too; the API token reads, and nothing is changed.")
@click.pass_obj
def command(settings: Settings, /, *, playbooks: tuple[Path, ...], live: bool) -> int:
    """Check inventory, site and playbooks, and show every finding with its place.

    Talks to nobody without --live. Exit code 2 when something is wrong; warnings alone are fine.
    """
    from pvenix.fleet.root import find_root

    root = find_root(settings.start)
    if root is None:
        raise UsageError(f"there is no fleet in {settings.start} or above it", hint="pvenix init, or --fleet DIR")
    shipped = sorted((root / "playbooks").glob("*.y*ml"))
    hosts, findings = _inventory(root, settings)
    for path in dict.fromkeys([*shipped, *(path.absolute() for path in playbooks)]):
        findings += _playbook(path, root)
    if live and all(finding.warning for finding in findings):
        findings += _live(settings)
    errors = [finding for finding in findings if not finding.warning]
    if settings.output is Output.TEXT:
        counted = f"{hosts} host{'s' if hosts != 1 else ''}, {len(shipped)} playbooks: "
        verdict = f"{len(errors)} problem{'s' if len(errors) != 1 else ''}" if errors else f"{counted}valid"
        click.echo("\n".join([*(line for each in sorted(findings) for line in finding_lines(each)), verdict]))
    else:
        _print_json(settings, findings, valid=not errors)
    return ExitCode.USAGE if errors else ExitCode.OK


def _inventory(root: Path, settings: Settings) -> tuple[int, list[Finding]]:
    from pvenix.fleet.load import load_fleet

    try:
        fleet = load_fleet(root, inventory=settings.inventory, overrides=settings.overrides)
    except InvalidInput as error:
        return 0, list(error.findings)
    return len(fleet.hosts), list(fleet.findings)


def _live(settings: Settings) -> list[Finding]:
    """What a plan of all hosts finds wrong with them."""

    async def action(workspace: Workspace) -> FleetPlan:
        return await workspace.plan_fleet("all")

    plan = settings.run_async(action)
    return [finding for host in plan.hosts for finding in host.findings]


def _playbook(path: Path, root: Path) -> Sequence[Finding]:
    from pvenix.fleet.playbook import load_playbook

    try:
        load_playbook(path, root)
    except InvalidInput as error:
        return error.findings
    return ()


def _print_json(settings: Settings, findings: Sequence[Finding], *, valid: bool) -> None:
    documents = [finding_document(each) for each in sorted(findings)]
    if settings.output is Output.JSON:
        click.echo(json.dumps({"schema": "pvenix/validate/v1", "valid": valid, "findings": documents}))
    else:
        for document in documents:
            click.echo(json.dumps(document))
