"""fleet-first-boot: the steps of nix/files/fleet-first-boot, in its order and with its words, by the guest's own programs."""

from __future__ import annotations

import re

from pvenix_lab.site.guest.call import Call, ProgramError
from pvenix_lab.site.guest.streams import BytesReader, BytesWriter

_UNNAMED = ("", "nixos", "localhost")
_NAME = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
_HOST_FILE = """\
# Made by {host} itself at first boot. Add its roles, then merge.
{{
  imports = [
    ../configuration.nix
    ../hardware/{host}-hw.nix
    ../modules/role-base.nix
  ];

  networking.hostName = "{host}";
}}
"""


async def fleet_first_boot(call: Call) -> int:
    """`fleet-first-boot REPOSITORY BRANCH STATE [HOST]`: pushes registration/HOST unless it is known already."""
    if len(call.args) not in (3, 4):
        raise ProgramError(
            "fleet-first-boot: usage: fleet-first-boot <repository> <branch> <state directory> [host]", 2
        )
    url, branch, state = call.args[:3]
    host = call.args[3] if len(call.args) == 4 else call.guest.hostname
    if host in _UNNAMED:
        raise ProgramError("fleet-first-boot: cloud-init has not set a host name yet")
    if not _NAME.fullmatch(host):
        raise ProgramError(
            f"fleet-first-boot: {host} is not a host name of this fleet (a-z, 0-9, -; starts with a letter)"
        )
    ssh = f"ssh -i {state}/id_ed25519 -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20"
    step = _Steps(call.with_argv(call.argv, env=call.env | {"GIT_SSH_COMMAND": ssh}, cwd=state))
    work = f"{state}/registration"
    call.tree.remove(work)
    await step("git", "clone", "--quiet", "--single-branch", "--branch", branch, url, work)
    step.cwd = work
    if call.tree.exists(f"{work}/nix/hosts/{host}.nix"):
        call.out(f"{host} is registered already\n")
    elif await step.ends("git", "ls-remote", "--exit-code", "--quiet", "origin", f"refs/heads/registration/{host}"):
        call.out(f"registration/{host} is there already and waits for review\n")
    else:
        await _register(call, step, host)
    call.tree.remove(work)
    call.tree.write(f"{state}/registered", "")
    return 0


class _Steps:
    """Runs one program after the other; the first that fails ends everything, as `set -e` does."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.cwd = call.cwd

    async def __call__(self, *argv: str, out: BytesWriter | None = None) -> None:
        status = await self._run(argv, out)
        if status:
            raise ProgramError("", status)

    async def ends(self, *argv: str) -> bool:
        """True if the program ends well; what it prints is thrown away."""
        return await self._run(argv, BytesWriter()) == 0

    async def _run(self, argv: tuple[str, ...], out: BytesWriter | None) -> int:
        inner = self._call.with_argv(argv, stdin=BytesReader(), stdout=out or self._call.stdout, cwd=self.cwd, path="")
        return await self._call.guest.shell.execute(inner)


async def _register(call: Call, step: _Steps, host: str) -> None:
    hardware = BytesWriter()
    await step("nixos-generate-config", "--show-hardware-config", out=hardware)
    call.tree.put(f"{step.cwd}/nix/hardware/{host}-hw.nix", hardware.text)
    call.tree.put(f"{step.cwd}/nix/hosts/{host}.nix", _HOST_FILE.format(host=host))
    await step("git", "add", "--", f"nix/hosts/{host}.nix", f"nix/hardware/{host}-hw.nix")
    await step(
        "git", "-c", f"user.name={host}", "-c", f"user.email=root@{host}", "commit", "--quiet",
        "-m", f"Register {host}", "-m", "Pushed by the machine itself at first boot.",
    )  # fmt: skip
    await step("git", "push", "--quiet", "origin", f"HEAD:refs/heads/registration/{host}")
    call.out(f"pushed registration/{host}\n")
