"""Where a fleet keeps what it says of a host, relative to its root."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

HOSTS: Final = "inventory/hosts.yaml"
SITE: Final = "inventory/site.yaml"
TRUST: Final = "inventory/trust"
HOST_FILES: Final = "nix/hosts"


def is_claim(file: str) -> bool:
    """True when a host that is listed in `file` is there by a claim."""
    return "claims" in PurePosixPath(file).parts[:-1]


def host_file(name: str) -> str:
    """A host's NixOS configuration."""
    return f"{HOST_FILES}/{name}.nix"


def hardware_file(name: str) -> str:
    """A host's hardware configuration."""
    return f"nix/hardware/{name}-hw.nix"


def vars_file(name: str) -> str:
    """A host's own variables, where pvenix writes back what it chose."""
    return f"inventory/host_vars/{name}.yaml"


def trust_file(name: str) -> str:
    """A host's pinned key."""
    return f"{TRUST}/{name}"
