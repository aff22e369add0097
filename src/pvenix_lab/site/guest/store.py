"""Store paths and what a built NixOS system holds, as real directories below /nix/store of a guest's tree.

`lab-system.json` in a system's directory is the lab's own: what activation reads there, a real system has in its units and
scripts. All other names are those of a real toplevel.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.unit import Job

if TYPE_CHECKING:
    from pvenix_lab.site.guest.vfs import VirtualRoot

STORE = "/nix/store"
_NIX32 = "0123456789abcdfghijklmnpqrsvwxyz"
_HASH_BYTES = 20
_ETC = ("hostname", "os-release")
_SPEC = "lab-system.json"


def nix32(digest: bytes) -> str:
    """A digest in Nix's base 32 (nix: src/libutil/hash.cc)."""
    number, length = int.from_bytes(digest, "little"), (len(digest) * 8 - 1) // 5 + 1
    return "".join(_NIX32[(number >> (5 * index)) & 31] for index in reversed(range(length)))


def nix_hash(*parts: str) -> str:
    """32 characters as in a store path: SHA-256 folded to 160 bits."""
    folded = bytearray(_HASH_BYTES)
    for index, byte in enumerate(hashlib.sha256("\0".join(parts).encode()).digest()):
        folded[index % _HASH_BYTES] ^= byte
    return nix32(bytes(folded))


def store_path(name: str, *content: str) -> str:
    """The store path of something called `name` that is made of `content`."""
    return f"{STORE}/{nix_hash(name, *content)}-{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What a NixOS system declares, as far as the lab acts on it. `units` maps a unit to a digest of its settings."""

    host_name: str
    nixos_version: str
    nixpkgs_revision: str
    kernel: str
    revision: str = ""
    units: dict[str, str] = field(default_factory=dict)
    tcp_ports: tuple[int, ...] = (22,)
    firewall: bool = True
    sshd: bool = True
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    known_hosts: dict[str, str] = field(default_factory=dict)
    keeps_host_keys: bool = False
    initrd_modules: tuple[str, ...] = ()

    @property
    def ssh_reachable(self) -> bool:
        """True if a new SSH connection would be accepted."""
        return self.sshd and (not self.firewall or 22 in self.tcp_ports)


def system_path() -> str:
    """The store path behind every system's `sw`: the programs of `programs.PROGRAMS`."""
    return store_path("system-path", "programs")


def write_system(tree: VirtualRoot, path: str, system: System) -> None:
    """Make the directory of a built system; one that is there already is left alone."""
    if tree.exists(path):
        return
    kernel = store_path(f"linux-{system.kernel}", system.kernel)
    tree.put(f"{kernel}/bzImage", b"")
    tree.mkdir(f"{kernel}/lib/modules/{system.kernel}")
    # nixpkgs' stage 1 and the declared modules are in it, no system package (nixpkgs, nixos/modules/system/boot/stage-1.nix)
    initrd = store_path(
        f"initrd-linux-{system.kernel}", system.kernel, system.nixpkgs_revision, *sorted(system.initrd_modules)
    )
    tree.put(f"{initrd}/initrd", b"")
    files = {
        "nixos-version": system.nixos_version,
        "system": "x86_64-linux",
        "kernel-params": "console=ttyS0 loglevel=4",
        "init": f"#! /bin/sh\nsystemConfig={path}\n",  # a system names itself, in its references too
        "activate": "",
        "bin/switch-to-configuration": "",
        "etc/hostname": f"{system.host_name}\n" if system.host_name else "",
        "etc/os-release": f'NAME=NixOS\nID=nixos\nVERSION_ID="{system.nixos_version[:5]}"\n',
    }
    files |= {
        f"etc/ssh/authorized_keys.d/{user}": "".join(f"{key}\n" for key in keys) for user, keys in system.keys.items()
    }
    if system.known_hosts:
        files["etc/ssh/ssh_known_hosts"] = "".join(f"{name} {key}\n" for name, key in system.known_hosts.items())
    files |= {f"etc/systemd/system/{unit}": f"# settings {digest}\n" for unit, digest in system.units.items()}
    for name, text in files.items():
        tree.put(
            f"{path}/{name}", text, mode=0o555 if name in ("init", "activate") or name.startswith("bin/") else 0o444
        )
    tree.symlink(system_path(), f"{path}/sw")
    tree.symlink(f"{kernel}/bzImage", f"{path}/kernel")
    tree.symlink(kernel, f"{path}/kernel-modules")
    tree.symlink(f"{initrd}/initrd", f"{path}/initrd")
    tree.put(f"{path}/{_SPEC}", json.dumps(asdict(system)), mode=0o444)


def link_etc(tree: VirtualRoot, path: str) -> None:
    """Point /etc at the files that a system declares; what it does not declare stays (nixpkgs: setup-etc.pl)."""
    tree.symlink(f"{path}/etc", "/etc/static")
    for name in _ETC:
        if tree.exists(f"{path}/etc/{name}"):
            tree.symlink(f"/etc/static/{name}", f"/etc/{name}")
        elif tree.readlink(f"/etc/{name}"):
            tree.remove(f"/etc/{name}")


def read_system(tree: VirtualRoot, path: str) -> System | None:
    """What the system at `path` (a link may lead there) declares; None if no system is there."""
    text = tree.read_text(f"{path}/{_SPEC}")
    return _parse(text) if text else None


@lru_cache(maxsize=256)
def _parse(text: str) -> System:
    data = json.loads(text)
    for name in ("tcp_ports", "initrd_modules"):
        data[name] = tuple(data[name])
    data["keys"] = {user: tuple(keys) for user, keys in data["keys"].items()}
    data["jobs"] = {unit: Job(**{**job, "argv": tuple(job["argv"])}) for unit, job in data["jobs"].items()}
    return System(**data)


def write_programs(tree: VirtualRoot, names: tuple[str, ...]) -> None:
    """Make the store path that holds the programs."""
    for name in names:
        tree.put(f"{system_path()}/bin/{name}", b"", mode=0o555)
