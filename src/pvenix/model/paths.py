"""Where a fleet keeps what it says of a host, relative to its root."""

from __future__ import annotations

from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

HOSTS: Final = "inventory/hosts.yaml"
SITE: Final = "inventory/site.yaml"
TRUST: Final = "inventory/trust"
HOST_FILES: Final = "nix/hosts"
_ESCAPES: Final = MappingProxyType({"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"})
_OPERATORS: Final = ("inventory/", "playbooks/", ".")
"""What steers pvenix and continuous integration: no guest has a say in it."""


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


def owner_of(path: str) -> str:
    """The host whose own file this is; empty when it is nobody's own."""
    for head, tail in (("nix/hosts/", ".nix"), ("nix/hardware/", "-hw.nix"), ("inventory/host_vars/", ".yaml")):
        if path.startswith(head) and path.endswith(tail):
            return path.removeprefix(head).removesuffix(tail)
    return path.removeprefix(f"{TRUST}/") if path.startswith(f"{TRUST}/") else ""


def not_of_edits(host: str, path: str) -> str:
    """Why an edit of this file on `host` is none that a branch takes; empty when one does."""
    owner = owner_of(path)
    if owner and owner != host:
        return f"it is {owner}'s own"
    if path in (host_file(host), hardware_file(host), vars_file(host)):
        return ""
    return "it is the operators' alone" if path.startswith(_OPERATORS) else ""


def trust_file(name: str) -> str:
    """A host's pinned key."""
    return f"{TRUST}/{name}"


def quoted(path: str) -> str:
    """A file's name on one line, as Git writes it (core.quotePath): with anything that does not print, in quotes."""
    if path.isprintable() and not {'"', "\\"} & set(path):
        return path
    return f'"{"".join(map(_spelled, path))}"'


def _spelled(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
