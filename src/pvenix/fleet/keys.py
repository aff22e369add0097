"""Public keys in files."""

from __future__ import annotations

from collections.abc import Iterable

from pvenix.model.errors import UsageError
from pvenix.model.host import PublicKey


def public_key_lines(keys: Iterable[PublicKey]) -> tuple[str, ...]:
    """Each key as one line, in order, each once; a file may hold several.

    Raises: UsageError when a file is missing, or holds a private key or no key at all.
    """
    lines: dict[str, None] = {}
    for key in keys:
        for line in [key.line] if key.file is None else _lines(key):
            lines[line] = None
    return tuple(lines)


def _lines(key: PublicKey) -> list[str]:
    path = key.file
    try:
        text = path.read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the public key {path} cannot be read", why=str(error), hint="make one with ssh-keygen -t ed25519"
        ) from error
    if "PRIVATE KEY" in text:
        raise UsageError(f"{path} holds a private key", hint=f"name the public key: {path}.pub")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise UsageError(f"{path} holds no public key")
    return lines
