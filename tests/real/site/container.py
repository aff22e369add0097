"""A guest of the hypervisor: a container with systemd as PID 1, on its own disk and its own wire."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pvenix_lab.site.core import Site
from pvenix_lab.site.guest.hardware import hardware_config
from pvenix_lab.site.guest.network import Interface
from pvenix_lab.site.pve.vm import Vm, parse_properties
from tests.real.site import cgroups, wires
from tests.real.site.agent import Agent
from tests.real.site.disk import Disk

REBOOTED: Final = 133
"""What systemd-nspawn ends with under --keep-unit when the guest asked for a reboot (systemd: src/nspawn/nspawn.c)."""
_HARDWARE: Final = "/var/lib/hypervisor/hardware-configuration.nix"
_SEED: Final = "/var/lib/cloud/seed/nocloud"
_ENTER_CGROUPS: Final = 'for file in $CGROUPS; do echo $$ >"$file"; done; exec "$@"'
_BOOT_S: Final = 60.0
_STOP_S: Final = 20.0


class Container:
    """The guest of one VM. `pid` is that of its first process, 0 while it is off."""

    def __init__(self, site: Site, vm: Vm, root: Path, *, base: Path, cgroup: str) -> None:
        self.site, self.vm = site, vm
        self.disk = Disk(root=root, base=base)
        self.pid = 0
        self.agent_of_boot = Agent(self)
        self._cgroup = f"{cgroup}/{vm.vmid}"
        self._life: asyncio.Task[None] | None = None
        self._off = False

    # --- what the cluster asks of a guest ----------------------------------------------------------------------------

    async def power_on(self) -> None:
        """Begin to boot."""
        if self._life is None:
            self._off = False
            self._life = self.site.spawn(self._live(), f"{self.vm.name}: container")

    async def power_off(self, *, graceful: bool) -> None:
        """Stop it: by its own shutdown, or as if its power were cut."""
        if self._life is None:
            return
        self._off = True
        with contextlib.suppress(ProcessLookupError):
            if self.pid:
                os.kill(self.pid, signal.SIGRTMIN + 4 if graceful else signal.SIGKILL)  # systemd(1): powers off
        await asyncio.wait((self._life,), timeout=_STOP_S)
        with contextlib.suppress(ProcessLookupError):
            if self.pid:
                os.kill(self.pid, signal.SIGKILL)
        await asyncio.wait((self._life,))
        self._life = None

    def agent_ready(self) -> bool:
        """True once the unit of the guest agent runs."""
        return bool(self.pid) and Path(f"/proc/{self.pid}/root/run/qemu-ga").exists()

    def agent(self, command: str, params: Mapping[str, object]) -> object:
        """An agent command, done by programs of the guest."""
        return self.agent_of_boot.run(command, params)

    @property
    def hardware(self) -> str:
        """What nixos-generate-config would print in the virtual machine."""
        mac = self.vm.macs()["net0"].lower()
        eth0 = Interface(name="eth0", mac=mac, addresses=(), bridge="", vlan=0, driver="virtio")
        return hardware_config(self.vm, [eth0])

    # --- its life ----------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        status = REBOOTED
        try:
            while status == REBOOTED and not self._off:
                status = await self._boot_once()
        finally:
            wires.unplug(self.vm.vmid)
            self.disk.unmount()
            if not self._off:  # it went down by itself
                self.vm.status, self.vm.pid, self._life = "stopped", None, None

    async def _boot_once(self) -> int:
        namespace = self._prepare()
        settings = cgroups.nspawn_settings() | {"CGROUPS": " ".join(map(str, cgroups.make(self._cgroup)))}
        console = self.disk.root / "console.log"
        with console.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                "sh", "-c", _ENTER_CGROUPS, "sh", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
                "--console=pipe", f"--machine={self.vm.name}", f"--directory={self.disk.mounted}",
                f"--network-namespace-path={namespace}", "--capability=CAP_NET_ADMIN", "--link-journal=no",
                "--resolv-conf=off", "--timezone=off", f"{self.disk.boot_default()}/init",
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, env=settings, start_new_session=True,
            )  # fmt: skip
        try:
            self.pid = await _first_process(process)
            (self.disk.root / "pid").write_text(str(self.pid))
            return await process.wait()
        finally:
            self.pid = 0
            (self.disk.root / "pid").unlink(missing_ok=True)
            self.agent_of_boot.forget()
            if process.returncode is None:
                process.kill()
                await process.wait()
            await _emptied(self._cgroup)

    def _prepare(self) -> Path:
        """The hypervisor's part of a boot: disk, cloud-init drive, wire."""
        self.disk.mount()
        for name, text in self.vm.cloudinit_files().items():
            self.disk.write(f"{_SEED}/{name}", text)
        self.disk.write(_HARDWARE, self.hardware)
        device = parse_properties(str(self.vm.config["net0"]))
        bridge = wires.bridge_of(device["bridge"], int(device.get("tag", 0)))
        return wires.plug(self.vm.vmid, bridge=bridge, mac=self.vm.macs()["net0"])


async def _first_process(process: asyncio.subprocess.Process) -> int:
    """The id, here, of the process that is number one in there; 0 when there is none within a minute."""
    async with asyncio.timeout(_BOOT_S):
        while process.returncode is None:
            for child in _children(process.pid):
                if _numbers(child)[-1:] == ["1"]:
                    return child
            await asyncio.sleep(0.01)
    return 0


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if entry.read_text().rpartition(")")[2].split()[1] == str(parent):
                found.append(int(entry.parent.name))
    return found


def _numbers(pid: int) -> list[str]:
    """The ids of a process in each PID namespace that it is in, from the outermost one."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        numbers = next(line for line in lines if line.startswith("NSpid:")).split()[1:]
        return numbers if len(numbers) > len(_own_numbers()) else []
    return []


def _own_numbers() -> list[str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line for line in lines if line.startswith("NSpid:")).split()[1:]


async def _emptied(cgroup: str) -> None:
    """Wait until the kernel has ended everything of a guest whose first process is gone."""
    async with asyncio.timeout(_STOP_S):
        while not cgroups.remove(cgroup):  # noqa: ASYNC110 - the kernel sets no event
            await asyncio.sleep(0.02)
