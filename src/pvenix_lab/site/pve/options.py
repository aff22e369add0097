"""VM options: how a written value is stored, who may write it, and what applies to a running VM at once."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pvenix_lab.site.pve.cloudinit import is_option
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.formats import normalise_tags
from pvenix_lab.site.pve.sha_crypt import sha256_crypt
from pvenix_lab.site.pve.vm import DISK_KEY, NET_KEY, new_mac, parse_properties

if TYPE_CHECKING:
    import random

    from pvenix_lab.site.pve.cluster import Cluster
    from pvenix_lab.site.pve.schema import Value
    from pvenix_lab.site.pve.vm import ConfigValue, Vm

NOT_OPTIONS = frozenset(
    {"background_delay", "delete", "digest", "force", "import-working-storage", "node", "revert", "skiplock", "vmid"}
)
"""Parameters of the configuration call that are no VM options."""
ROOT_ONLY = frozenset({"args", "lock", "vmgenid", "affinity", "arch", "amd-sev"})
FAST = frozenset(
    {
        *("bootdisk", "cpulimit", "cpuunits", "description", "hookscript", "lock", "migrate_downtime"),
        *("name", "onboot", "protection", "shares", "startup", "tags", "vmstatestorage"),
    }
)
"""Options that apply to a running VM at once (source: qemu-server QemuServer.pm fast_plug_option; cloud-init options too)."""
MASKED_PASSWORD = "*" * 10
GIB_PER_UNIT = {"K": 1 / 1024**2, "M": 1 / 1024, "G": 1, "T": 1024, "": 1 / 1024**3}
_KEY_TYPES = ("ssh-ed25519", "ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)")


def applies_at_once(key: str) -> bool:
    """True if a running VM takes the change without a restart (default hotplug: network, disk, usb)."""
    return bool(key in FAST or is_option(key) or DISK_KEY.match(key) or NET_KEY.match(key) or key.startswith("unused"))


def check_root_only(key: str, value: Value) -> None:
    """Raise PveError for what only root@pam itself may set (proxmox.md a2)."""
    if key in ROOT_ONLY:
        raise PveError(f"only root can set '{key}' config")
    if key.startswith("hostpci") and "mapping" not in parse_properties(str(value), "host"):
        raise PveError(f"only root can set '{key}' config for non-mapped devices")
    if key.startswith("serial") and str(value).startswith("/dev/"):
        raise PveError(f"only root can set '{key}' config for real devices")


def stored(vm: Vm, cluster: Cluster, rng: random.Random, key: str, value: Value) -> ConfigValue:
    """The value as the configuration keeps it. Raises PveError for a value that the backend refuses."""
    if isinstance(value, list | float):
        return str(value)
    if key == "tags":
        return normalise_tags(str(value))
    if key == "sshkeys":
        check_ssh_keys(unquote(str(value)))
    if key == "cipassword":
        salt = base64.b64encode(rng.randbytes(6)).decode().replace("+", ".")
        return sha256_crypt(str(value), salt)
    if NET_KEY.match(key):
        return _stored_net(rng, str(value))
    if DISK_KEY.match(key):
        return _stored_disk(vm, cluster, str(value))
    return value


def check_ssh_keys(text: str) -> None:
    """Raise PveError unless every line is a public key (the backend asks ssh-keygen)."""
    for line in filter(str.strip, text.split("\n")):
        kind, _, rest = line.strip().partition(" ")
        blob = rest.partition(" ")[0]
        try:
            raw = base64.b64decode(blob, validate=True)
        except binascii.Error:
            raw = b""
        if kind not in _KEY_TYPES or not raw[4:].startswith(kind.encode()):
            raise PveError("SSH public key validation error")


def size_gib(text: str) -> float:
    """A size such as `32G`, `512M` or a number of bytes, in GiB; 0 for no size."""
    found = _SIZE.fullmatch(text)
    return float(found[1]) * GIB_PER_UNIT[found[2]] if found else 0.0


def print_gib(gib: float) -> str:
    """A size as drives show it: in the largest unit that keeps it whole."""
    mib = round(gib * 1024)
    if mib % (1024 * 1024) == 0 and mib:
        return f"{mib // 1024 // 1024}T"
    return f"{mib // 1024}G" if mib % 1024 == 0 else f"{mib}M"


def print_drive(volume: str, properties: dict[str, str]) -> str:
    """A drive as the configuration keeps it: the volume, then its properties by name."""
    rest = [f"{key}={value}" for key, value in sorted(properties.items()) if key not in {"file", "format"}]
    return ",".join([volume, *rest])


def _stored_net(rng: random.Random, value: str) -> str:
    parts = parse_properties(value, "model")
    models = [key for key in parts if key not in {"model", "macaddr"} and ":" in parts[key]]
    model = models[0] if models else parts.get("model", "virtio")
    mac = parts.pop(model, None) or parts.get("macaddr") or new_mac(rng)
    rest = [f"{key}={text}" for key, text in sorted(parts.items()) if key not in {"model", "macaddr"}]
    return ",".join([f"{model}={mac.upper()}", *rest])


def _stored_disk(vm: Vm, cluster: Cluster, value: str) -> str:
    parts = parse_properties(value, "file")
    volume = parts.pop("file", parts.pop("volume", ""))
    if volume in {"none", "cdrom"}:
        return print_drive(volume, parts)
    if volume.startswith("/"):
        raise PveError("Only root can pass arbitrary filesystem paths.")
    name, _, rest = volume.partition(":")
    storage = cluster.storages.get(name)
    if storage is None:
        raise PveError(f"storage '{name}' does not exist")
    if rest == "cloudinit":
        return print_drive(f"{name}:vm-{vm.vmid}-cloudinit", parts | {"media": "cdrom", "size": "4M"})
    if re.fullmatch(r"\d+(\.\d+)?", rest):
        if "images" not in storage.content:
            raise PveError(f"storage '{name}' does not support content-type 'images'")
        return print_drive(f"{name}:{free_disk_name(vm)}", parts | {"size": print_gib(float(rest))})
    return print_drive(volume, parts)


def free_disk_name(vm: Vm, taken: frozenset[str] = frozenset()) -> str:
    """The next `vm-<id>-disk-<n>` that the VM does not use."""
    used = {str(value) for value in vm.config.values()}
    names = (f"vm-{vm.vmid}-disk-{number}" for number in range(1000))
    return next(name for name in names if name not in taken and not any(name in text for text in used))
