"""pvenix with one verb that claims success and does nothing: `python liar.py VERB ARGUMENTS…`."""

from __future__ import annotations

import importlib
import sys

from pvenix.entry import main
from pvenix.model.outcome import Outcome, Status


async def lie(_world: object, _step: object) -> Outcome:
    """A result that nothing stands behind."""
    return Outcome(status=Status.CHANGED, summary="done")


if __name__ == "__main__":
    verb = importlib.import_module(f"pvenix.lifecycle.{sys.argv.pop(1)}")
    verb.apply = lie  # type: ignore[attr-defined]
    sys.exit(main())
