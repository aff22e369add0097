"""Actions on the fleet's playbooks."""

from __future__ import annotations

from typing import Final

from pvenix_tui.actions.base import Action, Context, Place, pvenix_line


def _no_playbook(context: Context) -> str:
    return "" if context.playbook else "there is no playbook"


def _not_runnable(context: Context) -> str:
    return _no_playbook(context) or context.blocked


_PLAYBOOKS: Final = Place("playbooks")
_PLAYBOOK: Final = Place("playbook")
_BOTH: Final = Place("playbooks", "playbook")
PLAYBOOKS: Final[tuple[Action, ...]] = (
    _PLAYBOOKS.action(
        "playbooks.open", "enter", "open", "its plays, tasks and parameters", unless=_no_playbook, footer=True
    ),
    _PLAYBOOK.action(
        "playbook.change", "enter", "change", "give the parameter at the cursor, or take it back", footer=True
    ),
    _BOTH.action(
        "playbook.run",
        "r",
        "run",
        "the plan of running it, with the parameters as they are",
        unless=_not_runnable,
        command=lambda context: context.command_line or pvenix_line("run", context.playbook or "PLAYBOOK"),
        footer=True,
    ),
    _PLAYBOOK.action(
        "playbook.check", "c", "check", "show the exact commands and change nothing, or do it", footer=True
    ),
    _PLAYBOOK.action("playbook.clear", "backspace", "clear", "take the parameter at the cursor back"),
    _BOTH.action(
        "playbook.edit",
        "E",
        "edit",
        "the file in $EDITOR; it is read again afterwards",
        unless=_no_playbook,
        footer=True,
    ),
)
