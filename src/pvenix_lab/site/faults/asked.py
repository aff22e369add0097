"""One call of the API, as the faults that may strike it see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvenix_lab.site.armed.fault import Fault
from pvenix_lab.site.pve.api import Params

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

VMID = re.compile(r"/qemu/(\d+)(?:/|$)")
"""Finds the VM of a path."""
_NODE = re.compile(r"/nodes/([^/]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call as it arrives, before it is checked."""

    site: Site
    method: str
    path: str
    params: Params

    @property
    def hosts(self) -> tuple[str | None, ...]:
        """Names for which a fault may be armed: the VM of the path, and the one that the call gives to a new VM."""
        found = VMID.search(self.path)
        vm = self.site.cluster.vms.get(int(found[1])) if found else None
        new = self.params.get("name")
        return (vm.name if vm else None, new if isinstance(new, str) else None)

    @property
    def node(self) -> str:
        """The node of the path, empty without one."""
        found = _NODE.match(self.path)
        return found[1] if found else ""

    def take(self, name: str, accept: Callable[[Fault], bool] | None = None) -> Fault | None:
        """The fault, one occasion used up."""
        return self.site.faults.take_any(name, self.hosts, accept=accept)

    def peek(self, name: str, accept: Callable[[Fault], bool] | None = None) -> Fault | None:
        """The fault, left armed."""
        hits = (self.site.faults.peek(name, host, accept=accept) for host in self.hosts)
        return next((fault for fault in hits if fault), None)

    def aimed(self, fault: Fault) -> bool:
        """True if the fault's `method` and `path` arguments let it strike this call."""
        return self.method.startswith(fault.text("method").upper()) and fault.text("path") in self.path
