"""Secrets by reference: read when needed, never stored, never shown.

Programs are run by argv, without a shell; what they print on standard output is the secret, and no secret is ever an argument.
Sources: age(1), sops README ("--extract"), vault `kv get -field`, keyring's command line, systemd.exec(5) on credentials.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pvenix.adapters.text import sanitise
from pvenix.model.errors import Refused, UsageError
from pvenix.model.secret import KNOWN, Secret
from pvenix.model.secretref import KeyringEntry, SecretRef, SopsValue

_COMMAND_TIMEOUT_S: Final = 30
_LARGEST: Final = 1 << 16
"""Bytes of the largest file that is taken for a secret."""
_NO_KEYRING: Final = re.compile(r"NoKeyringError|No recommended backend|InitError|dbus", re.IGNORECASE)
_INSTALL: Final = "install {0}, or name another provider: {{env: NAME}}, {{file: path}}, {{command: [argv…]}}"


def resolve(reference: SecretRef, *, purpose: str) -> Secret:
    """The secret that `reference` names; from then on everything that is written masks it.

    Raises: UsageError when it is not there, Refused when its file is open to others.
    """
    value = _read(reference, purpose)
    if not value:
        raise UsageError(
            f"{purpose} is empty",
            why=f"{where(reference)} gave nothing",
            hint="look there by hand; a secret has at least one character",
            code="PVX0307",
        )
    return Secret(value)


def where(reference: SecretRef) -> str:
    """Where the secret is looked for, in words that hold no secret."""
    match reference:
        case SecretRef(env=str(name)) if name:
            return f"the environment variable {name}"
        case SecretRef(file=Path() as path):
            return f"the file {path}"
        case SecretRef(credential=str(name)) if name:
            return f"systemd's credential {name}"
        case SecretRef(keyring=KeyringEntry() as entry):
            return f"the keyring's entry {entry.service} of {entry.user}"
        case _:
            return f"`{_argv(reference)[0]}`"


def _read(reference: SecretRef, purpose: str) -> str:
    if reference.env:
        return _from_env(reference.env, purpose)
    if reference.file is not None:
        return _from_file(reference.file, purpose)
    if reference.credential:
        return _from_credential(reference.credential, purpose)
    if reference.keyring is not None:
        return _from_keyring(reference.keyring, purpose)
    if reference.age is not None:
        _private(reference.age.identity, purpose)
    return _from_program(_argv(reference), purpose, words=not reference.command)


def _argv(reference: SecretRef) -> tuple[str, ...]:
    """The program that prints the secret."""
    if reference.sops is not None:
        return ("sops", "--decrypt", *_extract(reference.sops), str(reference.sops.file.absolute()))
    if reference.age is not None:
        identity, file = (str(path.absolute()) for path in (reference.age.identity, reference.age.file))
        return ("age", "--decrypt", "--identity", identity, file)
    if reference.vault is not None:
        return ("vault", "kv", "get", f"-field={reference.vault.field}", reference.vault.path)
    if reference.keyring is not None:
        return ("keyring", "get", reference.keyring.service, reference.keyring.user)
    return reference.command


def _extract(value: SopsValue) -> tuple[str, ...]:
    """How sops names a value: `["a"]["b"]`."""
    return ("--extract", "".join(f'["{part}"]' for part in value.key.split("."))) if value.key else ()


def _from_env(name: str, purpose: str) -> str:
    value = KNOWN.take_variable(name)
    if not value:
        raise UsageError(
            f"{purpose} is not set",
            hint=f"export {name}=…; to try things on a simulated site that needs none, add --lab",
            code="PVX0301",
        )
    return value


def _from_file(path: Path, purpose: str) -> str:
    _private(path, purpose)
    return _text(path, purpose).strip()


def _private(path: Path, purpose: str) -> None:
    """Return when nobody but us (and root) can read the file or put another in its place.

    Raises: UsageError when there is none, Refused when it is open to others or somebody else's.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, purpose, error) from error
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise Refused(f"{path} can be read by others", why=f"mode {mode:o}", hint=f"chmod 600 {path}", code="PVX0303")
    if found.st_uid not in (os.geteuid(), 0):
        raise Refused(
            f"{path} belongs to somebody else",
            why=f"its owner is user {found.st_uid}, who can change {purpose} at any time",
            hint=f"make a file of your own: sudo install -m 600 -o $(id -un) {path} COPY, and name COPY in the fleet",
            code="PVX0308",
        )


def _text(path: Path, purpose: str) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, purpose, error) from None


def _unreadable(path: Path, purpose: str, error: OSError | UnicodeDecodeError) -> UsageError:
    why = error.strerror or "cannot be read" if isinstance(error, OSError) else "is not text in UTF-8"
    return UsageError(
        f"{purpose} cannot be read",
        why=f"{path}: {why}",
        hint="put it there with mode 0600, or correct the path in inventory/site.yaml",
        code="PVX0302",
    )


def _from_credential(name: str, purpose: str) -> str:
    """systemd makes the directory, readable to the service alone (systemd.exec(5), LoadCredential=)."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise UsageError(
            f"{purpose} is not set",
            why="CREDENTIALS_DIRECTORY is not set: pvenix does not run in a unit with credentials",
            hint=f"in the unit: LoadCredential={name}:/path, or LoadCredentialEncrypted=; by hand: systemd-run -P "
            f"-p LoadCredential={name}:/path pvenix …",
            code="PVX0301",
        )
    return _text(Path(folder) / name, purpose).strip()


def _from_keyring(entry: KeyringEntry, purpose: str) -> str:
    """By keyring's program where there is one, else by its Python package, which pvenix does not ask for."""
    argv = _argv(SecretRef(keyring=entry))
    if shutil.which("keyring"):
        return _from_program(argv, purpose, words=True)
    try:
        package = importlib.import_module("keyring")
    except ImportError:
        raise _not_installed("keyring", purpose) from None
    try:
        value = package.get_password(entry.service, entry.user)
    except Exception as error:  # noqa: BLE001 - each backend raises its own, and a keyring is never worth a traceback
        raise _failed(argv, purpose, f"{type(error).__name__}: {error}") from None
    return str(value or "")


def _from_program(argv: Sequence[str], purpose: str, *, words: bool) -> str:
    """What the program prints; `words` tells whether its own error may be shown, which of an unknown one it may not."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
            env=KNOWN.environment(),  # another reference's secret is none of its business
        )
        text = done.stdout.decode().rstrip("\n")
    except FileNotFoundError:
        raise _not_installed(argv[0], purpose) from None
    except subprocess.TimeoutExpired:  # its `output` holds what came: the chain must not carry it
        raise _failed(argv, purpose, f"no end after {_COMMAND_TIMEOUT_S} s: does it ask for something?") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _failed(argv, purpose, type(error).__name__) from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-3:] if words else []
        raise _failed(argv, purpose, f"exit status {done.returncode}", *last)
    return text


def _not_installed(program: str, purpose: str) -> UsageError:
    return UsageError(
        f"{purpose} cannot be had from `{program}`",
        why=f"there is no program {program} on PATH",
        hint=_INSTALL.format(program),
        code="PVX0305",
    )


def _failed(argv: Sequence[str], purpose: str, *why: str) -> UsageError:
    words = sanitise("; ".join(why))
    if argv[0] == "keyring" and _NO_KEYRING.search(words):
        return UsageError(
            f"{purpose} cannot be had from the keyring",
            why="there is no keyring here: a machine without a desktop session has none that is open",
            hint="use {credential: name} in a service, {file: path} or {age: …} on a server",
            code="PVX0306",
        )
    return UsageError(
        f"{purpose} cannot be had from `{argv[0]}`",
        why=words,
        hint="run the command by hand; its standard output must be the secret",
        code="PVX0304",
    )
