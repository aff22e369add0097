"""Actions that every screen has, and the movement in lists."""

from __future__ import annotations

from typing import Final

from pvenix_tui.actions.base import Place

_APP: Final = Place("app")
APP: Final = (
    _APP.action("app.fleet", "1", "fleet", "the hosts of the fleet", command=lambda _: "pvenix status"),
    _APP.action("app.runs", "2", "runs", "live and past runs", command=lambda _: "pvenix runs list"),
    _APP.action(
        "app.reviews",
        "3",
        "reviews",
        "registration branches that wait for a person",
        command=lambda _: "pvenix review list",
    ),
    _APP.action(
        "app.playbooks",
        "4",
        "playbooks",
        "what the fleet's playbooks do, with parameters and a dry run",
        command=lambda _: "pvenix run PLAYBOOK",
    ),
    _APP.action(
        "app.journal",
        "5",
        "journal",
        "what was changed, by whom, and how it is undone",
        command=lambda _: "pvenix audit",
    ),
    _APP.action("app.help", "?", "help", "all keys of this screen, filtered as you type; enter runs one", footer=True),
    _APP.action("app.palette", ":,ctrl+p", "command", "every action by name; enter runs it"),
    _APP.action("app.refresh", "ctrl+r", "refresh", "read everything on this screen again"),
    _APP.action("app.back", "escape", "back", "one level back; never quits", footer=True),
    _APP.action("app.quit", "q,ctrl+q,ctrl+c", "quit", "leave; runs go on without this window"),
)

_LIST: Final = Place("list")
LISTS: Final = (
    _LIST.action("list.down", "j,down", "down", "one line down"),
    _LIST.action("list.up", "k,up", "up", "one line up"),
    _LIST.action("list.page_down", "ctrl+d,pagedown", "page down", "one page down"),
    _LIST.action("list.page_up", "ctrl+u,pageup", "page up", "one page up"),
    _LIST.action("list.top", "g,home", "top", "the first line"),
    _LIST.action("list.bottom", "G,end", "bottom", "the last line"),
)
