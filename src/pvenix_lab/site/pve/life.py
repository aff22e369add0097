"""The handlers of a VM's life that have files of their own; importing this module registers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.pve import (
    backup,
    bulk,
    console,
    create,
    destroy,
    disks_api,
    ha_manager,
    pools,
    prune,
    replication,
    storage_content,
    storage_files,
    template,
)

if TYPE_CHECKING:
    from types import ModuleType

HANDLER_MODULES: tuple[ModuleType, ...] = (
    *(backup, bulk, console, create, destroy, disks_api, ha_manager, pools, prune),
    *(replication, storage_content, storage_files, template),
)
"""The modules that register the handlers."""
