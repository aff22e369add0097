"""Real ed25519 keys in OpenSSH's formats, and the lines of an authorized_keys file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_OPTION = re.compile(r'([a-zA-Z0-9-]+)(?:="((?:[^"\\]|\\.)*)")?(?:,|(?=\s))')
_TYPE = re.compile(r"^(?:ssh-|ecdsa-|sk-)")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A private key (OpenSSH PEM) and its public line."""

    private: str
    public: str


def new_key(comment: str) -> KeyPair:
    """A new ed25519 key pair, from the operating system's random numbers: keys are never made from a seed."""
    from cryptography.hazmat.primitives.asymmetric import (
        ed25519,
    )  # 60 ms of import that reading a key file does not need

    return _serialise(ed25519.Ed25519PrivateKey.generate(), comment)


def _serialise(key: Ed25519PrivateKey, comment: str) -> KeyPair:
    from cryptography.hazmat.primitives import serialization as form

    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption()).decode()
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).decode()
    return KeyPair(private=private, public=f"{public} {comment}\n")


def public_blob(private: bytes) -> str:
    """Key type and base 64 body that belong to a private key in OpenSSH's format; empty for anything else."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as form

    try:
        key = form.load_ssh_private_key(private, password=None)
    except (ValueError, UnsupportedAlgorithm):
        return ""
    return key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizedKey:
    """One line of authorized_keys (sshd(8)): `blob` is the key type and base 64 body, options in lower case."""

    blob: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The forced command, empty without one."""
        return self.options.get("command", "")


@lru_cache(maxsize=256)
def parse_authorized(text: str) -> tuple[AuthorizedKey, ...]:
    """Every key of an authorized_keys file; lines that are no key are skipped, as sshd does."""
    return tuple(key for key in map(_parse_line, text.splitlines()) if key is not None)


def _parse_line(line: str) -> AuthorizedKey | None:
    rest = line.strip()
    if not rest or rest.startswith("#"):
        return None
    options: dict[str, str] = {}
    if not _TYPE.match(rest):
        position = 0
        while match := _OPTION.match(rest, position):
            options[match[1].lower()] = re.sub(r'\\(["\\])', r"\1", match[2] or "")
            position = match.end()
            if rest[position : position + 1].isspace():
                break
        rest = rest[position:].strip()
    words = rest.split()
    if len(words) < 2 or not _TYPE.match(words[0]):
        return None
    return AuthorizedKey(blob=f"{words[0]} {words[1]}", options=options)
