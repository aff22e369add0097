"""The releases that the site can be, and their privileges and built-in roles (source: pve-access-control AccessControl.pm)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Flavour(Enum):
    """A release of Proxmox VE, by the value of `--pve`."""

    PVE_8_4 = "8.4"
    PVE_9_2 = "9.2"

    @property
    def release(self) -> Release:
        """What the release calls itself."""
        return _RELEASES[self]

    @property
    def privileges(self) -> frozenset[str]:
        """Every privilege that a role may name."""
        return self.roles["Administrator"]

    @property
    def roles(self) -> Mapping[str, frozenset[str]]:
        """The built-in roles; they can be neither changed nor removed."""
        return _special_roles(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The names of a release. `repoid` is made up; the real one is a commit of the vendor's build."""

    version: str
    repoid: str
    kernel: str


_RELEASES = MappingProxyType(
    {
        Flavour.PVE_8_4: Release(version="8.4.5", repoid="a79374d20", kernel="6.8.12-11-pve"),
        Flavour.PVE_9_2: Release(version="9.2.11", repoid="f56d2a1c0b7e9348", kernel="6.17.13-2-pve"),
    }
)
_VM_ADMIN = (
    *("VM.Config.Disk", "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Network", "VM.Config.HWType"),
    *("VM.Config.Options", "VM.Allocate", "VM.Clone", "VM.Migrate", "VM.Snapshot", "VM.Snapshot.Rollback"),
)
_VM_USER = ("VM.Config.CDROM", "VM.Config.Cloudinit", "VM.Console", "VM.Backup", "VM.PowerMgmt")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Privileges of one category by the kind of role that holds them."""

    root: tuple[str, ...] = ()
    admin: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    audit: tuple[str, ...] = ()


_VM_GROUP = {
    Flavour.PVE_8_4: _Group(admin=(*_VM_ADMIN, "VM.Monitor"), user=_VM_USER, audit=("VM.Audit",)),
    Flavour.PVE_9_2: _Group(
        admin=(*_VM_ADMIN, "VM.GuestAgent.Unrestricted", "VM.Replicate"),
        user=(*_VM_USER, *(f"VM.GuestAgent.{what}" for what in ("FileRead", "FileSystemMgmt", "FileWrite"))),
        audit=("VM.Audit", "VM.GuestAgent.Audit"),
    ),
}
_GROUPS = {
    "Sys": _Group(
        root=("Sys.PowerMgmt", "Sys.Modify", "Sys.Incoming", "Sys.AccessNetwork"),
        admin=("Sys.Console", "Sys.Syslog"),
        audit=("Sys.Audit",),
    ),
    "Datastore": _Group(
        admin=("Datastore.Allocate", "Datastore.AllocateTemplate"),
        user=("Datastore.AllocateSpace",),
        audit=("Datastore.Audit",),
    ),
    "SDN": _Group(admin=("SDN.Allocate", "SDN.Audit"), user=("SDN.Use",), audit=("SDN.Audit",)),
    "User": _Group(root=("Realm.Allocate",), admin=("User.Modify", "Group.Allocate", "Realm.AllocateUser")),
    "Pool": _Group(admin=("Pool.Allocate",), user=("Pool.Audit",), audit=("Pool.Audit",)),
    "Mapping": _Group(admin=("Mapping.Modify",), user=("Mapping.Use",), audit=("Mapping.Audit",)),
}


@functools.cache
def _special_roles(flavour: Flavour) -> Mapping[str, frozenset[str]]:
    everything = {"Permissions.Modify"}
    roles: dict[str, set[str]] = {"NoAccess": set(), "PVEAdmin": set(), "PVEAuditor": set()}
    for category, group in {"VM": _VM_GROUP[flavour], **_GROUPS}.items():
        everything |= {*group.root, *group.admin, *group.user, *group.audit}
        roles[f"PVE{category}Admin"] = {*group.admin, *group.user, *group.audit}
        roles["PVEAdmin"] |= roles[f"PVE{category}Admin"]
        if group.user:
            roles[f"PVE{category}User"] = {*group.user, *group.audit}
        roles["PVEAuditor"] |= set(group.audit)
    roles["PVEAdmin"].discard("Mapping.Modify")
    roles["PVETemplateUser"] = {"VM.Audit", "VM.Clone"}
    roles["Administrator"] = everything
    return MappingProxyType({name: frozenset(privileges) for name, privileges in roles.items()})
