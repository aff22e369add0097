"""Actions that every screen has, and the movement in lists."""

from __future__ import annotations

from typing import Final

from pvenix_tui.actions.base import Action

APP: Final = (
    Action(
        id="app.fleet",
        key="1",
        label="fleet",
        help="the hosts of the fleet",
        scopes=("app",),
        command=lambda _: "pvenix status",
    ),
    Action(
        id="app.runs",
        key="2",
        label="runs",
        help="live and past runs",
        scopes=("app",),
        command=lambda _: "pvenix runs list",
    ),
    Action(
        id="app.reviews",
        key="3",
        label="reviews",
        help="registration branches that wait for a person",
        scopes=("app",),
        command=lambda _: "pvenix review list",
    ),
    Action(
        id="app.help",
        key="?",
        label="help",
        help="all keys of this screen, filtered as you type; enter runs one",
        scopes=("app",),
        footer=True,
    ),
    Action(
        id="app.palette", key=":,ctrl+p", label="command", help="every action by name; enter runs it", scopes=("app",)
    ),
    Action(
        id="app.refresh", key="ctrl+r", label="refresh", help="read everything on this screen again", scopes=("app",)
    ),
    Action(id="app.back", key="escape", label="back", help="one level back; never quits", scopes=("app",), footer=True),
    Action(
        id="app.quit",
        key="q,ctrl+q,ctrl+c",
        label="quit",
        help="leave; runs go on without this window",
        scopes=("app",),
    ),
)

LISTS: Final = (
    Action(id="list.down", key="j,down", label="down", help="one line down", scopes=("list",)),
    Action(id="list.up", key="k,up", label="up", help="one line up", scopes=("list",)),
    Action(id="list.page_down", key="ctrl+d,pagedown", label="page down", help="one page down", scopes=("list",)),
    Action(id="list.page_up", key="ctrl+u,pageup", label="page up", help="one page up", scopes=("list",)),
    Action(id="list.top", key="g,home", label="top", help="the first line", scopes=("list",)),
    Action(id="list.bottom", key="G,end", label="bottom", help="the last line", scopes=("list",)),
)
