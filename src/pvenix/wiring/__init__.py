"""From a fleet's directory to a working engine: the one place that knows every layer.

The front ends call `Workspace`; it loads adapters only when something outside is asked.
"""

from pvenix.wiring.workspace import Workspace

__all__ = ["Workspace"]
