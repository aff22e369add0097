"""`pvenix generations`: what hosts can go back to, and what of it they keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from pvenix.cli.documents import show_document, show_rows
from pvenix.cli.hostsfirst import HostsFirst
from pvenix.cli.nothing import NothingToDo
from pvenix.cli.prompts import confirm
from pvenix.cli.selection import How, host_argument, run_options, select_now
from pvenix.cli.settings import Settings, talk
from pvenix.cli.starting import show_hosts, start
from pvenix.cli.text import clean
from pvenix.model import units
from pvenix.model.errors import ExitCode, PvenixError, UsageError, worst

if TYPE_CHECKING:
    from pvenix.model.generation import Generation
    from pvenix.model.plan import ArgValue, RunPlan
    from pvenix.wiring import Workspace

_HEADER = ("HOST", "NUMBER", "DATE (UTC)", "COMMIT", "NIXOS", "KERNEL", "STATE")
NUMBER = click.IntRange(min=1)


@click.group(
    "generations",
    cls=HostsFirst,
    default="list",
    examples=(
        "pvenix generations dns01",
        "pvenix generations all -o json",
        "pvenix generations diff dns01 41 43",
        "pvenix generations pin dns01 41 --reason 'before the migration'",
        "pvenix generations prune all -C",
        "pvenix generations gc role_docker",
    ),
)
def command() -> None:
    """List, compare, pin, prune and collect the system generations of hosts; `pvenix generations HOST` lists.

    A host that is called like one of these commands is listed by `pvenix generations list HOST`.
    """


@command.command("list", examples=("pvenix generations list dns01", "pvenix generations list all -o json"))
@host_argument()
@click.pass_obj
def listing(settings: Settings, /, *, hosts: tuple[str, ...]) -> int:
    """List generations, newest first: commit, versions, what runs, boots and is pinned."""

    async def action(workspace: Workspace) -> dict[str, tuple[Generation, ...] | PvenixError]:
        names = await select_now(workspace, hosts)
        return {host: found async for host, found in workspace.all_generations(names)}

    found = settings.run_async(action)
    errors = {host: each for host, each in found.items() if isinstance(each, PvenixError)}
    if len(found) == 1:
        for error in errors.values():
            raise error
    rows = [
        (host, each)
        for host, listed in found.items()
        if not isinstance(listed, PvenixError)
        for each in sorted(listed, key=lambda one: one.number, reverse=True)
    ]
    only: dict[str, Any] = {"host": next(iter(found))} if len(found) == 1 else {}
    items = [{"host": host, **dataclasses.asdict(each)} for host, each in rows]
    show_rows(settings, "generations", items, _HEADER, (_row(host, each) for host, each in rows), **only)
    return _told(errors)


def _row(host: str, each: Generation) -> tuple[str, ...]:
    states = {"current": each.current, "runs": each.running, "booted": each.booted, "boots next": each.boot_default}
    words = [word for word, holds in states.items() if holds]
    words += [f"pinned: {clean(each.reason)}" if each.reason else "pinned"] if each.pinned else []
    versions = (each.revision[:12] or "-", clean(each.nixos) or "-", clean(each.kernel) or "-")
    return host, str(each.number), each.date, *versions, ", ".join(words)


def _told(errors: Mapping[str, PvenixError]) -> ExitCode:
    """The exit code, after every host that could not be read was named."""
    for host, error in errors.items():
        talk(f"{host}: {clean(str(error))}")
    return worst([error.exit_code for error in errors.values()])


@command.command("diff", examples=("pvenix generations diff dns01 41", "pvenix generations diff dns01 41 43"))
@host_argument(many=False)
@click.argument("old", type=NUMBER, help="A generation.")
@click.argument("new", type=NUMBER, required=False, help="Another one; the current one unless given.")
@click.pass_obj
def diff(settings: Settings, /, *, host: str, old: int, new: int | None) -> None:
    """Show which packages two generations of a host differ in."""

    async def action(workspace: Workspace) -> tuple[str, ...]:
        return await workspace.compared(workspace.fleet().host(host).name, old, new or 0)

    lines = [clean(line) for line in settings.run_async(action)]
    item = {"host": host, "old": old, "new": new, "changes": lines}
    show_document(settings, "generations-diff", item, "\n".join(lines) or "no package differs")


@command.command(
    "pin", examples=("pvenix generations pin dns01 41", "pvenix generations pin dns01 41 --reason 'last with PHP 8.2'")
)
@host_argument(many=False)
@click.argument("number", type=NUMBER, help="The generation.")
@click.option("--reason", help="Why; whoever lists the generations sees it.")
@click.option("-C", "--check", is_flag=True, help="Show the exact commands and change nothing.")
@click.pass_obj
def pin(settings: Settings, /, *, host: str, number: int, reason: str | None, check: bool) -> int:
    """Keep a generation: no prune lets it go, and no garbage collector takes its system, whoever runs it."""
    return _one(settings, "pin-generation", host, {"number": number, **({"reason": reason} if reason else {})}, check)


@command.command("unpin", examples=("pvenix generations unpin dns01 41",))
@host_argument(many=False)
@click.argument("number", type=NUMBER, help="The generation.")
@click.option("-C", "--check", is_flag=True, help="Show the exact commands and change nothing.")
@click.pass_obj
def unpin(settings: Settings, /, *, host: str, number: int, check: bool) -> int:
    """Take the pin of a generation away."""
    return _one(settings, "unpin-generation", host, {"number": number}, check)


def _one(settings: Settings, verb: str, host: str, args: Mapping[str, ArgValue], check: bool) -> int:  # noqa: FBT001
    async def planner(workspace: Workspace) -> RunPlan:
        return workspace.plan_verb(verb, (workspace.fleet().host(host).name,), args=args, check=check)

    return start(settings, planner)


def _time(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            units.seconds(value)
        except ValueError as error:
            raise UsageError(f"--older-than {error}", hint="--older-than 30d") from error
    return value


@command.command(
    "prune",
    examples=(
        "pvenix generations prune all -C",
        "pvenix generations prune dns01 --keep 5",
        "pvenix generations prune all --older-than 30d --yes",
    ),
)
@host_argument()
@click.option("--keep", type=click.IntRange(min=1), help="Let all go but the newest N, instead of the policy.")
@click.option(
    "--older-than", metavar="TIME", callback=_time, help="Let go what is out of use for this long, such as 30d."
)
@run_options
@click.pass_obj
def prune(settings: Settings, /, *, hosts: tuple[str, ...], keep: int | None, older_than: str | None, how: How) -> int:
    """Let old generations go, by `machine.generations` of each host or by what is given instead.

    Never goes: the current generation, what runs, what was booted, what boots next, what is pinned, and what is newer
    than the one that was confirmed last. The boot loader offers what is left; `gc` frees the space.
    """
    given: dict[str, ArgValue] = {} if keep is None else {"keep": keep}
    given |= {} if older_than is None else {"older_than": older_than}

    async def planner(workspace: Workspace) -> RunPlan:
        names = await select_now(workspace, hosts, how.limit)
        if not how.check and not how.list_hosts:
            going = {host: each async for host, each in workspace.prunable(names, keep=keep, older_than=older_than)}
            _ask(settings, going)
        return workspace.plan_verb("prune-generations", names, args=given, **how.mode)

    return show_hosts(settings, planner) if how.list_hosts else start(settings, planner, now=how.now)


def _ask(settings: Settings, going: Mapping[str, tuple[int, ...] | PvenixError]) -> None:
    """Return when the person wants it.

    Raises: NothingToDo when no generation would go, UsageError when the answer is no.
    """
    count = 0
    for host, each in going.items():
        if isinstance(each, PvenixError):
            talk(f"{host}: not read: {clean(str(each))}")
        elif each:
            talk(f"{host}: {_ranges(each)}")
            count += len(each)
    if count == 0:
        if any(isinstance(each, PvenixError) for each in going.values()):
            return  # the run says of each what kept it
        raise NothingToDo("nothing to do: every generation stays")
    confirm(settings, f"let {count} generation{'s' if count != 1 else ''} go, for good?")


def _ranges(numbers: Iterable[int]) -> str:
    """`1-4, 7` for 1, 2, 3, 4, 7."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in found)


@command.command("gc", examples=("pvenix generations gc all -C", "pvenix generations gc role_docker"))
@host_argument()
@run_options
@click.pass_obj
def collect(settings: Settings, /, *, hosts: tuple[str, ...], how: How) -> int:
    """Delete the store paths that no generation, pin or other root needs; says how much before and after."""

    async def planner(workspace: Workspace) -> RunPlan:
        return workspace.plan_verb("collect-garbage", await select_now(workspace, hosts, how.limit), **how.mode)

    return show_hosts(settings, planner) if how.list_hosts else start(settings, planner, now=how.now)
