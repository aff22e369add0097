"""Where a secret is to be found, as the fleet's files say it: one key, `{env: NAME}` and its kin."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pvenix.model.secretref import AgeFile, KeyringEntry, SecretRef, SopsValue, VaultField

ToPath = Callable[[object], Path]
"""A path as the fleet's files write it, relative to the fleet. Raises: ValueError."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CREDENTIAL: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,255}")
"""A file name and nothing that leads out of a directory (systemd.exec(5), credentials)."""
_WORD: Final = re.compile(r"[A-Za-z0-9_@][^\x00-\x1f\x7f]{0,254}")
"""An argument of a program: never an option."""
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")

FORMS: Final = MappingProxyType(
    {
        "env": "{env: NAME}",
        "file": "{file: path}",
        "command": "{command: [argv…]}",
        "credential": "{credential: name}",
        "keyring": "{keyring: {service: name, user: name}}",
        "sops": "{sops: {file: path, key: a.b}}",
        "age": "{age: {file: path, identity: path}}",
        "vault": "{vault: {path: mount/path, field: name}}",
    }
)


def secret_ref(value: Mapping[Any, Any], path: ToPath) -> SecretRef:
    """The reference that `value` is.

    Raises: ValueError with the forms that there are.
    """
    if len(value) != 1:
        raise ValueError(f"must be exactly one of {', '.join(FORMS.values())}")
    ((kind, where),) = value.items()
    if kind not in FORMS:
        raise ValueError(f"must be one of {', '.join(FORMS.values())}")
    if kind == "file":
        return SecretRef(file=path(where))
    found = _READ[kind](where, path)
    if found is None:
        raise ValueError(f"must be {FORMS[kind]}")
    return found


def _env(where: object, _path: ToPath) -> SecretRef | None:
    return SecretRef(env=where) if isinstance(where, str) and _NAME.fullmatch(where) else None


def _command(where: object, _path: ToPath) -> SecretRef | None:
    if isinstance(where, list) and where and where[0] and all(isinstance(part, str) for part in where):
        return SecretRef(command=tuple(where))
    return None


def _credential(where: object, _path: ToPath) -> SecretRef | None:
    return SecretRef(credential=where) if isinstance(where, str) and _CREDENTIAL.fullmatch(where) else None


def _keyring(where: object, _path: ToPath) -> SecretRef | None:
    words = _words(where, "service", "user")
    return SecretRef(keyring=KeyringEntry(**words)) if words else None


def _vault(where: object, _path: ToPath) -> SecretRef | None:
    words = _words(where, "path", "field")
    return SecretRef(vault=VaultField(**words)) if words else None


def _sops(where: object, path: ToPath) -> SecretRef | None:
    if not isinstance(where, dict) or not {"file"} <= set(where) <= {"file", "key"}:
        return None
    key = where.get("key", "")
    if not isinstance(key, str) or (key and not _KEY.fullmatch(key)):
        return None
    return SecretRef(sops=SopsValue(file=path(where["file"]), key=key))


def _age(where: object, path: ToPath) -> SecretRef | None:
    if not isinstance(where, dict) or set(where) != {"file", "identity"}:
        return None
    return SecretRef(age=AgeFile(file=path(where["file"]), identity=path(where["identity"])))


def _words(where: object, *names: str) -> dict[str, str]:
    """The texts of a map with exactly these keys; empty for anything else."""
    if not isinstance(where, dict) or set(where) != set(names):
        return {}
    good = all(isinstance(each, str) and _WORD.fullmatch(each) for each in where.values())
    return {name: where[name] for name in names} if good else {}


_READ: Final[Mapping[str, Callable[[object, ToPath], SecretRef | None]]] = MappingProxyType(
    {
        "env": _env,
        "command": _command,
        "credential": _credential,
        "keyring": _keyring,
        "sops": _sops,
        "age": _age,
        "vault": _vault,
    }
)
