"""`pvenix adopt VMID HOST`: an existing VM becomes a host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pvenix.cli.documents import show_document
from pvenix.cli.lazy import Command
from pvenix.cli.prompts import confirm
from pvenix.cli.settings import Output, Settings, talk
from pvenix.cli.starting import start
from pvenix.model.errors import ExitCode
from pvenix.model.paths import HOSTS, vars_file

if TYPE_CHECKING:
    from pvenix.fleet.load import Fleet
    from pvenix.lifecycle.adopt import Adoption
    from pvenix.model.plan import RunPlan
    from pvenix.wiring import Workspace


@click.command(
    "adopt", cls=Command, examples=("pvenix adopt 431 web03 -C", "pvenix adopt 431 web03 --group apps --rename")
)
@click.argument("vmid", type=click.IntRange(100, 999_999_999), help="The VM's id.")
@click.argument("host", help="The host's name, which is the VM's unless --rename is given.")
@click.option("--group", "groups", multiple=True, help="A group of hosts.yaml; repeated for more.")
@click.option("--rename", is_flag=True, help="Let Proxmox call the VM by the host's name; the guest keeps its own.")
@click.option("-C", "--check", is_flag=True, help="Show what would be written and write nothing.")
@click.pass_obj
def command(settings: Settings, /, *, vmid: int, host: str, groups: tuple[str, ...], rename: bool, check: bool) -> int:
    """Take a VM that is nobody's into the fleet: an entry in this checkout's inventory, and our marker in its notes.

    Its disks and its power are not touched, and what stands in its notes stays.
    """

    async def look(workspace: Workspace) -> tuple[Adoption, Fleet]:
        return await (await workspace.day_two()).examine(vmid, host, rename=rename), workspace.fleet()

    found, fleet = settings.run_async(look)
    texts = dict(_texts(fleet, found, groups))
    _show(settings, fleet, found, texts, check=check)
    if check:
        return ExitCode.CHANGES
    settings.refuse_edit()
    confirm(settings, f"Make VM {vmid} on {found.node} the host {host}?")
    if texts:
        from pvenix.fleet.editing import apply_edits

        apply_edits(fleet.root, texts, inventory=settings.inventory)
        talk("written; commit it: git add inventory && git commit")

    async def planner(workspace: Workspace) -> RunPlan:
        return workspace.plan_verb("adopt", (host,), args={"rename": True} if rename else {})

    code = start(settings, planner)
    if code == ExitCode.OK:
        talk(f"next: pvenix boot {host} pins its key; pvenix plan -l {host} shows whether anything differs")
    return code


def _texts(fleet: Fleet, found: Adoption, groups: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """The files that would change, with their new texts; a host that is listed keeps what is said of it."""
    from pvenix.fleet.edit import add_host, set_machine

    hosts, own = fleet.root / HOSTS, fleet.root / vars_file(found.host)
    text = own.read_text(encoding="utf-8") if own.exists() else ""
    if found.listed:
        if not fleet.hosts[found.host].machine.proxmox.vmid:
            yield own, set_machine(text, ("proxmox", "vmid"), found.vmid)
        return
    listing = hosts.read_text(encoding="utf-8")
    for group in groups or ("all",):
        listing = add_host(listing, group, found.host, {})
    yield hosts, listing
    for path, value in _leaves(found.machine):
        text = set_machine(text, path, value)
    yield own, text


def _leaves(machine: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in machine.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _show(settings: Settings, fleet: Fleet, found: Adoption, texts: Mapping[Path, str], *, check: bool) -> None:
    """On stderr, or as the one document of a check; the run that follows prints its own."""
    from pvenix.fleet.editing import diff_of

    diff = "".join(
        diff_of(path.relative_to(fleet.root).as_posix(), path.read_text() if path.exists() else "", text)
        for path, text in texts.items()
    )
    item = {
        "host": found.host,
        "vmid": found.vmid,
        "node": found.node,
        "machine": dict(found.machine),
        "files": [path.relative_to(fleet.root).as_posix() for path in texts],
        "diff": diff,
        "calls": [text for _, text in found.calls],
    }
    lines = [*diff.splitlines(), *(f"{channel}> {text}" for channel, text in found.calls)]
    if check and settings.output is not Output.TEXT:
        show_document(settings, "adoption", item, "")
    else:
        talk("\n".join(lines))
