"""`pvenix status`: the four facts of every host."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_rows
from pvenix.cli.lazy import Command
from pvenix.cli.selection import PATTERNS, host_argument, select_now
from pvenix.cli.settings import Output, Settings
from pvenix.cli.text import reached
from pvenix.model.errors import ExitCode
from pvenix.model.generation import Sync

if TYPE_CHECKING:
    from pvenix.model.status import HostStatus
    from pvenix.wiring import Workspace

_HEADER = ("HOST", "STATE", "GEN", "RUNS", "EXPECTED", "BOOTED", "BOOT DEFAULT", "VM", "NODE", "ADDRESS", "PROBLEM")


@click.command(
    "status",
    cls=Command,
    examples=("pvenix status", "pvenix status role_dns", "pvenix status -l 'core:!dns01' -o json"),
)
@host_argument(required=False)
@click.option("-l", "--limit", metavar="PATTERN", help=f"Only these. {PATTERNS}")
@click.pass_obj
def command(settings: Settings, /, *, hosts: tuple[str, ...], limit: str | None) -> int:
    """Read what every host booted, runs and boots next, and compare it with what it should run.

    Exit code 4 when a host did not answer; a difference is not an error.
    """

    async def action(workspace: Workspace) -> list[HostStatus]:
        found = []
        async for status in workspace.status(await select_now(workspace, hosts, limit)):
            if settings.output is Output.JSONL:
                click.echo(json.dumps(_item(status)))
            found.append(status)
        return found

    found = sorted(settings.run_async(action), key=lambda status: status.host)
    if settings.output is not Output.JSONL:
        show_rows(
            settings, "status", [_item(each) for each in found], _HEADER, [_row(each) for each in found], status=1
        )
    return ExitCode.UNREACHABLE if any(each.sync is Sync.UNREACHABLE for each in found) else ExitCode.OK


def _item(status: HostStatus) -> dict[str, object]:
    return dataclasses.asdict(status)


def _row(status: HostStatus) -> tuple[str, ...]:
    facts = status.facts
    return (
        status.host,
        status.sync,
        str(status.generation or "-"),
        facts.revision[:8] or "?" if facts else "-",
        status.expected[:8] or "-",
        _same(facts.booted, facts.current) if facts else "-",
        _same(facts.profile, facts.current) if facts else "-",
        f"{status.vmid} {status.power}".strip() if status.vmid else "-",
        status.node or "-",
        reached(status.address, status.address_why, status.address_at, status.seen_at) or "-",
        _problem(status),
    )


def _same(path: str, current: str) -> str:
    """A system by what tells it apart: the same as the running one, or the start of its hash."""
    if path == current:
        return "same"
    return path.rpartition("/")[2][:8] or "?"


def _problem(status: HostStatus) -> str:
    if status.problem or status.facts is None:
        return status.problem
    parts = []
    if status.facts.edits:
        parts.append(f"edited by hand: {', '.join(line.strip() for line in status.facts.edits)}")
    if status.facts.failed_units:
        parts.append(f"failed: {', '.join(status.facts.failed_units)}")
    return "; ".join(parts)
