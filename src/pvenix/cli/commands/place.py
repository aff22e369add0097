"""`pvenix place HOST…`: where hosts would go, and why."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from pvenix.cli.lazy import Command
from pvenix.cli.report import error_document, tell
from pvenix.cli.selection import host_argument, select_now
from pvenix.cli.settings import Output, Settings
from pvenix.cli.text import columns, style, wrapped
from pvenix.model.errors import ExitCode, PvenixError, worst

if TYPE_CHECKING:
    from pvenix.lifecycle.placement import Candidate, Decision
    from pvenix.wiring import Workspace

_COLUMNS = ("POINTS", "MEM", "CPU", "DISK", "SPREAD", "NEAR")
_PARTS = ("total", "memory", "cpu", "storage", "spread", "locality")


@click.command(
    "place",
    cls=Command,
    examples=("pvenix place tappaas-litellm", "pvenix place role_dns", "pvenix place tappaas-vllm -o json"),
)
@host_argument()
@click.pass_obj
def command(settings: Settings, /, *, hosts: tuple[str, ...]) -> int:
    """Show where hosts without a VM would go: each node with its points, or why it cannot take them. Changes nothing.

    Points: memory 40, CPU 20, storage 15, spread 15 (fewer hosts of the same proxmox.spread), 10 when no disk is copied
    over the network. Several hosts are placed one after the other, those with the fewest nodes to choose from first.
    """

    async def action(workspace: Workspace) -> Mapping[str, Decision | PvenixError]:
        return await workspace.place(await select_now(workspace, hosts, None))

    found = settings.run_async(action)
    items = {name: _item(name, one) for name, one in found.items()}
    match settings.output:
        case Output.JSON:
            click.echo(json.dumps({"schema": "pvenix/place/v1", "place": list(items.values())}))
        case Output.JSONL:
            for item in items.values():
                click.echo(json.dumps(item))
        case Output.TEXT:
            _show(settings, found)
    return worst([one.exit_code if isinstance(one, PvenixError) else ExitCode.OK for one in found.values()])


def _item(host: str, found: Decision | PvenixError) -> dict[str, object]:
    from pvenix.lifecycle.placement import candidates_of

    nodes = [_node(one) for one in candidates_of(found)]
    if isinstance(found, PvenixError):
        return {"host": host, "error": error_document(found), "nodes": nodes}
    return {
        "host": host,
        "node": found.node,
        "vmid": found.vmid,
        "storage": found.storage,
        "route": {**found.route.facts, "words": found.route.words},
        "warnings": list(found.warnings),
        "nodes": nodes,
    }


def _node(one: Candidate) -> dict[str, object]:
    scores = {**dataclasses.asdict(one.scores), "total": one.scores.total}
    verdict = {"verdict": "no", "reason": one.refused} if one.refused else {"verdict": "yes", "scores": scores}
    return {"node": one.node, **verdict, "route": one.route.words if one.route else ""}


def _show(settings: Settings, found: Mapping[str, Decision | PvenixError]) -> None:
    from pvenix.lifecycle.placement import candidates_of

    width = columns()
    for number, (host, one) in enumerate(found.items()):
        if number:
            click.echo()
        if isinstance(one, PvenixError):
            click.echo(style(f"{host}: no place", "failed"))
        else:
            click.echo(style(f"{host}: {one.node}, storage {one.storage}, VM id {one.vmid}", "strong"))
            click.echo("\n".join(wrapped(one.route.words, width, "  ", "  ")))
        if candidates_of(one):
            click.echo("\n" + "\n".join(_table(candidates_of(one), width)))
        if isinstance(one, PvenixError):
            tell(one, settings)
            continue
        for warning in one.warnings:
            click.echo("\n".join(wrapped(f"warning: {warning}", width, "", "")))


def _table(candidates: Sequence[Candidate], width: int) -> list[str]:
    """A line for each node, the best first; reasons and ways go on below their column."""
    first = max(len("NODE"), *(len(one.node) for one in candidates))
    lines = [" ".join((f"{'NODE':{first}}", *(f"{name:>6}" for name in _COLUMNS), " WAY"))]
    for one in candidates:
        if one.refused:
            text, before, column = one.refused, f"{one.node:{first}}     no  ", first + 9
        else:
            values = {**dataclasses.asdict(one.scores), "total": one.scores.total}
            points = " ".join(f"{values[part]:6.1f}" for part in _PARTS)
            text, before = one.route.words if one.route else "", f"{one.node:{first}} {points}  "
            column = len(before)
        lines += wrapped(text, width, before, " " * column)
    return lines
