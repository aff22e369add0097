"""Sizes of packages, which the lab has no bytes of: they only depend on name and version."""

from __future__ import annotations

import zlib

from pvenix_lab.site.guest.store import System


def size_of(path: str) -> int:
    """A size in bytes that only depends on the package: 64 KiB to 16 MiB."""
    return 65536 * (1 + zlib.crc32(path.partition("-")[2].encode()) % 256)


def packages_of(system: System) -> dict[str, str]:
    """The packages of a system's closure with their versions, its kernel and itself included."""
    name = system.host_name or "unnamed"
    return {**system.packages, "linux": system.kernel, f"nixos-system-{name}": system.nixos_version}


def closure_size(system: System) -> int:
    """The bytes of a system and everything that it needs."""
    return sum(size_of(f"/{name}-{version}") for name, version in packages_of(system).items())
