"""Guests behind real SSH servers in this process, and clients with their own keys."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from pvenix_lab.faces.ssh import SshFace
from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.guest import keys
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.whole import new_guest, whole_site
from tests.lab.guest_support import FLEET, Prepared, give_cloud_init, run_git, vm_of

BARE = "/srv/git/tappaas-nixos-config.git"
SERVE = "/run/current-system/sw/bin/fleet-git-serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """A jump host, one guest behind it, and the operator's key."""

    face: SshFace
    jump: Guest
    guest: Guest
    key: Path
    directory: Path

    @property
    def url(self) -> str:
        """The repository as a client names it."""
        return f"ssh://git@127.0.0.1:{self.face.jump_port}{BARE}"

    def ssh_command(self, key: Path) -> str:
        """What `core.sshCommand` says for a client with this key."""
        known = self.directory / "known"
        known.write_text(
            f"[127.0.0.1]:{self.face.jump_port} {self.jump.tree.read_text('/etc/ssh/ssh_host_ed25519_key.pub')}"
        )
        return f"ssh -F /dev/null -i {key} -o IdentitiesOnly=yes -o IdentityAgent=none -o UserKnownHostsFile={known}"

    @asynccontextmanager
    async def through_the_jump(self) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """A connection to the guest's own address through the jump, both host keys verified."""
        async with (
            connection(self.jump, self.key, port=self.face.jump_port) as jump,
            connection(self.guest, self.key, tunnel=jump, host="10.69.13.5") as conn,
        ):
            yield conn


@asynccontextmanager
async def connection(
    guest: Guest,
    key: Path,
    *,
    port: int = 22,
    host: str = "127.0.0.1",
    user: str = "tappaas",
    tunnel: asyncssh.SSHClientConnection | None = None,
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection that trusts the guest's present host key only."""
    public = asyncssh.import_public_key(guest.tree.read_text("/etc/ssh/ssh_host_ed25519_key.pub"))
    where: dict[str, object] = {"tunnel": tunnel} if tunnel else {}
    conn = await asyncssh.connect(
        host,
        port,
        username=user,
        client_keys=[str(key)],
        known_hosts=([public], [], []),
        config=None,
        agent_path=None,
        connect_timeout=30,
        **where,
    )
    async with conn:
        yield conn


def write_key(path: Path) -> str:
    """A new private key at `path`; returns the public line."""
    pair = keys.new_key(path.name)
    path.touch(mode=0o600)
    path.write_text(pair.private)
    return pair.public.strip()


@asynccontextmanager
async def network(directory: Path, prepared: Prepared, *, time_scale: float = 0) -> AsyncIterator[Net]:
    """A site with tappaas-cicd as the jump and dns01 behind it, and the fleet's bare repository."""
    key = directory / "operator"
    public = write_key(key)
    async with whole_site(root=directory / "lab", time_scale=time_scale) as site:
        guests = {}
        for name, vmid, address in (("tappaas-cicd", 130, "10.0.0.30"), ("dns01", 200, "10.69.13.5")):
            clone_disk(site, prepared.disk, site.guest_root(vmid))
            vm = vm_of(name, vmid)
            give_cloud_init(vm, instance="one", key=public)
            vm.cloudinit["network-config"] = vm.cloudinit["network-config"].replace("10.69.13.5", address)
            guests[vmid] = site.guests[vmid] = new_guest(site, vm, site.guest_root(vmid))
            guests[vmid].boot_now()
        _repository(guests[130], guests[200], prepared, public)
        face = SshFace(site, jump=130)
        await face.start()
        try:
            yield Net(face=face, jump=guests[130], guest=guests[200], key=key, directory=directory)
        finally:
            await face.stop()
    assert site.defects == []


def _repository(jump: Guest, guest: Guest, prepared: Prepared, public: str) -> None:
    bare = jump.root / BARE.lstrip("/")
    bare.parent.mkdir(parents=True)
    run_git(prepared.fleet, "clone", "--quiet", "--bare", str(prepared.fleet), str(bare))
    hook = bare / "hooks/update"
    shutil.copy(FLEET / "nix/files/fleet-update-hook", hook)
    hook.chmod(0o755)
    guest_key = guest.tree.read_text("/var/lib/fleet/id_ed25519.pub").strip()
    lines = [
        f'restrict,command="{SERVE} operator" {public}',
        f'command="env PVENIX_PUSHER=guest:dns01 git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"",restrict {guest_key}',
    ]
    jump.tree.mkdir("/srv/git/.ssh")
    jump.tree.write("/srv/git/.ssh/authorized_keys", "".join(f"{line}\n" for line in lines))


async def git(net: Net, key: Path, *arguments: str, cwd: Path) -> tuple[int, str]:
    """The plain git as a client; exit status and what it said."""
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=cwd,
        env={
            "PATH": "/usr/bin:/bin:/usr/local/bin",
            "HOME": str(net.directory),
            "GIT_SSH_COMMAND": net.ssh_command(key),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{role}_{what}": "t@t" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
