"""The renderer that the global options and the terminal ask for."""

from __future__ import annotations

import os
import sys

from pvenix.cli.render.base import Renderer
from pvenix.cli.settings import Output, Settings


def make_renderer(settings: Settings, *, diff: bool = False) -> Renderer:
    """Live lines where stderr is a terminal that can redraw, plain lines elsewhere, JSON when asked for."""
    if settings.output is not Output.TEXT:
        from pvenix.cli.render.machine import JsonDocument, JsonLines

        return JsonDocument() if settings.output is Output.JSON else JsonLines()
    if sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        from pvenix.cli.render.live import Live

        return Live(verbose=settings.verbose, diff=diff)
    from pvenix.cli.render.plain import Plain

    return Plain(verbose=settings.verbose, diff=diff)
