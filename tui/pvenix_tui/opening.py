"""A fleet that is opened when something is first asked of it: loading the engine takes as long as drawing the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pvenix.wiring import Workspace


class Opening:
    """Stands for a `Workspace`, and has everything that it has."""

    def __init__(self, root: Path, make: Callable[[Path], Workspace]) -> None:
        self.root = root
        self._make = make
        self._made: Workspace | None = None
        self._making = threading.Lock()
        """Asked from the loop and from threads."""

    def __getattr__(self, name: str) -> Any:
        with self._making:
            if self._made is None:
                self._made = self._make(self.root)
        return getattr(self._made, name)

    async def close(self) -> None:
        """End its connections; one that was never opened has none."""
        if self._made is not None:
            await self._made.close()
