"""Snippets: what cicustom puts in place of the generated cloud-init files (source: qemu-server 8.4 Cloudinit.pm, F30).

No call uploads one (measured on 8.4.5 and 9.2.11); whoever has access to a node's files puts it there, as a volume with a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.vm import parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.pve.cluster import Cluster
    from pvenix_lab.site.pve.vm import Vm


def snippets(cluster: Cluster, vm: Vm, custom: object) -> dict[str, str]:
    """The texts that a cicustom value names, by kind (user, network, meta, vendor); none for no value.

    Raises:
        PveError: a snippet is not on the VM's node, or is none.
    """
    result: dict[str, str] = {}
    for kind, volid in parse_properties(str(custom)).items() if custom else ():
        volume = volumes.find(cluster, vm.node, volid)
        if volume is None:
            raise PveError(f"volume '{volid}' does not exist")
        if volume.content != "snippets":
            raise PveError(f"{volid} is not in the snippets directory")
        result[kind] = volume.text
    return result
