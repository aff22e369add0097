"""Actions on the fleet's playbooks."""

from __future__ import annotations

from typing import Final

from pvenix_tui.actions.base import Action

PLAYBOOKS: Final[tuple[Action, ...]] = ()
