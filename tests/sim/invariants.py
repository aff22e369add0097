"""What must hold at every moment, at the end of each step, and once everything has come to rest."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from pvenix.model.events import Command, Event, StepEnded
from pvenix.model.update import Reboot, Strategy, Update
from pvenix_lab.site.guest.generations import boot_default, current_number, generations
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.store import read_system
from pvenix_lab.site.guest.units import Units
from pvenix_lab.site.pve.vm import Vm
from tests.sim.golden import stranger_vms
from tests.sim.world import Sim

MARKERS = ("/var/lib/marker", "/home/tappaas/marker")
REBOOT_S = 5.0
ATTEMPTS = "/var/lib/pvenix"
FENCE = "/run/pvenix/fence"
PROFILE = "/nix/var/nix/profiles/system"


class Violation(AssertionError):
    """A rule was broken; the text says which, where and what was seen."""


def require(rule: str, holds: object, seen: object = "") -> None:
    """Raise unless `holds`."""
    if not holds:
        raise Violation(f"{rule}: {seen}")


@dataclass
class Invariants:
    """The rules, with what they compare against."""

    strangers: dict[int, Vm] = field(default_factory=dict)
    marked: dict[str, str] = field(default_factory=dict)
    """Root of each marked guest to its host."""
    asked: dict[str, int] = field(default_factory=dict)
    """Generation that a rollback was asked for, by run: two operators may want different ones."""
    aims: dict[tuple[str, str], str] = field(default_factory=dict)
    """System that a rollback to what was before a run was asked for, by run and host."""
    only_boot: set[str] = field(default_factory=set)
    """Runs whose rollbacks leave what runs alone."""
    ends: list[StepEnded] = field(default_factory=list)
    defaults: dict[str, str] = field(default_factory=dict)
    """The boot default of each guest by its root, as last seen."""
    used: set[tuple[str, str]] = field(default_factory=set)
    """The confirmed attempts of each guest that have changed its boot default."""

    def begin(self, sim: Sim) -> None:
        """Remember the strangers."""
        self.strangers = copy.deepcopy(stranger_vms(sim.site.cluster))

    def mark(self, sim: Sim) -> None:
        """Leave files on every guest that came up since the last call."""
        for guest in sim.site.guests.values():
            if isinstance(guest, Guest) and guest.running and _machine(guest) not in self.marked:
                for path in MARKERS:
                    guest.tree.put(path, f"{guest.name} {path}\n")
                self.marked[_machine(guest)] = guest.name

    # --- always ---

    def always(self, sim: Sim) -> None:
        """What no moment may break."""
        self.cluster(sim)
        self.disks(sim)

    def cluster(self, sim: Sim) -> None:
        """The VMs: nobody's but ours are touched, and of ours none is there twice."""
        require("the site has no defects", not sim.site.defects, sim.site.defects)
        for vmid, before in self.strangers.items():
            now = sim.site.cluster.vms.get(vmid)
            require("no stranger's VM is destroyed", now is not None, vmid)
            assert now is not None
            require("no stranger's VM is touched", _essence(now) == _essence(before), (vmid, now.config, before.config))
        for host, own in sim.owned().items():
            require("never two VMs for one host", len(own) <= 1, (host, sorted(own)))

    def disks(self, sim: Sim) -> None:
        """The guests: none would boot into silence, and what people keep there stays."""
        for guest in sim.site.guests.values():
            if isinstance(guest, Guest):
                default = boot_default(guest.tree)
                require(
                    "a system that closes the port is never booted", default not in guest.port_closed_by, guest.name
                )
                if _machine(guest) in self.marked:
                    for path in MARKERS:
                        kept = guest.tree.read_text(path)
                        require("user data stays", kept == f"{guest.name} {path}\n", (guest.name, path, kept))

    def boots(self, sim: Sim) -> None:
        """What each guest would boot changes only after the new system was confirmed, once for each attempt."""
        for guest in sim.site.guests.values():
            host = sim.fleet.hosts.get(guest.name) if isinstance(guest, Guest) else None
            if not isinstance(guest, Guest) or not guest.running:
                continue
            if host is not None and not host.machine.state.managed:  # it is there to become a template
                continue
            root, default = _machine(guest), boot_default(guest.tree)
            if host is not None and (self.only_boot or _may_stage(host.machine.update)):
                self.defaults[root] = default
            if self.defaults.setdefault(root, default) != default:
                fresh = {(root, attempt) for attempt in _confirmed(guest)} - self.used
                require("the boot default stays until the new system is confirmed", fresh, (guest.name, default))
                self.used |= fresh
                self.defaults[root] = default

    def journal_keeps(self, sim: Sim) -> None:
        """Every acknowledged row is there."""
        for journal in sim.journals.values():
            rows = [(row.host, row.step, row.what) for row in journal.entries()]
            for row in set(journal.acknowledged):
                require("no acknowledged row is lost", rows.count(row) >= journal.acknowledged.count(row), row)

    @contextlib.contextmanager
    def watching_units(self, sim: Sim) -> Iterator[None]:
        """Note when a dead-man is stopped that has begun to go back: its switch would end half-way."""
        stop = Units.stop

        async def watched(units: Units, name: str) -> None:
            unit = units.units.get(name)
            if (
                unit is not None
                and name.startswith("pvenix-deadman-")
                and (unit.active, unit.sub) == ("activating", "start")
            ):
                sim.break_rule(Violation(f"a dead-man that goes back is not stopped: {name}"))
            await stop(units, name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Units, "stop", watched)
            yield

    # --- at the end of a step ---

    def watch(self, sim: Sim, event: Event) -> None:
        """Look whether a step tells the truth."""
        self.cluster(sim)
        if isinstance(event, Command) and event.writes:
            rows = sim.journals[event.run].rows
            known = any((row.host, row.step, row.what) == (event.host, event.step, "intent") for row in rows)
            require("nothing is changed before it is written down", known, (event.host, event.text))
            self.boots(sim)
        if not isinstance(event, StepEnded):
            return
        self.disks(sim)
        self.ends.append(event)
        require("no verb has a defect", not event.summary.startswith("defect"), event.summary)
        if event.status in ("ok", "changed"):
            getattr(self, f"_{event.verb}", lambda _sim, _host: None)(sim, event.host)
        if event.status == "rolled back":
            guest = _guest(sim, event.host)
            require("rolled back is reachable", guest.ssh_ready, event.host)
            require("rolled back runs what it boots", guest.current_path == boot_default(guest.tree), event.host)

    def _clone(self, sim: Sim, host: str) -> None:
        vm = _vm(sim, host)
        require("a clone is whole", vm.lock != "clone", host)  # somebody else's job may have locked it since
        require("a clone carries our tag", "pvenix" in str(vm.config.get("tags")).split(";"), vm.config)
        require("a clone has its notes", f"pvenix-host: {host}" in str(vm.config.get("description")), vm.config)

    def _cloudinit(self, sim: Sim, host: str) -> None:
        require("the drive has our user", _vm(sim, host).config.get("ciuser") == "tappaas", host)

    def _boot(self, sim: Sim, host: str) -> None:
        guest, pin = _guest(sim, host), sim.trust.get(host)
        rebooting = asyncio.get_running_loop().time() - sim.rebooted.get(host, float("-inf")) < REBOOT_S
        require("a booted host answers", rebooting or (guest.running and guest.ssh_ready), host)
        key = guest.tree.read_text("/etc/ssh/ssh_host_ed25519_key.pub")
        require("the pinned key is the guest's", pin and pin.key.split()[:2] == key.split()[:2], (pin, key))

    def _register(self, sim: Sim, host: str) -> None:
        tips = [sim.remote.refs.get(f"refs/heads/registration/{host}"), sim.main()]
        held = [tip for tip in tips if tip and sim.read(tip, f"nix/hardware/{host}-hw.nix")]
        require("a registered host's files are in the repository", held, host)

    def _review(self, sim: Sim, host: str) -> None:
        require("a merged host is on main", sim.read(sim.main(), f"nix/hosts/{host}.nix"), host)

    def _build(self, sim: Sim, host: str) -> None:
        guest = _guest(sim, host)
        paths = [f"/nix/store/{name}" for name in guest.tree.listdir("/nix/store") if "-nixos-system-" in name]
        found = [system for path in paths if (system := read_system(guest.tree, path)) is not None]
        require("a build left its system", any(self._is_main(sim, one.revision) for one in found), host)

    def _rebuild(self, sim: Sim, host: str) -> None:
        guest = _guest(sim, host)
        require("a rebuilt host answers", guest.ssh_ready, host)
        wanted = guest.current_path
        if _may_stage(sim.fleet.hosts[host].machine.update):
            wanted = boot_default(guest.tree)
        system = read_system(guest.tree, wanted)
        assert system is not None
        require("a rebuilt host runs main", self._is_main(sim, system.revision), (host, system.revision))
        require("it boots what it runs", boot_default(guest.tree) == wanted, host)
        require("no attempt is open", not guest.tree.is_dir(FENCE), host)
        require("its profile is what it runs", guest.tree.resolve(PROFILE) == wanted, host)
        require("its dead-man is disarmed", not _armed(guest), _armed(guest))

    def _rollback(self, sim: Sim, host: str) -> None:
        guest, run = _guest(sim, host), self.ends[-1].run
        number = self.asked.get(run, 0)
        path = self.aims.get((run, host)) or next(one.path for one in generations(guest.tree) if one.number == number)
        require("a rolled back host answers", guest.ssh_ready, host)
        runs = run in self.only_boot or guest.current_path == path
        require("it runs the generation", runs, (host, number))
        require("it boots the generation", boot_default(guest.tree) == path, (host, number))
        require("no attempt is open", not guest.tree.is_dir(FENCE), host)
        require("the generation is current", guest.tree.resolve(PROFILE) == path, (host, current_number(guest.tree)))
        require("its dead-man is disarmed", not _armed(guest), _armed(guest))

    def _retire(self, sim: Sim, host: str) -> None:
        require("a retired host has no VM", not sim.own_vms(host), host)
        tips = [sim.remote.refs.get(f"refs/heads/retire/{host}"), sim.main()]
        texts = [sim.read(tip, f"inventory/host_vars/{host}.yaml") or b"" for tip in tips if tip]
        require("its tombstone is proposed", any(b"absent" in text for text in texts), host)

    def _is_main(self, sim: Sim, revision: str) -> bool:
        """True for a commit that was the main branch's tip at some time since the run of the last step was begun."""
        begun = sim.began[self.ends[-1].run]
        return revision in sim.remote.ancestors(sim.main()) and begun in sim.remote.ancestors(revision)  # type: ignore[arg-type]

    # --- at rest ---

    def at_rest(self, sim: Sim) -> None:
        """After the dead-men's hours: nobody is locked out."""
        self.always(sim)
        self.journal_keeps(sim)
        for guest in sim.site.guests.values():
            if isinstance(guest, Guest) and guest.running:
                require("no host stays unreachable", guest.ssh_ready, (guest.name, guest.current_path))
                require("no dead-man stays armed", not _armed(guest), (guest.name, _armed(guest)))
            if isinstance(guest, Guest):
                require("no program of ours goes on", not guest.channels.open, (guest.name, guest.channels.open))

    def no_orphan(self, sim: Sim) -> None:
        """After an act that was done in the end: every VM and volume of our making belongs to a host's one VM."""
        cluster = sim.site.cluster
        owned = {vmid for host, own in sim.owned().items() if host in sim.fleet.hosts for vmid in own}
        for vmid, vm in cluster.vms.items():
            ours = "pvenix-" in str(vm.config.get("description", ""))
            require("no VM of ours is left without a host", not ours or vmid in owned, (vmid, vm.config))
            require("no clone is left half made", vm.lock != "clone", (vmid, vm.config))
        for volume in cluster.volumes.entries.values():
            require("no volume is left without its VM", volume.vmid is None or volume.vmid in cluster.vms, volume)

    def clean(self, sim: Sim, hosts: tuple[str, ...]) -> None:
        """After a run that went well: nothing is in the way of the next one."""
        for host in hosts:
            guest = sim.guest(host)
            if guest is not None:
                require("the fence is given back", not guest.tree.exists("/run/pvenix/fence"), host)
                left = [name for name in guest.units.units if name.startswith("pvenix-")]
                require("no unit of ours is left", not left, (host, left))


def _essence(vm: Vm) -> tuple[object, ...]:
    return (vm.config, vm.pending, vm.lock, vm.status, vm.node)


def _vm(sim: Sim, host: str) -> Vm:
    own = sim.own_vms(host)
    require("the host has its VM", len(own) == 1, (host, sorted(own)))
    vm: Vm = next(iter(own.values()))
    return vm


def _guest(sim: Sim, host: str) -> Guest:
    _vm(sim, host)
    guest = sim.guest(host)
    require("the host's guest was started", guest is not None, host)
    assert guest is not None
    return guest


def _machine(guest: Guest) -> str:
    """A disk of one machine: a VM that is made anew has the place of the old one."""
    return f"{guest.root} {guest.vm.uuid}"


def _confirmed(guest: Guest) -> list[str]:
    tree = guest.tree
    attempts = tree.listdir(ATTEMPTS) if tree.is_dir(ATTEMPTS) else []
    return [attempt for attempt in attempts if tree.exists(f"{ATTEMPTS}/{attempt}/confirmed")]


def _may_stage(update: Update) -> bool:
    """True where people want a system booted that was not tested."""
    return update.strategy is Strategy.BOOT or update.reboot is Reboot.AUTO


def _armed(guest: Guest) -> list[str]:
    return [
        f"{name} {unit.active}"
        for name, unit in guest.units.units.items()
        if name.startswith("pvenix-deadman-") and unit.active in ("activating", "active")
    ]
