"""The typed name that a destruction asks for, after what the destruction changes was shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from pvenix.cli.prompts import can_ask, typed
from pvenix.cli.settings import Settings
from pvenix.model.errors import UsageError
from pvenix.model.verbs import Danger, VerbSpec

if TYPE_CHECKING:
    from pvenix.model.plan import ArgValue
    from pvenix.wiring import Workspace

CONFIRM = "confirm"
_OF_THE_VM = ("destroy", "retire")
"""The verbs after which the whole VM is gone."""


async def confirmed(
    settings: Settings,
    workspace: Workspace,
    spec: VerbSpec,
    hosts: tuple[str, ...],
    given: Mapping[str, ArgValue],
    *,
    check: bool,
    word: str = "",
) -> str:
    """The host's name, as the person typed it or gave it; `word` is the command, when it is not the verb.

    Raises: UsageError for several hosts, another name, or nobody to ask.
    """
    word = word or spec.name
    if spec.danger is not Danger.DESTROYS:
        raise ValueError(f"{spec.name} destroys nothing")
    if len(hosts) != 1:
        raise UsageError(f"{word} takes one host at a time", why=f"{len(hosts)} match: {', '.join(hosts)}")
    [host] = hosts
    if check:
        return host
    if CONFIRM not in given:
        if spec.name in _OF_THE_VM and can_ask(settings):
            for line in await workspace.consequences(host):
                click.echo(f"  {line}", err=True)
        if spec.name == "restore" and can_ask(settings):
            for line in await (await workspace.day_two()).losses(host, str(given["to"])):
                click.echo(f"  {line}", err=True)
        what = f"{word} destroys the VM of {host}" if spec.name in _OF_THE_VM else f"{word} {host}: {spec.help}"
        typed(settings, f"{what}; type its name", host, f"--{CONFIRM} {host}")
    elif given[CONFIRM] != host:
        raise UsageError(f"--{CONFIRM} {given[CONFIRM]} is not the host {host}", why="nothing was changed")
    return host
