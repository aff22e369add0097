"""Who may set which tag (source: pve-guest-common 8.4 GuestHelpers.pm; the datacenter options `registered-tags`, `user-tag-access`)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pvenix_lab.site.pve.errors import PermissionDeniedError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.needs import need_vm
from pvenix_lab.site.pve.vm import parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.pve.call import Call


def check_tags(call: Call, vmid: int, old: object, new: object, *, pool: str = "") -> None:
    """Check the tags that a write adds or takes away.

    Raises:
        PermissionDeniedError: a tag is registered, or free tags are not allowed, and the caller may not change the datacenter.
    """
    need_vm(call, vmid, "VM.Config.Options", pool=pool)
    before, after = (Counter(split_list(str(tags or ""))) for tags in (old, new))
    changed = sorted(tag for tag in before | after if before[tag] != after[tag])
    if not changed or call.allowed("/", "Sys.Modify"):
        return
    registered = set(split_list(str(call.cluster.options.get("registered-tags", ""))))
    rules = parse_properties(str(call.cluster.options.get("user-tag-access", "")))
    allow = rules.get("user-allow", "free")
    allowed = set(split_list(rules.get("user-allow-list", ""))) if allow != "none" else set()
    if allow == "existing":
        visible = [vm for vm in call.cluster.vms.values() if call.allowed(f"/vms/{vm.vmid}", "VM.Audit")]
        allowed |= {tag for vm in visible for tag in split_list(str(vm.config.get("tags", "")))}
    for tag in changed:
        if tag in registered or (tag not in allowed and allow != "free"):
            raise PermissionDeniedError(f"/, Sys.Modify for modifying tag '{tag}'")
