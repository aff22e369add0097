"""Where the output of a host goes."""

from __future__ import annotations

from collections.abc import Callable

OutputSink = Callable[[str], None]
"""Takes sanitised text of any length, not split into lines."""
