"""One guest: power, boot, identity, running programs. Its disk is a directory, its memory this object."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix_lab.site.guest import agent, firstboot, network
from pvenix_lab.site.guest.channels import AROUND_COMMAND, Channels
from pvenix_lab.site.guest.console import Console, StuckError, find_system
from pvenix_lab.site.guest.fabric import fabric_of
from pvenix_lab.site.guest.process import UIDS, Process, Shell
from pvenix_lab.site.guest.store import System, link_etc, read_system
from pvenix_lab.site.guest.units import Units
from pvenix_lab.site.guest.vfs import clear

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from pvenix_lab.site.core import Site
    from pvenix_lab.site.counters import Counters
    from pvenix_lab.site.guest.fabric import Fabric
    from pvenix_lab.site.guest.streams import ByteReader, ByteWriter
    from pvenix_lab.site.guest.vfs import VirtualRoot
    from pvenix_lab.site.pve.vm import Vm

BOOT_ID = "/proc/sys/kernel/random/boot_id"
OFF = System(host_name="", nixos_version="", nixpkgs_revision="", kernel="", sshd=False)
"""What runs on a guest that is off."""
_SHUTDOWN_S = 0.1


class Guest:
    """The guest of one VM, from its first start until the VM is destroyed."""

    def __init__(self, site: Site, vm: Vm, tree: VirtualRoot, *, programs: Callable[[Guest], Shell]) -> None:
        self.site = site
        self.vm = vm
        self.tree = tree
        self.fabric: Fabric = fabric_of(site)
        self.shell = programs(self)
        self.units = Units(self)
        self.channels = Channels(self)
        self.console = Console()
        self.boot_id = ""
        self.booted_at = 0.0
        self.hostname = ""
        self.current = OFF
        self.current_path = ""
        self.booted = OFF
        self.port_closed_by: set[str] = set()
        self.unbootable: set[str] = set()
        self.devices: list[network.Interface] = []
        self.renumbered: dict[str, list[network.Interface]] = {}
        """By store path: the network of a system that has another one than the guest had at its boot."""
        self.cloud_init_done = asyncio.Event()
        self.activation_lock = asyncio.Lock()
        self.sshd_started = False
        self._agent = agent.Agent(self)
        self._agent_up = False
        self._jobs: set[asyncio.Task[None]] = set()
        self.builds: dict[str, asyncio.Task[None]] = {}

    @property
    def root(self) -> Path:
        """The directory that is the guest's disk."""
        return self.tree.root

    @property
    def counters(self) -> Counters:
        """The site's counters."""
        return self.site.counters

    @property
    def name(self) -> str:
        """The VM's name: what a fault is armed for."""
        return self.vm.name

    @property
    def running(self) -> bool:
        """True from the kernel's start until power off."""
        return bool(self.boot_id)

    @property
    def interfaces(self) -> list[network.Interface]:
        """The network devices with the addresses that they have now."""
        return self.renumbered.get(self.current_path, self.devices)

    @property
    def addresses(self) -> list[str]:
        """Every global address as `IP/prefix`."""
        return [a for i in self.interfaces for a in i.addresses if not a.startswith("fe80:")]

    @property
    def ssh_ready(self) -> bool:
        """True while a new SSH connection would be accepted."""
        listens = self.sshd_started and ("sshd.service" not in self.units.units or self.units.is_active("sshd.service"))
        return listens and self.current.ssh_reachable and self.current_path not in self.port_closed_by

    def service_listens(self, port: int) -> bool:
        """True if a service answers on this port: the running system opens it, and none of its own units has failed."""
        return port in self.current.tcp_ports and all(unit.transient for unit in self.units.failed())

    def agent_interfaces(self) -> list[dict[str, object]]:
        """The guest agent's list of network interfaces."""
        return network.agent_view(self.interfaces, docker="docker.service" in self.units.units)

    def spawn(self, job: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Run `job` until it ends or the guest goes off."""
        task = self.site.spawn(job, f"{self.name}: {name}")
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
        return task

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.site.wall()

    async def sleep(self, seconds: float) -> None:
        """Let site time pass."""
        await self.site.sleep(seconds)

    def unit_changed(self, name: str) -> None:
        """A unit started or stopped: with sshd its port opens or closes; connections stay."""
        if name == "sshd.service" and self.running:
            self.fabric.notify(self, "ssh")

    async def power_on(self) -> None:
        """Begin to boot and return; the agent answers after `boot_s`, SSH after `ssh_s` more, cloud-init ends later."""
        if not self.running and not self._jobs:
            self.spawn(self._boot(), "boot")

    async def _boot(self) -> None:
        times = self.site.timings
        await self.site.sleep(times.boot_s)
        if not self._start_kernel():
            return
        self._agent_up = True
        await self.site.sleep(times.ssh_s / 2)
        self._start_user_space()
        await self.site.sleep(times.ssh_s / 2)
        self._start_sshd()
        await self.site.sleep(times.cloud_init_s)
        self.cloud_init_done.set()

    def boot_now(self) -> None:
        """Boot without the passing of time: how the guests of a site that is just being built come up."""
        if not self.running and self._start_kernel():
            self._agent_up = True
            self._start_user_space()
            self._start_sshd()
            self.cloud_init_done.set()

    def restart_now(self) -> None:
        """Go down and come up again without the passing of time."""
        self._go_down()
        self.boot_now()

    def _start_kernel(self) -> bool:
        """Start what the boot loader names; False when the boot gets stuck: then only the console says why."""
        try:
            system, found = find_system(self.tree, self.vm, self.unbootable)
        except StuckError as exc:
            self.console.write(str(exc))
            return False
        clear(self.tree, ("/run",))
        self.tree.symlink(system, "/run/booted-system")
        self.tree.symlink(system, "/run/current-system")
        link_etc(self.tree, system)
        self.tree.mkdir("/run/systemd/system")
        self.boot_id = str(uuid.UUID(int=self.site.rng.getrandbits(128), version=4))
        self.tree.put(BOOT_ID, self.boot_id + "\n", mode=0o444)
        self.booted_at = self.site.wall()
        self.booted = self.current = found
        self.current_path = system
        machine_id = firstboot.apply_identity(self.tree)
        network_config = firstboot.load_yaml(self.vm.cloudinit_files().get("network-config", ""))
        self.devices = network.interfaces(self.vm, self.fabric, network_config, machine_id)
        self._set_hostname()
        self._log_boot()
        return True

    def _log_boot(self) -> None:
        version = f"Linux version {self.booted.kernel} (nixbld@localhost) #1-NixOS SMP PREEMPT_DYNAMIC"
        self.console.write(f"[    0.000000] {version}\n\n<<< NixOS Stage 1 >>>\n\n<<< NixOS Stage 2 >>>\n")
        self.units.kernel_said(version)
        self.units.kernel_said(f"Command line: init={self.current_path}/init console=ttyS0 loglevel=4")

    def _start_user_space(self) -> None:
        firstboot.apply_cloud_init(self.tree, self.vm.cloudinit_files(), keep_keys=self.current.keeps_host_keys)
        self._set_hostname()
        firstboot.make_keys(self.tree, self.hostname)
        self.units.load(self.current.units, self.current.jobs)

    def _start_sshd(self) -> None:
        self.sshd_started = True
        welcome = f"<<< Welcome to NixOS {self.booted.nixos_version} (x86_64) - ttyS0 >>>"
        self.console.write(f"\n{welcome}\n\n{self.hostname} login: ")
        self.fabric.notify(self, "ssh")

    def _set_hostname(self) -> None:
        """The configuration's name; without one cloud-init's (`networking.hostName = ""`)."""
        given = self.tree.read_text(firstboot.HOSTNAME).strip()
        self.hostname = self.current.host_name or given or "localhost"
        self.tree.put("/proc/sys/kernel/hostname", f"{self.hostname}\n")

    def become(self, system: str) -> None:
        """Run the system at this store path from now on: what the activation script does to the running machine."""
        self.tree.symlink(system, "/run/current-system")
        link_etc(self.tree, system)
        self.current = read_system(self.tree, system) or self.current
        self.current_path = system
        self._set_hostname()
        self.fabric.notify(self, "ssh")

    async def power_off(self, *, graceful: bool) -> None:
        """Stop everything; returns when the guest is off. `graceful` takes the time of a shutdown."""
        if graceful and self.running:
            await self.site.sleep(_SHUTDOWN_S)
        self._go_down()
        if jobs := {job for job in self._jobs if job is not asyncio.current_task()}:
            for job in jobs:
                job.cancel()
            await asyncio.wait(jobs)

    def _go_down(self) -> None:
        self.boot_id = ""
        self.current = self.booted = OFF
        self.current_path = ""
        self.devices = []
        self._agent_up = self.sshd_started = False
        self.cloud_init_done.clear()
        self.activation_lock = asyncio.Lock()
        self._agent.forget()
        self.units.reset()
        self.cut_connections()
        self.fabric.notify(self, "off")

    def reboot(self) -> None:
        """Go down and boot again, as a job of its own; the caller's connection will not see the end."""
        self.site.spawn(self._reboot(), f"{self.name}: reboot")

    async def _reboot(self) -> None:
        await self.power_off(graceful=True)
        if self.vm.running:
            await self.power_on()

    def shut_down(self) -> None:
        """Go down and stay down, as a job of its own; the VM stops with it."""
        self.site.spawn(self._shut_down(), f"{self.name}: poweroff")

    async def _shut_down(self) -> None:
        await self.power_off(graceful=True)
        self.vm.status, self.vm.pid = "stopped", None

    def agent_ready(self) -> bool:
        """True once the guest agent answers."""
        unit = "qemu-guest-agent.service"
        return self._agent_up and (unit not in self.units.units or self.units.is_active(unit))

    def agent(self, command: str, params: Mapping[str, object]) -> object:
        """Run an agent command. Raises AgentError with the agent's own text."""
        return self._agent.run(command, params)

    def may_sudo(self, user: str) -> bool:
        """True for root, and for the administrator once cloud-init has ended (it makes the rule on a new instance)."""
        return user == "root" or (user == "tappaas" and self.cloud_init_done.is_set())

    def cut_connections(self) -> None:
        """Let every SSH connection of this guest die at once; programs in units and builds go on."""
        self.channels.cut()
        self.fabric.notify(self, "cut")

    async def run(
        self,
        argv: tuple[str, ...] | list[str],
        stdin: ByteReader,
        stdout: ByteWriter,
        stderr: ByteWriter,
        *,
        user: str,
        env: Mapping[str, str] | None = None,
    ) -> int:
        """Run one exec channel and return the exit status.

        Raises:
            ConnectionResetError: the connection was cut or the guest went off: nothing is known about the program.
        """
        if not self.running:
            raise ConnectionResetError(f"{self.name} is off")
        self.site.counters.guest_commands += 1
        home = "/root" if user == "root" else f"/home/{user}"
        process = Process(
            argv=tuple(argv), stdin=stdin, stdout=stdout, stderr=stderr, user=user, uid=UIDS[user], cwd=home,
            env=dict(env or {}),
        )  # fmt: skip
        return await self.site.faults.at(AROUND_COMMAND)(self, process, self.channels.run)
