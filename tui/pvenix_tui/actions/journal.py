"""Actions on what was done."""

from __future__ import annotations

from typing import Final

from pvenix_tui.actions.base import Action

JOURNAL: Final[tuple[Action, ...]] = ()
