"""The reference of all keys in docs/tui.md: `python -m pvenix_tui.actions.document FILE` writes it into the file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from pvenix_tui.actions import ACTIONS, Action, Context

BEGIN: Final = "<!-- actions: written by `python -m pvenix_tui.actions.document docs/tui.md` -->"
END: Final = "<!-- end of actions -->"
_TITLES: Final = {
    "app": "Everywhere",
    "frame": "Everywhere, where the screen has no other use for the key",
    "list": "In every list, document and log",
    "fleet": "Fleet",
    "newhost": "New host",
    "host": "Host",
    "unit": "Unit",
    "verbs": "Verbs (menu `x`, palette)",
    "rollback": "Rollback",
    "runs": "Runs",
    "run": "Run",
    "wizard": "Wizard",
    "reviews": "Reviews",
    "review": "Review",
    "since": "What changed since",
    "conflicts": "Conflicts",
    "history": "History",
    "commit": "Commit",
    "playbooks": "Playbooks",
    "playbook": "Playbook",
    "journal": "Journal",
    "plan": "Plan",
    "calls": "Calls (`@`)",
}


def reference() -> str:
    """A table of actions for each place."""
    parts: list[str] = []
    for scope, title in _TITLES.items():
        rows = [_row(action, scope) for action in ACTIONS if scope in action.scopes]
        parts.append("\n".join((f"### {title}", "", "| key | action | reach | what it does | same from a shell |",
                                "|---|---|---|---|---|", *rows)))  # fmt: skip
    return "\n\n".join(parts)


def _row(action: Action, scope: str) -> str:
    key = " ".join(f"`{_escaped(word)}`" for word in action.key_label.split())
    command = action.command(Context(scope=scope))
    return f"| {key} | {action.label} | {action.danger.value} | {_escaped(action.help)} | {f'`{command}`' if command else ''} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def updated(document: str) -> str:
    """`document` with the reference between its marks.

    Raises: ValueError when it has no marks.
    """
    head, mark, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not mark or not end:
        raise ValueError("the document has no marks for the actions")
    return f"{head}{BEGIN}\n\n{reference()}\n\n{END}{tail}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text()))
