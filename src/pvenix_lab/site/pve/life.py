"""The handlers of a VM's life that have files of their own; importing this module registers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.pve import destroy, disks_api

if TYPE_CHECKING:
    from types import ModuleType

HANDLER_MODULES: tuple[ModuleType, ...] = (destroy, disks_api)
"""The modules that register the handlers."""
