"""What a drive of a configuration stands for: making its volume, detaching it, freeing it (source: qemu-server 8.4 create_disks)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.drives import in_use, is_cdrom, is_cloudinit, new_disk, parse_drive, print_drive
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.sizes import GIB, KIB, MIB, print_size
from pvenix_lab.site.pve.vm import DISK_KEY
from pvenix_lab.site.pve.volumes import FILE_TYPES, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pvenix_lab.site.pve.call import Call
    from pvenix_lab.site.pve.cluster import Storage
    from pvenix_lab.site.pve.schema import Value
    from pvenix_lab.site.pve.vm import Vm

_TPM_BYTES = 4 * MIB


def check_drives(settings: Mapping[str, Value]) -> None:
    """Raise ParameterError for a drive that cannot be meant as it is written."""
    for key, value in settings.items():
        if not DISK_KEY.match(key):
            continue
        drive = parse_drive(value)
        if "file" not in drive:
            raise ParameterError({key: "unable to parse drive options"})
        if "import-from" in drive:
            _check_import(key, drive)
        if volumes.content_of(drive["file"].partition(":")[2]) == "iso" and drive.get("media") != "cdrom":
            raise ParameterError({key: "explicit 'media=cdrom' is required for iso images"})


def _check_import(key: str, drive: Mapping[str, str]) -> None:
    wanted = new_disk(drive)
    if wanted is None or wanted[1] != 0:
        text = "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>"
        raise ParameterError({key: text})
    needed = {"efidisk0": ("efitype", "pre-enrolled-keys"), "tpmstate0": ("version",)}.get(key, ())
    for name in needed:
        if name not in drive:
            raise ParameterError({key: f"need to specify '{name}' when using 'import-from'"})


def check_access(call: Call, vmid: int, settings: Mapping[str, Value], *, default: str = "") -> None:
    """Check the right to every storage and volume that the drives name.

    Raises:
        PermissionDeniedError, ParameterError, PveError: with the backend's texts.
    """
    for key, value in settings.items():
        if not DISK_KEY.match(key):
            continue
        drive = parse_drive(value)
        volid, asked = drive["file"], new_disk(drive)
        if volid == "none" or volid.endswith(":cloudinit") or volid == "cloudinit":
            continue
        if volid == "cdrom":
            call.require("/", "Sys.Console")
        elif asked is not None and not is_cdrom(drive):
            _check_storage(call, asked[0] or default)
        else:
            check_volume(call, vmid, volid)
            if volumes.content_of(volid.partition(":")[2]) not in {"images", "iso"}:
                raise ParameterError({key: "content type needs to be 'images' or 'iso'"})
        if "import-from" in drive:
            _check_source(call, vmid, key, drive["import-from"])


def _check_storage(call: Call, name: str) -> None:
    if not name:
        raise PveError("no storage ID specified (and no default storage)")
    call.require(f"/storage/{name}", "Datastore.AllocateSpace")
    if "images" not in volumes.storage_named(call.cluster, name, "").content:
        raise ParameterError({"storage": f"storage '{name}' does not support vm images"})


def _check_source(call: Call, vmid: int, key: str, source: str) -> None:
    name = source.partition(":")[2]
    kind = volumes.content_of(name)
    if source.startswith("/"):
        check_volume(call, vmid, source)
    elif kind not in {"images", "import"}:
        raise ParameterError({key: f"{source} has wrong type '{kind}' - needs to be 'images' or 'import'"})
    elif (owner := volumes.owner_of(name)) is not None:
        call.require(f"/vms/{owner}", "VM.Clone")
    else:
        check_volume(call, vmid, source)


def check_volume(call: Call, vmid: int | None, volid: str) -> None:
    """The right to use one volume (source: pve-storage 8.3 check_volume_access). Raises PveError if it is missing."""
    storage, found, name = volid.partition(":")
    if not found or volid.startswith("/"):
        if call.caller.is_root:
            return
        raise PveError("Only root can pass arbitrary filesystem paths.")
    path, kind, owner = f"/storage/{storage}", volumes.content_of(name), volumes.owner_of(name)
    if call.allowed(path, "Datastore.Allocate"):
        return
    if kind in {"iso", "vztmpl", "import"}:
        call.require(path, "Datastore.AllocateSpace", "Datastore.Audit", any_of=True)
    elif owner is not None and owner == vmid:
        return
    elif kind == "backup" and owner is not None:
        call.require(path, "Datastore.AllocateSpace")
        call.require(f"/vms/{owner}", "VM.Backup")
    elif kind == "images" and owner is not None:
        call.require(path, "Datastore.Audit")
        call.require(f"/vms/{owner}", "VM.Config.Disk")
    else:
        raise PveError(f"missing privileges to access {volid}")


@dataclass(slots=True, kw_only=True)
class Disks:
    """The drives of one write: `made` are the volumes that it made, `done` the entries as the configuration will keep them."""

    call: Call
    vm: Vm
    node: str
    default: str = ""
    made: list[Volume] = field(default_factory=list)
    done: dict[str, str] = field(default_factory=dict)

    def create(self, settings: Mapping[str, Value], log: Callable[[str], None] = lambda _text: None) -> dict[str, str]:
        """The drives among `settings` as the configuration keeps them, their volumes made or found.

        Raises:
            PveError: one cannot be had; what was made until then is freed again.
        """
        try:
            for key in sorted(settings):
                if DISK_KEY.match(key):
                    self.done[key] = self._entry(key, parse_drive(settings[key]))
                    if not self.done[key].startswith(("none", "cdrom")):
                        log(f"{key}: successfully created disk '{self.done[key]}'")
        except PveError:
            self.undo()
            raise
        return self.done

    def undo(self) -> None:
        """Free what was made."""
        for volume in self.made:
            volumes.free(self.call.cluster, volume)
        self.made.clear()

    def _entry(self, key: str, drive: dict[str, str]) -> str:
        volid, cluster = drive["file"], self.call.cluster
        if volid in {"none", "cdrom"}:
            return print_drive(volid, {k: v for k, v in drive.items() if k != "size"})
        home, _, name = volid.rpartition(":")
        if name == "cloudinit":
            return self._cloudinit(key, drive, home or self.default)
        asked = new_disk(drive)
        if asked is not None:
            storage = volumes.storage_named(cluster, asked[0] or self.default, self.node)
            volume = self._allocate(key, drive, storage, int(asked[1] * GIB))
            return print_drive(volume.volid, drive | {"size": print_size(volume.size)})
        check_volume(self.call, self.vm.vmid, volid)
        if volid.startswith("/"):
            return print_drive(volid, drive)
        volume = volumes.existing(cluster, self.node, volid)
        if drive.get("format", volume.format) != volume.format:
            text = f"drive '{key}' - volume '{volid}' - 'format={drive['format']}' option different"
            raise PveError(f"{text} from storage format '{volume.format}'")
        return print_drive(volid, drive | {"size": print_size(volume.size)})

    def _cloudinit(self, key: str, drive: dict[str, str], home: str) -> str:
        entries = self.vm.config | self.vm.pending | self.done
        taken = next((k for k, v in entries.items() if k != key and is_cloudinit(k, v)), None)
        if taken is not None:
            raise PveError(f"{key} - cloud-init drive is already attached at '{taken}'")
        storage = volumes.storage_named(self.call.cluster, home, self.node)
        volume = make_cloudinit(self.call, storage, self.node, self.vm.vmid, drive.get("format"))
        self.made.append(volume)
        return print_drive(volume.volid, {k: v for k, v in drive.items() if k != "size"} | {"media": "cdrom"})

    def _allocate(self, key: str, drive: dict[str, str], storage: Storage, size: int) -> Volume:
        cluster, fmt = self.call.cluster, drive.get("format")
        if key == "efidisk0":
            size = efi_bytes(storage, drive.get("efitype", "2m"))
        elif key == "tpmstate0":
            size, fmt = _TPM_BYTES, "raw"
        elif "import-from" in drive:
            source = drive["import-from"]
            try:
                size = volumes.existing(cluster, self.node, source).size
            except PveError as error:
                raise PveError(f"cannot import from '{source}' - {error.message}") from None
        now = int(self.call.site.wall())
        volume = volumes.allocate(cluster, storage, self.node, self.vm.vmid, size, fmt=fmt, now=now)
        self.made.append(volume)
        if self.vm.template:
            make_base(self.call, volume)
        return volume


def make_cloudinit(call: Call, storage: Storage, node: str, vmid: int, fmt: str | None = None) -> Volume:
    """The 4 MiB volume of a cloud-init drive: a qcow2 file where volumes are files (measured on 8.4.5), raw elsewhere."""
    files = storage.type in FILE_TYPES
    fmt = fmt or ("qcow2" if files else "raw")
    name = f"{vmid}/vm-{vmid}-cloudinit.{fmt}" if files else f"vm-{vmid}-cloudinit"
    now = int(call.site.wall())
    return volumes.allocate(call.cluster, storage, node, vmid, volumes.CLOUDINIT_BYTES, fmt=fmt, name=name, now=now)


def efi_bytes(storage: Storage, efitype: str) -> int:
    """Size of an EFI variable disk: 528 KiB (128 for the old type), rounded up to what the storage allocates."""
    if storage.type in FILE_TYPES or storage.type == "rbd":
        return 528 * KIB if efitype == "4m" else 128 * KIB
    return 4 * MIB if storage.type in {"lvm", "lvmthin"} else MIB


def make_base(call: Call, volume: Volume) -> None:
    """Turn a disk into a base image, from which linked clones can hang."""
    directory, slash, leaf = volume.name.rpartition("/")
    volumes.rename(call.cluster, volume, f"{directory}{slash}{leaf.replace('vm-', 'base-', 1)}")


def deallocate(call: Call, vm: Vm, key: str, drive: Mapping[str, str]) -> None:
    """Free a disk that the VM owns; a foreign one is only forgotten.

    Raises:
        PermissionDeniedError: no right to the storage.
        PveError: a snapshot or another entry still names it.
    """
    volid = drive.get("file", "")
    home, found, name = volid.partition(":")
    if is_cdrom(drive, strict=True) or not found or volumes.owner_of(name) != vm.vmid:
        return
    call.require(f"/storage/{home}", "Datastore.AllocateSpace")
    if in_use(vm, key, volid):
        raise PveError(f"unable to delete '{volid}' - volume is still in use (snapshot?)")
    volume = volumes.find(call.cluster, vm.node, volid)
    if volume is not None:
        volumes.free(call.cluster, volume)


def remake_cloudinit(call: Call, vm: Vm) -> None:
    """Make the volume of the cloud-init drive if it is gone, as every start does. Raises PveError if the storage cannot hold it."""
    key = vm.cloudinit_drive()
    volid = parse_drive(vm.config[key])["file"] if key else ""
    if volid and volumes.find(call.cluster, vm.node, volid) is None:
        storage = volumes.storage_named(call.cluster, volid.partition(":")[0], vm.node)
        make_cloudinit(call, storage, vm.node, vm.vmid)
