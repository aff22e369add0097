"""The keys of the plan's screen, the only one from which something is started."""

from __future__ import annotations

from typing import Final

from pvenix_tui.actions.base import Context, Place, Reason


def _toggle(name: str, what: str = "") -> Reason:
    def reason(context: Context) -> str:
        if name not in context.toggles:
            return f"this plan has no {what or name}"
        return "keys go to the name that is typed; tab leaves it" if context.typing else ""

    return reason


_PLAN: Final = Place("plan")
PLAN: Final = (
    _PLAN.action(
        "plan.start",
        "y",
        "start",
        "start what the plan shows",
        unless=lambda context: context.blocked,
        command=lambda context: context.command_line,
        footer=True,
    ),
    _PLAN.action(
        "plan.check",
        "c",
        "check",
        "only look and say what would be done, or do it",
        unless=_toggle("check"),
        footer=True,
    ),
    _PLAN.action(
        "plan.commands",
        "v",
        "commands",
        "the exact commands, from a dry run that begins now and changes nothing",
        unless=_toggle("commands", "dry run"),
        footer=True,
    ),
    _PLAN.action(
        "plan.step", "s", "step by step", "wait before each step, or not", unless=_toggle("step"), footer=True
    ),
    _PLAN.action(
        "plan.options", "o", "options", "what else the verb can be told", unless=_toggle("options"), footer=True
    ),
    _PLAN.action(
        "plan.comment", "e", "comment", "write the comment that goes with it", unless=_toggle("comment"), footer=True
    ),
)
