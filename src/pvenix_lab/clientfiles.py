"""Files for clients of the lab: ssh_config and known_hosts, so that plain `ssh -F DIR/ssh_config HOST` and `git` work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.firstboot import HOST_KEY
from pvenix_lab.site.guest.guest import Guest

if TYPE_CHECKING:
    from pathlib import Path

    from pvenix_lab.site.core import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFiles:
    """Where the files lie and what they must say of the jump."""

    directory: Path
    jump: str
    jump_port: int

    @property
    def config(self) -> Path:
        """The ssh_config."""
        return self.directory / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        """The known_hosts file."""
        return self.directory / "known_hosts"

    def write(self, site: Site) -> None:
        """Write both files for the guests that there are now; readers never see half a file."""
        guests = sorted(
            (g for g in site.guests.values() if isinstance(g, Guest) and g.addresses), key=lambda guest: guest.name
        )
        blocks = [self._block(guest) for guest in guests]
        _replace(self.config, "\n".join([*blocks, self._defaults()]))
        _replace(self.known_hosts, "".join(self._known(guest) for guest in guests))

    def _block(self, guest: Guest) -> str:
        if guest.name == self.jump:
            return f"Host {guest.name}\n  HostName 127.0.0.1\n  Port {self.jump_port}\n"
        address = guest.addresses[0].partition("/")[0]
        return f"Host {guest.name}\n  HostName {address}\n  ProxyJump {self.jump}\n"

    def _defaults(self) -> str:
        lines = [
            "User tappaas",
            f"IdentityFile {self.directory}/keys/operator",
            "IdentitiesOnly yes",
            "IdentityAgent none",
            "BatchMode yes",
            "StrictHostKeyChecking yes",
            f"UserKnownHostsFile {self.known_hosts}",
            "GlobalKnownHostsFile /dev/null",
            "UpdateHostKeys no",
            "ControlMaster no",
            "ControlPath none",
            "LogLevel ERROR",
        ]
        return "Host *\n" + "".join(f"  {line}\n" for line in lines)

    def _known(self, guest: Guest) -> str:
        key = " ".join(guest.tree.read_text(f"{HOST_KEY}.pub").split()[:2])
        if guest.name == self.jump:
            return f"[127.0.0.1]:{self.jump_port} {key}\n"
        return "".join(f"{address.partition('/')[0]} {key}\n" for address in guest.addresses)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    temporary.replace(path)
