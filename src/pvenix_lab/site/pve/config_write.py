"""Writing options: check everything, put it into the pending changes, then apply what can be (source: qemu-server 8.4 update_vm_api)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pvenix_lab.site.pve import options, pending, volumes
from pvenix_lab.site.pve.call import Call, check_lock
from pvenix_lab.site.pve.disks import Disks, check_access, check_drives, deallocate
from pvenix_lab.site.pve.drives import UNUSED, is_cdrom, is_cloudinit, parse_drive, register_unused
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.needs import need_bridges, need_device, need_options, need_vm, root_parameters
from pvenix_lab.site.pve.schema import property_for
from pvenix_lab.site.pve.tags import check_tags
from pvenix_lab.site.pve.vm import DISK_KEY, parse_properties

if TYPE_CHECKING:
    from collections.abc import Callable

    from pvenix_lab.site.pve.schema import Value
    from pvenix_lab.site.pve.vm import ConfigValue, Vm

_DEVICE = ("serial", "usb", "hostpci", "virtiofs")
_STALE = "checksum mismatch (file change by other user?)"


@dataclass(slots=True, kw_only=True)
class Change:
    """One write: options to set, to delete (`force` frees disks) and to take back."""

    settings: dict[str, Value]
    delete: list[str]
    revert: list[str]
    force: bool = False
    skiplock: bool = False
    digest: str = ""
    modified: set[str] = field(default_factory=set)


def change_of(call: Call) -> Change:
    """The write that a configuration call asks for."""
    delete = ["ide2" if key == "cdrom" else key for key in split_list(call.text("delete"))]
    return Change(
        settings={key: value for key, value in call.params.items() if key not in options.NOT_OPTIONS},
        delete=delete,
        revert=split_list(call.text("revert")),
        force=call.flag("force"),
        skiplock=call.flag("skiplock"),
        digest=call.text("digest"),
    )


def check_change(call: Call, change: Change) -> None:
    """What is checked before the configuration is looked at.

    Raises:
        ParameterError, PermissionDeniedError, PveError: with the backend's texts, in its order.
    """
    root_parameters(call, "skiplock")
    if "sshkeys" in change.settings:
        options.check_ssh_keys(str(change.settings["sshkeys"]))
    if not change.settings and not change.delete and not change.revert:
        raise PveError("no options specified")
    _check_names(call, change)
    check_drives(change.settings)
    if "hookscript" in change.settings:
        _check_hookscript(call, str(change.settings["hookscript"]))
    need_options(call, call.vmid, change.delete)
    need_options(call, call.vmid, change.settings)
    check_access(call, call.vmid, change.settings)
    need_bridges(call, change.settings)


def _check_names(call: Call, change: Change) -> None:
    for key in change.revert:
        _known(call, "revert", key)
        if key in change.settings:
            raise ParameterError({"delete": f"you can't use '-{key}' and -revert {key}' at the same time"})
    for key in change.delete:
        if key in change.settings:
            raise ParameterError({"delete": f"you can't use '-{key}' and -delete {key}' at the same time"})
        if key in change.revert:
            raise ParameterError({"revert": f"you can't use '-delete {key}' and -revert {key}' at the same time"})
        _known(call, "delete", key)


def _known(call: Call, name: str, key: str) -> None:
    known = property_for(call.properties, key) is not None and key not in options.NOT_OPTIONS
    if not known and not UNUSED.fullmatch(key) and key not in {"lock", "vmstate"}:
        raise ParameterError({name: f"unknown option '{key}'"})


def _check_hookscript(call: Call, volid: str) -> None:
    """Raise ParameterError unless the script is a snippet that exists (source: pve-guest-common check_hookscript)."""
    if volumes.find(call.cluster, call.text("node"), volid) is None:
        raise ParameterError({"hookscript": f"hook script '{volid}' is not a file\n"})


def check_vm(vm: Vm, change: Change) -> None:
    """What is checked against the configuration. Raises PveError for a stale digest, a lock or a balloon too large."""
    if change.digest and change.digest != vm.digest():
        raise PveError(_STALE)
    if vm.lock == "suspended" and "vmstate" in change.delete:
        change.delete.append("lock")
    elif not change.skiplock:
        check_lock(vm)
    now = pending.applied(vm.config, vm.pending)
    if "memory" in change.settings or "balloon" in change.settings:
        options.check_memory({**now, **{k: str(v) for k, v in change.settings.items() if k in {"memory", "balloon"}}})
    for key in change.revert:
        if key in vm.config:
            vm.pending.pop(key, None)
        elif vm.pending.pop(key, None) is not None:
            change.modified.add(key)


def write_change(call: Call, vm: Vm, change: Change, log: Callable[[str], None] = lambda _text: None) -> None:
    """Enter the changes as pending, drop those that change nothing, apply what can be applied.

    Raises:
        PermissionDeniedError, ParameterError, PveError: what was entered before stays, as in the real backend.
    """
    _Writer(call=call, vm=vm, change=change, log=log, boot=_boot_order(vm)).write()
    pending.clean(vm)
    if not vm.pending:
        return
    if vm.running:
        pending.hotplug(call, vm, change.modified)
    elif errors := pending.apply(call, vm):
        raise ParameterError(errors)


def _boot_order(vm: Vm) -> list[str]:
    return split_list(parse_properties(str(vm.config.get("boot", ""))).get("order", ""))


def _protected(vm: Vm, what: str) -> None:
    if vm.config.get("protection") == 1:
        raise PveError(f"can't remove {what} - protection mode enabled")


def _need_drive(call: Call, vm: Vm, value: ConfigValue | Value) -> None:
    drive = parse_drive(value)
    if is_cloudinit("ide2", value):
        need_vm(call, vm.vmid, "VM.Config.Cloudinit", "VM.Config.CDROM")
    else:
        need_vm(call, vm.vmid, "VM.Config.CDROM" if is_cdrom(drive, strict=True) else "VM.Config.Disk")


def _free(call: Call, vm: Vm, key: str, value: ConfigValue) -> None:
    drive = parse_drive(value)
    _protected(vm, f"unused disk '{drive['file']}'" if key != "vmstate" else f"vmstate '{value}'")
    need_vm(call, vm.vmid, "VM.Config.Disk")
    deallocate(call, vm, key, drive)
    vm.config.pop(key, None)


@dataclass(slots=True, kw_only=True)
class _Writer:
    """Enters one change into the pending changes of a VM; `boot` is the boot order as it becomes."""

    call: Call
    vm: Vm
    change: Change
    log: Callable[[str], None]
    boot: list[str]

    def write(self) -> None:
        for key in self.change.delete:
            self._delete(key)
        for key in sorted(self.change.settings):
            self._set(key, self.change.settings[key])

    def _set_boot(self) -> None:
        self.vm.pending["boot"] = f"order={';'.join(self.boot)}"
        self.change.modified.add("boot")

    def _delete(self, key: str) -> None:
        vm = self.vm
        value = vm.config.get(key, vm.pending.get(key))
        if key == "lock":
            vm.lock = None
            return
        if value is None:
            self.log(f"cannot delete '{key}' - not set in current configuration!")
            return
        self.change.modified.add(key)
        waiting = vm.pending.pop(key, None)
        if key in self.boot:
            self.boot.remove(key)
            self._set_boot()
        if UNUSED.fullmatch(key) or key == "vmstate":
            _free(self.call, vm, key, value)
        elif key == "tags":
            check_tags(self.call, vm.vmid, value, "")
            vm.config.pop(key, None)
        else:
            self._detach(key, value, waiting)

    def _detach(self, key: str, value: ConfigValue, waiting: ConfigValue | None) -> None:
        vm = self.vm
        if DISK_KEY.match(key):
            _protected(vm, f"drive '{key}'")
            _need_drive(self.call, vm, value)
            if waiting is not None:
                register_unused(self.call.cluster, vm, parse_drive(waiting))
        elif key.startswith(_DEVICE):
            need_device(self.call, vm.vmid, key, value)
        vm.pending[key] = None
        if self.change.force:
            vm.forced.add(key)

    def _set(self, key: str, value: Value) -> None:
        vm = self.vm
        self.change.modified.add(key)
        vm.forced.discard(key)
        if DISK_KEY.match(key):
            self._set_drive(key, value)
        elif key == "cipassword":
            windows = str(vm.config.get("ostype", "")).startswith("w")
            vm.config[key] = options.stored(self.call.site.rng, key, value, windows=windows)
            vm.pending.pop(key, None)
        else:
            if key.startswith(_DEVICE):
                if key in vm.config:
                    need_device(self.call, vm.vmid, key, vm.config[key])
                need_device(self.call, vm.vmid, key, value)
            if key == "tags":
                check_tags(self.call, vm.vmid, vm.config.get(key), value)
            if key == "boot":
                _check_boot(vm, str(value), self.change)
            vm.pending[key] = options.stored(self.call.site.rng, key, value)

    def _set_drive(self, key: str, value: Value) -> None:
        vm = self.vm
        if key in vm.config:
            _need_drive(self.call, vm, vm.config[key])
        _need_drive(self.call, vm, value)
        waiting = vm.pending.get(key)
        if waiting is not None:
            register_unused(self.call.cluster, vm, parse_drive(waiting))
        vm.pending.update(Disks(call=self.call, vm=vm, node=vm.node).create({key: value}))
        if self.boot and is_cdrom(parse_drive(value), strict=True) and key not in self.boot:
            self.boot.append(key)
            self._set_boot()


def _check_boot(vm: Vm, value: str, change: Change) -> None:
    for device in split_list(parse_properties(value).get("order", "")):
        there = device in vm.config or vm.pending.get(device) is not None or device in change.settings
        if not there or device in change.delete:
            raise PveError(f"invalid bootorder: device '{device}' does not exist'")
