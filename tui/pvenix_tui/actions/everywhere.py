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
        "branches that wait for a person: registrations, reverts, drift and more",
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
    _APP.action(
        "app.help", "?,f1", "help", "all keys of this screen, filtered as you type; enter runs one", footer=True
    ),
    _APP.action(
        "app.palette", ":,ctrl+p", "command", "every action by name, a verb with its hosts, or a host; enter runs it"
    ),
    _APP.action("app.refresh", "ctrl+r", "refresh", "read everything on this screen again"),
    _APP.action("app.theme", "", "theme", "other colours for this window, also as `theme light`; tui.yaml keeps them"),
    _APP.action("app.back", "escape", "back", "one level back; never quits", footer=True),
    _APP.action("app.suspend", "ctrl+z", "suspend", "to the shell; `fg` comes back"),
    _APP.action("app.quit", "q,ctrl+q,ctrl+c", "quit", "leave; runs go on without this window"),
)

_FRAME: Final = Place("frame")
FRAME: Final = (
    _FRAME.action("frame.copy", "Y", "copy", "copy the row, its id, everything, or the same as a command line"),
    _FRAME.action("frame.save", "s", "save", "save the list, document or log into a file; nothing is overwritten"),
    _FRAME.action("frame.jump", "'", "jump", "to a pane of this screen, by a letter"),
    _FRAME.action("frame.calls", "@,#", "calls", "what this window asks of machines itself: commands, API calls, git"),
)
"""As those of the app, where the screen has no action of its own with the same key."""

_CALLS: Final = Place("calls")
CALLS: Final = (_CALLS.action("calls.bad", "F", "failed only", "only calls that failed, or all again", footer=True),)

_LIST: Final = Place("list")
LISTS: Final = (
    _LIST.action("list.down", "j,down", "down", "one line down"),
    _LIST.action("list.up", "k,up", "up", "one line up"),
    _LIST.action("list.page_down", "ctrl+d,pagedown", "page down", "one page down"),
    _LIST.action("list.page_up", "ctrl+u,pageup", "page up", "one page up"),
    _LIST.action("list.top", "g,home", "top", "the first line"),
    _LIST.action("list.bottom", "G,end", "bottom", "the last line"),
)
