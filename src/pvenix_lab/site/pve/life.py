"""The handlers of a VM's life that have files of their own; importing this module registers them."""

from __future__ import annotations

from types import ModuleType

HANDLER_MODULES: tuple[ModuleType, ...] = ()
"""The modules that register the handlers."""
