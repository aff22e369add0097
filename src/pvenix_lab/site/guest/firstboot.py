"""What a boot does before anybody can log in: machine id, cloud-init, SSH host keys, the guest's own Git key."""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from pvenix_lab.site.guest.keys import new_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pvenix_lab.site.guest.vfs import VirtualRoot

INSTANCE_ID = "/var/lib/cloud/data/instance-id"
HOSTNAME = "/var/lib/cloud/data/set-hostname"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
GIT_KEY = "/var/lib/fleet/id_ed25519"


@lru_cache(maxsize=1024)
def load_yaml(text: str) -> dict[str, Any]:
    """The mapping in a cloud-init file, not to be changed; empty for anything else."""
    data = YAML(typ="safe", pure=False).load(text) if text.strip() else None
    return data if isinstance(data, dict) else {}


def apply_identity(tree: VirtualRoot) -> str:
    """The machine id, made when it is missing or empty, as systemd does."""
    if tree.read_text("/etc/machine-id").strip() in ("", "uninitialized"):
        tree.put("/etc/machine-id", secrets.token_hex(16) + "\n", mode=0o444)
    return tree.read_text("/etc/machine-id").strip()


def apply_cloud_init(tree: VirtualRoot, files: Mapping[str, str], *, keep_keys: bool) -> bool:
    """Consume the files of the cloud-init drive; True when it is a new instance (another instance id than the last boot).

    A new instance gets its name, its user's keys and, unless `keep_keys`, new SSH host keys (`ssh_deletekeys`, which cloud-init takes
    for true).
    """
    instance = str(load_yaml(files.get("meta-data", "")).get("instance-id", ""))
    if not instance or instance == tree.read_text(INSTANCE_ID).strip():
        return False
    user_data = load_yaml(files.get("user-data", ""))
    tree.put(INSTANCE_ID, instance + "\n")
    tree.put(HOSTNAME, str(user_data.get("hostname", "")) + "\n")
    user = str(user_data.get("user") or "root")
    home = "/root" if user == "root" else f"/home/{user}"
    keys = [str(key) for key in user_data.get("ssh_authorized_keys") or ()]
    tree.mkdir(home)
    if keys:
        tree.mkdir(f"{home}/.ssh", mode=0o700)
        tree.write(f"{home}/.ssh/authorized_keys", "".join(f"{key.strip()}\n" for key in keys), mode=0o600)
    if not keep_keys:
        for suffix in ("", ".pub"):
            tree.remove(HOST_KEY + suffix)
    return True


def make_keys(tree: VirtualRoot, hostname: str) -> None:
    """The SSH host key and the guest's Git key, each only where it is missing."""
    if not tree.exists(HOST_KEY):
        pair = new_key(f"root@{hostname}")
        tree.mkdir("/etc/ssh")
        tree.write(HOST_KEY, pair.private, mode=0o600)
        tree.write(f"{HOST_KEY}.pub", pair.public, mode=0o644)
    if not tree.exists(GIT_KEY):
        pair = new_key(f"fleet@{hostname}")
        tree.mkdir(GIT_KEY.rpartition("/")[0], mode=0o700)
        tree.write(GIT_KEY, pair.private, mode=0o600)
        tree.write(f"{GIT_KEY}.pub", pair.public, mode=0o644)
