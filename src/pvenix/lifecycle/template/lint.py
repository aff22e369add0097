"""What is wrong with a template's configuration, rule by rule; nothing here asks anybody.

A clone takes over everything but MACs, the smbios uuid and the disks (qemu-server API2/Qemu.pm clone_vm).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pvenix.engine.ports import VmConfig
from pvenix.lifecycle.evidence import cloudinit_drive
from pvenix.lifecycle.notes import parse
from pvenix.lifecycle.ownership import MARKER_TAG
from pvenix.lifecycle.placement.templates import ROOT_DISK, disks_in
from pvenix.model.host import Host
from pvenix.model.site import Template

MARKED: Final = "PVX0730"
"""A template that is marked as a host's VM."""
DRIVE: Final = "PVX0731"
"""A template whose clones get no cloud-init data, or may not see it."""
BOOT: Final = "PVX0732"
"""A template that does not boot from its disk, or has none."""
OPTIONS: Final = "PVX0733"
"""A template that lacks what pvenix reaches its clones by."""
SIZE: Final = "PVX0734"
"""A template that is larger than what a host or class asks for."""
STALE: Final = "PVX0735"
"""A template that was built from another nixpkgs than the fleet pins (a warning)."""
IDENTITY: Final = "PVX0736"
"""Guests of one template that share what must be a machine's own."""
INHERITED: Final = "PVX0737"
"""Something in a template's configuration that its clones should not inherit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong, without its place."""

    code: str
    what: str
    hint: str
    warning: bool = False


def faults(template: Template, config: VmConfig, vmid: int) -> Iterator[Fault]:
    """What is wrong with the template, whoever is cloned from it."""
    yield from _marks(config, vmid)
    yield from _cloudinit(template, config, vmid)
    yield from _booting(template, config, vmid)
    yield from _options(template, config, vmid)
    yield from _inherited(config, vmid)


def oversize(config: VmConfig, hosts: tuple[Host, ...]) -> Iterator[Fault]:
    """Hosts that ask for a smaller disk than the template's: Proxmox grows a disk and never shrinks one."""
    root = next((disk for disk in disks_in(config) if disk.key == ROOT_DISK), None)
    small = [host.name for host in hosts if root is not None and host.machine.disk_mib * 2**20 < root.size]
    if root is not None and small:
        yield Fault(
            code=SIZE,
            what=f"its disk has {root.size >> 30}G, more than {', '.join(small[:3])} "
            + (
                f"and {len(small) - 3} more ask for" if len(small) > 3 else "asks for" if len(small) == 1 else "ask for"
            ),
            hint=f"write disk: {-(-root.size // 2**30)}G or more for them, or build a smaller template",
            warning=True,
        )


def _marks(config: VmConfig, vmid: int) -> Iterator[Fault]:
    notes = parse(config.values.get("description", ""))
    if MARKER_TAG in config.values.get("tags", "").split(";"):
        yield Fault(
            code=MARKED,
            what=f"it has the tag `{MARKER_TAG}`, which its clones inherit: a VM that somebody clones by hand looks like ours",
            hint=f"take the tag away: qm set {vmid} --tags ...",
        )
    if notes.host:
        yield Fault(
            code=MARKED,
            what=f"its notes say that it is the VM of {notes.host}",
            hint="take the lines that begin `pvenix-host`, `pvenix-fleet`, `pvenix-run`, `pvenix-applied` out of its notes",
        )


def _cloudinit(template: Template, config: VmConfig, vmid: int) -> Iterator[Fault]:
    """Source: qemu-server QemuServer.pm print_drivedevice_full; Telmate #944 and #973, bpg #575."""
    if not template.cloudinit:
        return
    drive = cloudinit_drive(config)
    if not drive:
        yield Fault(
            code=DRIVE,
            what="it has no cloud-init drive: its clones get no user, no keys and no address",
            hint=f"qm set {vmid} --scsi1 <storage>:cloudinit",
        )
    elif drive.startswith("ide") and ("q35" in config.values.get("machine", "") or _is_ovmf(config)):
        yield Fault(
            code=DRIVE,
            what=f"its cloud-init drive is {drive}: under q35 and OVMF only a guest that loads `ahci` sees it",
            hint="nix/template.nix loads it; for a template of other making: "
            f"qm set {vmid} --delete {drive}, then qm set {vmid} --scsi1 <storage>:cloudinit",
            warning=True,
        )


def _booting(template: Template, config: VmConfig, vmid: int) -> Iterator[Fault]:
    order = config.values.get("boot", "").removeprefix("order=").split(";")
    if ROOT_DISK not in config.values:
        yield Fault(
            code=BOOT,
            what=f"it has no {ROOT_DISK}, which pvenix grows and boots from",
            hint=f"attach its disk there: qm set {vmid} --{ROOT_DISK} <volume>",
        )
    elif order[0] != ROOT_DISK:
        yield Fault(
            code=BOOT,
            what=f"it boots from {order[0] or 'whatever Proxmox finds'} first, not from {ROOT_DISK}",
            hint=f"qm set {vmid} --boot order={ROOT_DISK}",
        )
    if _is_ovmf(config) and "efidisk0" not in config.values:
        yield Fault(
            code=BOOT,
            what="it has OVMF and no EFI disk: what the firmware is told to boot is forgotten at each stop",
            hint=f"qm set {vmid} --efidisk0 <storage>:1,efitype=4m",
        )
    for key, wanted in (("bios", template.bios), ("machine", template.machine)):
        seen = config.values.get(key, {"bios": "seabios", "machine": "i440fx"}[key])
        if wanted and wanted not in seen:
            yield Fault(
                code=BOOT,
                what=f"its {key} is {seen}, inventory/site.yaml says {wanted}",
                hint=f"correct templates.{template.name}.{key}, or build the template with it",
            )


def _options(template: Template, config: VmConfig, vmid: int) -> Iterator[Fault]:
    agent = config.values.get("agent", "0").split(",")
    if template.agent and not ({"1", "enabled=1"} & set(agent)):
        yield Fault(
            code=OPTIONS,
            what="its options name no guest agent: pvenix reads the host key and the address of a clone through it",
            hint=f"qm set {vmid} --agent 1",
        )
    if "serial0" not in config.values:
        yield Fault(
            code=OPTIONS,
            what="it has no serial0: a clone that does not come up shows nothing",
            hint=f"qm set {vmid} --serial0 socket",
            warning=True,
        )
    if not config.values.get("scsihw", "").startswith("virtio-scsi"):
        yield Fault(
            code=OPTIONS,
            what=f"its scsihw is {config.values.get('scsihw', 'lsi')}, which NixOS may not boot from",
            hint=f"qm set {vmid} --scsihw virtio-scsi-single",
            warning=True,
        )


def _inherited(config: VmConfig, vmid: int) -> Iterator[Fault]:
    """What an operator sets on one VM and does not want on all."""
    if config.values.get("protection") == "1":
        yield Fault(
            code=INHERITED,
            what="it is protected, and so would each of its clones be",
            hint=f"qm set {vmid} --protection 0; Proxmox keeps a template with linked clones anyway",
            warning=True,
        )
    for key in ("cicustom", "hookscript"):
        if key in config.values:
            yield Fault(
                code=INHERITED,
                what=f"its {key} names a snippet, which is on one node's disk and keeps clones on others from starting",
                hint=f"qm set {vmid} --delete {key}; pvenix needs no snippets",
            )


def _is_ovmf(config: VmConfig) -> bool:
    return config.values.get("bios") == "ovmf"
