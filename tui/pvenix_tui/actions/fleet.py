"""Actions on the fleet and its hosts."""

from __future__ import annotations

from typing import Final

from pvenix.model.verbs import VERBS, Danger
from pvenix_tui.actions.base import Context, Place, no_hosts, pvenix_line
from pvenix_tui.actions.verbs import verb_command, verb_reason
from pvenix_tui.models.commandline import ONBOARD_PLAYBOOK


def _onboard_command(context: Context) -> str:
    return pvenix_line("run", ONBOARD_PLAYBOOK, "-l", ":".join(context.hosts) or "HOST")


_FLEET: Final = Place("fleet")
_HOSTS: Final = Place("fleet", "host")
FLEET: Final = (
    _FLEET.action(
        "fleet.open",
        "enter",
        "open",
        "the host's facts, generations and configuration; in the tree, only those hosts",
        command=lambda context: pvenix_line("host", "show", (context.hosts or ("HOST",))[0]),
        footer=True,
    ),
    _FLEET.action("fleet.mark", "space", "mark", "mark the host, or take its mark away", footer=True),
    _FLEET.action("fleet.range", "v", "range", "begin a range of marks at the cursor; again or space marks it"),
    _FLEET.action("fleet.mark_all", "*", "mark all", "mark every host that shows, or none of them"),
    _FLEET.action("fleet.unmark", "\\", "unmark", "clear all marks"),
    _FLEET.action(
        "fleet.filter",
        "/",
        "filter",
        "text, role:vllm, state:drifted, drift, !not, or a selector of the command line (role_vllm:!core)",
        footer=True,
    ),
    _FLEET.action("fleet.filters", "F", "filters", "saved filters: show, save the one that holds, drop"),
    _FLEET.action(
        "fleet.order", "O", "order", "by name, state, role, node, generation, age of reading, last run; again turns it"
    ),
    _FLEET.action("fleet.attention", "A", "attention", "what waits for a person; enter goes there", footer=True),
    _FLEET.action(
        "fleet.last_run",
        "l",
        "last run",
        "the run that this host was part of last",
        unless=no_hosts,
        command=lambda _: pvenix_line("runs", "list"),
    ),
    _FLEET.action(
        "fleet.groups",
        "0",
        "groups",
        "roles, groups, nodes and filters as a tree; enter shows only their hosts",
        command=lambda _: "pvenix role list",
    ),
    _FLEET.action("fleet.history", "H", "history", "the commits of the revision that the fleet comes from"),
)

HOST: Final = (
    _HOSTS.action(
        "host.rebuild",
        "r",
        "rebuild",
        VERBS["rebuild"].help,
        danger=Danger.REVERSIBLE,
        unless=verb_reason("rebuild"),
        command=verb_command("rebuild"),
        footer=True,
    ),
    _HOSTS.action(
        "host.rollback",
        "b",
        "rollback",
        "activate an earlier generation, chosen from the host's list",
        danger=Danger.REVERSIBLE,
        unless=verb_reason("rollback"),
        command=verb_command("rollback"),
        footer=True,
    ),
    _HOSTS.action(
        "host.onboard",
        "o",
        "onboard",
        "all verbs from the inventory's line to a running host, with a pause before each step",
        danger=Danger.REVERSIBLE,
        unless=no_hosts,
        command=_onboard_command,
        footer=True,
    ),
    _HOSTS.action(
        "host.verbs", "x", "verbs", "every verb by itself, in the order of a host's life", unless=no_hosts, footer=True
    ),
    _HOSTS.action(
        "host.retire",
        "D",
        "retire",
        VERBS["retire"].help,
        danger=Danger.DESTROYS,
        unless=verb_reason("retire"),
        command=verb_command("retire"),
    ),
)
