"""VM options: how a written value is stored (source: qemu-server 8.4 API2/Qemu.pm; masks and tags measured on 8.4.5)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pvenix_lab.site.pve.drives import print_drive
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.formats import normalise_tags
from pvenix_lab.site.pve.sha_crypt import sha256_crypt
from pvenix_lab.site.pve.vm import NET_KEY, new_mac, new_uuid, parse_properties

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from pvenix_lab.site.pve.schema import Value
    from pvenix_lab.site.pve.vm import ConfigValue

__all__ = ["MASKED_PASSWORD", "NOT_OPTIONS", "check_memory", "check_ssh_keys", "memory_mib", "print_drive", "stored"]

NOT_OPTIONS = frozenset(
    [
        *("background_delay", "delete", "digest", "force", "import-working-storage", "node", "revert", "skiplock"),
        *("vmid", "archive", "bwlimit", "live-restore", "pool", "start", "storage", "unique", "ha-managed"),
    ]
)
"""Parameters of the configuration and creation calls that are no VM options."""
MASKED_PASSWORD = "*" * 10
_KEY_TYPES = ("ssh-ed25519", "ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_CRYPTED = re.compile(r"\$(?:[156]|2[ay])(?:\$.+){2}")
_DEFAULT_MEMORY = 512


def stored(rng: random.Random, key: str, value: Value, *, windows: bool = False) -> ConfigValue:
    """The value as the configuration keeps it; drives are made elsewhere. Raises PveError for a value that the backend refuses."""
    if isinstance(value, list | float):
        return str(value)
    if key == "tags":
        return normalise_tags(str(value))
    if key == "cipassword" and not windows and not _CRYPTED.match(str(value)):
        salt = base64.b64encode(rng.randbytes(6)).decode().replace("+", ".")
        return sha256_crypt(str(value), salt)
    if key == "vmgenid" and str(value) == "1":
        return new_uuid(rng)
    if NET_KEY.match(key):
        return _stored_net(rng, str(value))
    return value


def check_ssh_keys(text: str) -> None:
    """Raise PveError unless every line of the (once encoded) value is a public key: the backend asks ssh-keygen."""
    for line in filter(str.strip, unquote(text).split("\n")):
        kind, _, rest = line.strip().partition(" ")
        blob = rest.partition(" ")[0]
        try:
            raw = base64.b64decode(blob, validate=True)
        except binascii.Error:
            raw = b""
        if kind not in _KEY_TYPES or not raw[4:].startswith(kind.encode()):
            raise PveError("SSH public key validation error")


def memory_mib(config: Mapping[str, Value | ConfigValue | None]) -> int:
    """Configured memory in MiB."""
    value = config.get("memory") or _DEFAULT_MEMORY
    return int(parse_properties(str(value), "current")["current"])


def check_memory(config: Mapping[str, Value | ConfigValue | None]) -> None:
    """Raise PveError for a balloon that is larger than the memory."""
    balloon = config.get("balloon")
    if balloon and int(str(balloon)) > memory_mib(config):
        raise PveError("balloon value too large (must be smaller than assigned memory)")


def _stored_net(rng: random.Random, value: str) -> str:
    parts = parse_properties(value, "model")
    models = [key for key in parts if key not in {"model", "macaddr"} and ":" in parts[key]]
    model = models[0] if models else parts.get("model", "virtio")
    mac = parts.pop(model, None) or parts.get("macaddr") or new_mac(rng)
    rest = [f"{key}={text}" for key, text in sorted(parts.items()) if key not in {"model", "macaddr"}]
    return ",".join([f"{model}={mac.upper()}", *rest])
