"""Every action of the TUI, once: footer, help, palette, key bindings and docs/tui.md are made from this table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pvenix_tui.actions.base import Action, Context
from pvenix_tui.actions.everywhere import APP, CALLS, FRAME, LISTS
from pvenix_tui.actions.fleet import FLEET, HOST
from pvenix_tui.actions.host import HOST_TABS, UNIT
from pvenix_tui.actions.journal import JOURNAL
from pvenix_tui.actions.newhost import NEW_HOST, WIZARD
from pvenix_tui.actions.plan import PLAN
from pvenix_tui.actions.playbooks import PLAYBOOKS
from pvenix_tui.actions.review import REVIEWS
from pvenix_tui.actions.rollback import ROLLBACK
from pvenix_tui.actions.run import RUN, RUNS
from pvenix_tui.actions.verbs import VERB_ACTIONS

__all__ = ["ACTIONS", "BY_ID", "Action", "Context", "in_scope"]

ACTIONS: Final = (
    *APP,
    *FRAME,
    *LISTS,
    *CALLS,
    *FLEET,
    *NEW_HOST,
    *HOST,
    *HOST_TABS,
    *UNIT,
    *VERB_ACTIONS,
    *ROLLBACK,
    *RUNS,
    *WIZARD,
    *RUN,
    *REVIEWS,
    *PLAYBOOKS,
    *JOURNAL,
    *PLAN,
)
BY_ID: Final = {action.id: action for action in ACTIONS}


def in_scope(scope: str) -> Iterator[Action]:
    """The actions of a scope, in the table's order."""
    return (action for action in ACTIONS if scope in action.scopes)
