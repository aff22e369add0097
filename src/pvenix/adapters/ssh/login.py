"""How pvenix logs in: one named key, one pinned host key, nothing of the user's SSH configuration or agent.

asyncssh reads ~/.ssh/config by itself, where a `Match exec` line runs a command and `UserKnownHostsFile none` switches
host key checks off; and a tunnel given as text is opened without our pins. So every hop is opened here.
"""

from __future__ import annotations

import asyncio
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncssh

from pvenix.adapters.ssh.errors import explained, way_to_pin
from pvenix.engine.ports import Target
from pvenix.model.errors import LocalResource, Refused

_CIPHERS: Final = (
    "aes128-gcm@openssh.com",  # a fifth less client CPU per login than chacha20-poly1305 (asyncssh 2.24.1)
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """Limits of every connection, in seconds where not said otherwise."""

    connect_timeout_s: float = 15.0
    """From the first packet to the end of the login; asyncssh itself has no limit on a silent listener."""
    login_timeout_s: float = 15.0
    keepalive_s: float = 4.0
    keepalive_count: int = 3
    """A silent peer is given up after (count + 1) x keepalive_s, 16 s here."""
    logins: int = 64
    """Logins under way at once, over all hosts."""
    channels: int = 8
    """Commands at once on one connection; OpenSSH's MaxSessions is 10 by default."""


def private_key(path: str) -> asyncssh.SSHKey:
    """The client key in the file `path`.

    Raises: LocalResource when it cannot be read, is open to others or has a passphrase.
    """
    hint = "name a private key of your own, mode 0600 and without a passphrase, in inventory/site.yaml"
    try:
        mode = Path(path).stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise LocalResource(f"the SSH key {path} is open to other users", hint=f"chmod 600 {path}", code="PVX0614")
        return asyncssh.read_private_key(path)
    except (OSError, asyncssh.KeyImportError) as error:
        raise LocalResource(f"the SSH key {path} cannot be used", why=str(error), hint=hint, code="PVX0614") from error


def public_line(path: str) -> str:
    """The public half of the client key in the file `path`, as authorized_keys wants it, without a comment.

    Raises: LocalResource as `private_key`.
    """
    return " ".join(private_key(path).export_public_key("openssh").decode("ascii").split()[:2])


def pinned_key(target: Target) -> asyncssh.SSHKey:
    """The host key that `target` must prove to have.

    Raises: Refused when there is none, or it is not a public key.
    """
    hint = way_to_pin(target)
    if not target.host_key.strip():
        raise Refused(f"{target.host} has no pinned host key", hint=hint, code="PVX0613")
    try:
        return asyncssh.import_public_key(target.host_key)
    except asyncssh.KeyImportError as error:
        raise Refused(
            f"the pinned host key of {target.host} cannot be read", why=str(error), hint=hint, code="PVX0613"
        ) from error


async def log_in(
    target: Target, tunnel: asyncssh.SSHClientConnection | None, settings: SshSettings
) -> asyncssh.SSHClientConnection:
    """A new, authenticated connection to `target`, through `tunnel` where there is one.

    Raises: Unreachable, Refused, LocalResource.
    """
    host_key = pinned_key(target)
    key = await asyncio.to_thread(private_key, target.key_file)
    try:
        return await asyncssh.connect(
            target.address,
            target.port,
            tunnel=tunnel,
            config=None,
            username=target.user,
            known_hosts=([host_key], [], []),
            x509_trusted_certs=None,
            client_keys=[key],
            agent_path=None,
            agent_forwarding=False,
            pkcs11_provider=None,
            preferred_auth=["publickey"],
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            gss_kex=False,
            gss_auth=False,
            disable_trivial_auth=True,  # a server that lets anybody in has not seen our key
            encryption_algs=_CIPHERS,
            compression_algs=["none"],
            connect_timeout=settings.connect_timeout_s,
            login_timeout=settings.login_timeout_s,
            keepalive_interval=settings.keepalive_s,
            keepalive_count_max=settings.keepalive_count,
        )
    except (OSError, asyncssh.Error) as error:
        raise explained(target, error) from error
