"""Pinned host keys: those of the fleet (`inventory/trust/<host>`) and those pinned here before registration."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pvenix.model.errors import LocalResource, Refused
from pvenix.model.names import host_name
from pvenix.model.paths import TRUST

_KEY = re.compile(r"(?:ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|ssh-rsa) [A-Za-z0-9+/]{40,2000}={0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A host key and the VM it belongs to."""

    key: str
    """`ssh-ed25519 AAAA…`, no comment."""
    uuid: str = ""
    """The smbios uuid of the VM, empty when the file does not say."""

    @property
    def fingerprint(self) -> str:
        """The key's SHA-256 fingerprint, as ssh-keygen(1) shows it; empty for a key that no program could have written."""
        try:
            raw = base64.b64decode(self.key.split()[1] + "==")
        except binascii.Error:
            return ""
        return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")

    def line(self, host: str) -> str:
        """The pin as its file holds it."""
        return f"{self.key} {host}" + (f" uuid={self.uuid}" if self.uuid else "") + "\n"


def parse_host_key(text: str) -> str:
    """The key of a public key file, without its comment.

    Raises: Refused when `text` is not an SSH public key.
    """
    key = " ".join(text.strip().split()[:2])
    if not _KEY.fullmatch(key):
        raise Refused("the guest's host key is not an SSH public key", why=repr(text[:60]), code="PVX0803")
    return key


def parse_pin(text: str) -> Pin:
    """The pin in the text of a trust file.

    Raises: Refused when it holds no SSH public key.
    """
    found = re.search(r"uuid=([0-9a-f-]{36})", text)
    return Pin(key=parse_host_key(text), uuid=found.group(1) if found else "")


def own_host_keys() -> frozenset[str]:
    """The public SSH host keys of this machine, without comments; none where no sshd was ever set up (sshd_config(5))."""
    found = set()
    for path in Path("/etc/ssh").glob("ssh_host_*_key.pub"):
        with contextlib.suppress(OSError, UnicodeDecodeError, Refused):
            found.add(parse_host_key(path.read_text()))
    return frozenset(found)


class TrustStore:
    """Where pins are kept."""

    def __init__(self, *, fleet: Path, local: Path) -> None:
        self._fleet = fleet / TRUST
        self._local = local

    def get(self, host: str) -> Pin | None:
        """The pin in force: the one written last, of this machine's before registration and the fleet's."""
        written = sorted(self._files(host), key=lambda path: path.stat().st_mtime_ns)
        return parse_pin(written[-1].read_text()) if written else None

    def shared(self, host: str) -> bool:
        """True when the fleet pins a key of the host for everybody."""
        return (self._fleet / host_name(host)).is_file()

    def pin(self, host: str, pin: Pin, *, renewed: bool = False) -> None:
        """Accept `pin` for `host`; `renewed` while the VM's first boot, which makes its keys, is not over.

        Raises: Refused when another key is pinned for the same VM: a host key changes only with the VM.
        """
        known = self.get(host)
        another_vm = known is not None and known.uuid and pin.uuid and known.uuid != pin.uuid
        if known is not None and known.key != pin.key and not (another_vm or renewed):
            raise Refused(
                f"the host key of {host} changed",
                why="nothing shows that the VM is another one, and the key of a VM stays",
                hint=f"look at the VM's console; if the change is yours, remove {' and '.join(map(str, self._files(host)))}",
                code="PVX0804",
            )
        if known == pin:
            return
        try:
            self._local.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = self._local / f".{host_name(host)}"
            temporary.write_text(pin.line(host))
            temporary.replace(self._local / host_name(host))
        except OSError as error:
            raise LocalResource("the pinned host key cannot be stored", why=str(error)) from error

    def _files(self, host: str) -> list[Path]:
        paths = [folder / host_name(host) for folder in (self._local, self._fleet)]
        return [path for path in paths if path.is_file()]

    def forget(self, host: str) -> None:
        """Drop the local pin, as when its VM was destroyed."""
        (self._local / host_name(host)).unlink(missing_ok=True)
