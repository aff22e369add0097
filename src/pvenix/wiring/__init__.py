"""From a fleet's directory to a working engine: the one place that knows every layer.

The front ends call `Workspace`; it loads adapters only when something outside is asked, and is itself loaded when it is
first named: `pvenix.wiring.remembered` has to be at hand before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pvenix.wiring.workspace import Workspace

__all__ = ["Workspace"]


def __getattr__(name: str) -> object:
    if name == "Workspace":
        from pvenix.wiring.workspace import Workspace

        return Workspace
    raise AttributeError(name)
