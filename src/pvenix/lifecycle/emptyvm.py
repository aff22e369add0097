"""What an empty VM is made of: what the inventory declares, and for the rest what a clone would have of the template."""

from __future__ import annotations

from pvenix.fleet.load import Fleet
from pvenix.lifecycle.fields.compare import OUTSIDE, recorded_as
from pvenix.lifecycle.fields.spelling import changes
from pvenix.lifecycle.fields.values import CLOUD_INIT, ROOT_DISK
from pvenix.lifecycle.fields.wanted import wanted_of
from pvenix.lifecycle.notes import Notes
from pvenix.model.host import Host

_IMAGE, _DRIVE = "ide2", "ide0"
_USUAL = {"agent": "1", "cpu": "host", "ostype": "l26", "scsihw": "virtio-scsi-pci", "serial0": "socket"}


def empty_vm(fleet: Fleet, host: Host, *, image: str, storage: str, run: str) -> dict[str, str]:
    """The options of `POST /nodes/{node}/qemu`, its notes with the marker and the record among them.

    It boots from its disk, and while nothing is on that from `image`. The cloud-init drive is the installed system's.
    """
    wanted = [one for one in wanted_of(fleet, host.name) if one.key not in OUTSIDE]
    mine = [one for one in wanted if not CLOUD_INIT.fullmatch(one.key)]
    keys = [key for key in dict.fromkeys(one.key for one in mine) if key != "description"]
    usual = _usual(fleet, host)
    asked, deleted = changes(keys, mine, usual, storage=storage, ours="")
    values = {key: value for key, value in (usual | asked).items() if key not in deleted}
    values.setdefault(ROOT_DISK, f"{storage}:{-(-host.machine.disk_mib // 1024)}")
    if values["bios"] == "ovmf":
        values.setdefault("efidisk0", f"{storage}:1,efitype=4m,pre-enrolled-keys=0")
    values |= {"name": host.name, _IMAGE: f"{image},media=cdrom", _DRIVE: f"{storage}:cloudinit"}
    values["boot"] = f"order={ROOT_DISK};{_IMAGE}"
    text = next((one.value for one in mine if one.key == "description"), "")
    record = {one.id: recorded_as(one.value) for one in mine}
    values["description"] = str(Notes(above=text, host=host.name, fleet=fleet.site.name, run=run, applied=record))
    return values | ({"pool": host.machine.proxmox.pool} if host.machine.proxmox.pool else {})


def _usual(fleet: Fleet, host: Host) -> dict[str, str]:
    template = fleet.site.templates.get(host.machine.template)
    bios, machine = (template.bios, template.machine) if template else ("ovmf", "q35")
    sizes = {"cores": str(host.machine.cores), "memory": str(host.machine.memory_mib)}
    return {**_USUAL, **sizes, "bios": bios, "machine": machine}
