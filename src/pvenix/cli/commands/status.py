"""`pvenix status`: the four facts of every host."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from pvenix.cli.documents import show_rows
from pvenix.cli.lazy import Command
from pvenix.cli.nothing import NothingToDo
from pvenix.cli.selection import PATTERNS, host_argument, statuses_now
from pvenix.cli.settings import Output, Settings, talk
from pvenix.cli.text import ago, reached
from pvenix.model.errors import ExitCode, worst
from pvenix.model.generation import Sync
from pvenix.model.status import HostStatus, to_json

if TYPE_CHECKING:
    from pvenix.wiring import Workspace

_HEADER: Final = (
    *("HOST", "STATE", "SEEN", "GEN", "RUNS", "EXPECTED", "BOOTED", "BOOT DEFAULT", "VM", "NODE", "ADDRESS", "NOTES"),
)


@click.command(
    "status",
    cls=Command,
    examples=(
        "pvenix status",
        "pvenix status role_dns",
        "pvenix status -l 'core:!dns01' -o json",
        "pvenix status -l state=drifted",
        "pvenix status dns01 -v                # with its hardware, and what differs inside",
        "pvenix status --exit-code > /dev/null || echo look",
    ),
)
@host_argument(required=False)
@click.option("-l", "--limit", metavar="PATTERN", help=f"Only these. {PATTERNS}")
@click.option(
    "--hardware",
    is_flag=True,
    help="Let each host generate its hardware file anew and compare it; seconds of its time. -v does so too.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 when a host is not in sync.")
@click.pass_obj
def command(
    settings: Settings, /, *, hosts: tuple[str, ...], limit: str | None, hardware: bool, exit_code: bool
) -> int:
    """Read what every host booted, runs and boots next, and compare it with what it should run.

    Exit code 4 when a host that should run did not answer, or not in full; a difference is an error only with
    --exit-code. What was known of a host that does not answer is shown with its age.
    """
    missed: list[HostStatus] = []

    async def action(workspace: Workspace) -> list[HostStatus]:
        found, deep = list[HostStatus](), hardware or settings.verbose > 0
        try:
            async for status in statuses_now(workspace, hosts, limit, hardware=deep, missed=missed.append):
                if settings.output is Output.JSONL:
                    click.echo(json.dumps(to_json(status)))
                found.append(status)
        except NothingToDo as nothing:
            talk(str(nothing))
        return found

    found = sorted(settings.run_async(action), key=lambda status: status.host)
    _show(settings, found)
    return worst([_code(each, strict=exit_code) for each in (*found, *missed)])


def _show(settings: Settings, found: Sequence[HostStatus]) -> None:
    """The table or the document; with -v what the table has no room for. Lines were printed as they came."""
    if settings.output is Output.JSONL or (settings.output is Output.TEXT and not found):
        return
    now = datetime.now(UTC).isoformat()
    rows = [_row(each, now) for each in found]
    show_rows(settings, "status", [to_json(each) for each in found], _HEADER, rows, status=1)
    if settings.output is Output.TEXT and settings.verbose:
        from pvenix.cli.render.state import details

        for text in filter(None, map(details, found)):
            click.echo(f"\n{text}")


def _code(status: HostStatus, *, strict: bool) -> ExitCode:
    whole = status.sync.answered and not (status.facts and status.problem)
    if not whole and not status.resting:
        return ExitCode.UNREACHABLE
    return ExitCode.CHANGES if strict and not status.resting and status.sync is not Sync.IN_SYNC else ExitCode.OK


def _row(status: HostStatus, now: str) -> tuple[str, ...]:
    facts = status.facts
    return (
        status.host,
        status.sync,
        _seen(status, now),
        str(status.generation or "-"),
        facts.revision[:8] or "?" if facts else "-",
        status.expected[:8] or "-",
        _same(facts.booted, facts.current) if facts else "-",
        _same(facts.profile, facts.current) if facts else "-",
        f"{status.vmid} {status.power}".strip() if status.vmid else "-",
        status.node or "-",
        reached(status.address, status.address_why, status.address_at, status.seen_at) or "-",
        "; ".join(notes(status, now)),
    )


def _seen(status: HostStatus, now: str) -> str:
    """When the host itself was last read; its VM and the repository were read now."""
    if status.facts is not None:
        return ago(status.seen_at, now)
    return ago(status.last.seen_at, now) if status.last else "-"


def _same(path: str, current: str) -> str:
    """A system by what tells it apart: the same as the running one, or the start of its hash."""
    if path == current:
        return "same"
    return path.rpartition("/")[2][:8] or "?"


def notes(status: HostStatus, now: str) -> list[str]:
    """What a person should know of a host beside its facts, the most pressing first; old facts with their age."""
    found = [status.problem] if status.problem else []
    if status.last is not None:
        found.append(f"{ago(status.last.seen_at, now)} it was {_was(status.last)}")
    if facts := status.facts:
        found += [f"attempt {', '.join(facts.fence)} holds it ({status.held_by or 'of an unknown run'})"] * bool(
            facts.fence
        )
        found += status.drift
        found += [f"failed: {', '.join(facts.failed_units)}"] if facts.failed_units else []
        found += [f"reboot for {', '.join(facts.reboot)}"] if facts.reboot else []
    if status.hardware is not None and status.hardware.problem:
        found.append(f"hardware not compared: {status.hardware.problem}")
    if status.registration:
        found.append(f"registration {status.registration[:10]} is not merged")
    return found


def _was(last: HostStatus) -> str:
    runs = last.facts.revision[:8] if last.facts else ""
    return f"{last.sync}, generation {last.generation or '?'}, {runs or 'no commit'}"
