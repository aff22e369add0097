"""Options and rules shared by everything that works on some hosts: which hosts, how many at once, in which mode."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pvenix.cli.nothing import NothingToDo
from pvenix.model.errors import PvenixError, UsageError
from pvenix.model.selector import Facts, parse_selector

if TYPE_CHECKING:
    from pvenix.cli.settings import Settings
    from pvenix.fleet.load import Fleet
    from pvenix.model.status import HostStatus
    from pvenix.wiring import Workspace

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

FORKS = 32
_SHOWN = 8
PATTERNS = "Hosts, groups or patterns: all, role_dns, web*, a:b, a:&b, a:!b, state=drifted."


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What the options of a run say, beside what it does."""

    limit: str | None
    forks: int
    check: bool
    diff: bool
    step: bool
    now: bool
    list_hosts: bool

    @property
    def mode(self) -> dict[str, Any]:
        """The keyword arguments of a workspace's `plan_…` methods."""
        return {"check": self.check, "diff": self.diff, "step": self.step, "forks": self.forks}


def run_options(function: Callable[..., int]) -> Callable[..., int]:
    """The options of whatever starts a run, in Ansible's letters; they arrive as one argument `how`."""

    @functools.wraps(function)
    def gathered(*args: Any, **kwargs: Any) -> int:
        how = How(**{field.name: kwargs.pop(field.name) for field in dataclasses.fields(How)})
        return function(*args, how=how, **kwargs)

    for option in reversed(
        [
            click.option("-l", "--limit", metavar="PATTERN", help=f"Only these. {PATTERNS}"),
            click.option(
                "-f", "--forks", type=click.IntRange(1, 1000), default=FORKS, envvar="PVENIX_FORKS", show_default=True,
                help="The most hosts at once.  [env: PVENIX_FORKS]",
            ),
            click.option("-C", "--check", is_flag=True, help="Show the exact commands and change nothing."),
            click.option("-D", "--diff", is_flag=True, help="Show what changes inside, such as the closure diff."),
            click.option("--step", is_flag=True, help="Ask before each step."),
            click.option("--now", is_flag=True, help="Also outside of the hosts' windows."),
            click.option("--list-hosts", is_flag=True, help="Print the hosts and do nothing."),
        ]
    ):  # fmt: skip
        gathered = option(gathered)
    return gathered


def host_argument(*, required: bool = True, many: bool = True) -> Callable[[Decorated], Decorated]:
    """The argument HOST, completed from the inventory."""
    return click.argument(
        "hosts" if many else "host",
        nargs=-1 if many else 1,
        required=required,
        metavar="HOST..." if many else "HOST",
        shell_complete=complete_hosts,
        help=PATTERNS if many else "A host of the inventory.",
    )


def select(
    fleet: Fleet, patterns: Sequence[str], limit: str | None = None, facts: Facts | None = None
) -> tuple[str, ...]:
    """The hosts that `patterns` together name, without those that `limit` leaves out.

    Raises: UsageError when a name is unknown or nothing is left.
    """
    expression = ":".join(patterns) or "all"
    hosts = fleet.select(expression, facts)
    if limit:
        kept = frozenset(fleet.select(limit, facts))
        hosts = tuple(host for host in hosts if host in kept)
    if not hosts:
        shown = f"{expression} limited to {limit}" if limit else expression
        if facts is not None:
            raise NothingToDo(f"no host matches {shown} now")
        raise UsageError(f"no host matches {shown}", hint="pvenix inventory list")
    return hosts


async def names_now(workspace: Workspace, pattern: str) -> str:
    """`pattern` itself, or the names it stands for at the moment when it asks for a fact.

    Raises: NothingToDo when the facts hold for no host.
    """
    if not parse_selector(pattern).needs_facts:
        return pattern
    return ":".join(await select_now(workspace, [pattern]))


async def select_now(workspace: Workspace, patterns: Sequence[str], limit: str | None = None) -> tuple[str, ...]:
    """As `select`; where a pattern asks for a fact (`state=drifted`), the hosts are read first.

    Raises: NothingToDo when the facts hold for no host.
    """
    fleet = workspace.fleet()
    if not _asks_for_facts(patterns, limit):
        return select(fleet, patterns, limit)
    read = {status.host: status async for status in workspace.status(fleet.select("all"))}
    return _by_facts(fleet, patterns, limit, read)


async def statuses_now(
    workspace: Workspace,
    patterns: Sequence[str],
    limit: str | None = None,
    *,
    hardware: bool = False,
    missed: Callable[[HostStatus], None] = lambda _status: None,
) -> AsyncIterator[HostStatus]:
    """The state of the hosts that `select_now` gives, each read once, as they answer.

    `missed` hears of those that did not answer, and may be meant for all that is known.
    Raises: NothingToDo when the facts hold for no host.
    """
    fleet = workspace.fleet()
    if not _asks_for_facts(patterns, limit):
        async for status in workspace.status(select(fleet, patterns, limit), hardware=hardware):
            yield status
        return
    read = {status.host: status async for status in workspace.status(fleet.select("all"), hardware=hardware)}
    for status in read.values():
        if not status.sync.answered:
            missed(status)
    for host in _by_facts(fleet, patterns, limit, read):
        yield read[host]


def _by_facts(
    fleet: Fleet, patterns: Sequence[str], limit: str | None, read: Mapping[str, HostStatus]
) -> tuple[str, ...]:
    """As `select`, with the facts that were read; says which hosts they are not known of."""
    silent = sorted(host for host, status in read.items() if not status.sync.answered)
    if silent:
        shown = ", ".join(silent[:_SHOWN]) + (f" and {len(silent) - _SHOWN} more" if len(silent) > _SHOWN else "")
        click.echo(f"note: {shown} did not answer: they may be what is asked for or not", err=True)
    return select(fleet, patterns, limit, {host: status.selectable() for host, status in read.items()})


def _asks_for_facts(patterns: Sequence[str], limit: str | None) -> bool:
    asked = [":".join(patterns) or "all", *([limit] if limit else [])]
    return any(parse_selector(expression).needs_facts for expression in asked)


def complete_hosts(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of hosts and groups that begin like `incomplete`; none where the fleet cannot be read."""
    from pvenix.cli.settings import Settings

    settings: Settings = ctx.find_root().ensure_object(Settings)
    try:
        with settings.loaded() as fleet:
            names = ["all", *fleet.hosts, *fleet.groups]
    except PvenixError:
        return []
    return [name for name in names if name.startswith(incomplete)]
