"""The handlers of a VM's life that have files of their own; importing this module registers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.pve import create, destroy, disks_api, template

if TYPE_CHECKING:
    from types import ModuleType

HANDLER_MODULES: tuple[ModuleType, ...] = (create, destroy, disks_api, template)
"""The modules that register the handlers."""
