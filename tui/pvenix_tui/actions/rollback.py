"""Choosing where each host goes back to."""

from __future__ import annotations

from typing import Final

from pvenix_tui.actions.base import Context, Place, no_hosts, pvenix_line


def _rollback_command(context: Context) -> str:
    """One host by its number, several each by its own."""
    if len(context.aims) == 1:
        host, number = next(iter(context.aims.items()))
        return pvenix_line("rollback", host, "--to", str(number))
    aims = [f"{host}={number}" for host, number in context.aims.items()]
    return pvenix_line("rollback", *(aims or ["HOST=N"]))


_ROLLBACK: Final = Place("rollback")
ROLLBACK: Final = (
    _ROLLBACK.action(
        "rollback.plan",
        "enter",
        "plan",
        "the plan of going there, with what changes on every host",
        unless=lambda context: "" if context.aims else "no host has a generation to go to",
        command=_rollback_command,
        footer=True,
    ),
    _ROLLBACK.action("rollback.older", "h", "older", "an older generation for this host", unless=no_hosts, footer=True),
    _ROLLBACK.action("rollback.newer", "l", "newer", "a newer generation for this host", unless=no_hosts, footer=True),
    _ROLLBACK.action(
        "rollback.same",
        "=",
        "same commit",
        "every host to its newest generation of this host's commit",
        unless=no_hosts,
        footer=True,
    ),
    _ROLLBACK.action(
        "rollback.previous", "-", "previous", "every host to the generation before the one that it runs", footer=True
    ),
    _ROLLBACK.action(
        "rollback.leave", "space", "leave out", "leave this host as it is, or take it in again", unless=no_hosts
    ),
    _ROLLBACK.action(
        "rollback.method", "m", "method", "switch now, at the next boot, or take a commit of main back", footer=True
    ),
)
