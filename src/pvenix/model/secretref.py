"""Where a secret is to be found: what a fleet writes in the secret's stead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyringEntry:
    """An entry of the person's keyring."""

    service: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SopsValue:
    """A value in a file that sops encrypted."""

    file: Path
    key: str = ""
    """Names joined by dots, such as `proxmox.token`; empty for the whole file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeFile:
    """A file that age encrypted, and the file of the identity that opens it."""

    file: Path
    identity: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultField:
    """A field of a secret in Vault's (or OpenBao's) key-value store."""

    path: str
    """As `vault kv get` takes it: mount and path, such as `secret/pvenix`."""
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where a secret is to be found; exactly one field is set. The secret itself is never part of the fleet."""

    env: str = ""
    """Name of an environment variable."""
    file: Path | None = None
    command: tuple[str, ...] = ()
    """An argv; its stdout without the last newline is the secret."""
    credential: str = ""
    """Name of a credential that systemd hands to the service."""
    keyring: KeyringEntry | None = None
    sops: SopsValue | None = None
    age: AgeFile | None = None
    vault: VaultField | None = None
