"""Builds a site of containers from a fleet: template 8100, the hosts that exist, and the repository on the CI/CD host."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from pvenix_lab.fleetcopy import FleetCopy, FleetHost, SiteFacts, Zone
from pvenix_lab.site.core import Site
from pvenix_lab.site.guest.keys import KeyPair, new_key
from pvenix_lab.site.pve.clone import clone_now
from pvenix_lab.site.pve.cloudinit import regenerate
from pvenix_lab.site.pve.cluster import TEMPLATE_VMID
from pvenix_lab.site.pve.vm import Vm
from tests.real.site.container import Container
from tests.real.site.disk import Disk

NOT_YET: Final = frozenset({"tappaas-vllm", "tappaas-litellm"})
BARE: Final = "/srv/git/tappaas-nixos-config.git"
PROFILE: Final = "/nix/var/nix/profiles/system"
_SERVE: Final = "/run/current-system/sw/bin/fleet-git-serve"
_NIX_CONF: Final = "experimental-features = nix-command flakes\nsubstituters =\nsandbox = false\nbuild-users-group =\n"


@dataclass(slots=True, kw_only=True)
class _Host:
    about: FleetHost
    guest: Container
    host_key: KeyPair
    git_key: KeyPair


@dataclass(slots=True, kw_only=True)
class Seed:
    """One seeding of a site whose networks are laid; `zones` are those of the fleet."""

    site: Site
    source: Path
    base: Path
    endpoint: str
    _operator: KeyPair = field(default_factory=lambda: new_key("operator"))
    _hosts: list[_Host] = field(default_factory=list)

    @property
    def fleet(self) -> Path:
        """The operator's clone."""
        return self.site.root / "fleet"

    async def run(self) -> dict[str, Any]:
        """Build and boot everything; returns what lab.json says."""
        self._write_keys()
        fleet = FleetCopy.make(self.source, self.fleet)
        _git(self.fleet, "init", "--quiet", "--initial-branch=main")
        first = self._commit("Start the fleet")
        template = self._disk(TEMPLATE_VMID)
        self._install_template(template, first)
        self._make_vms(fleet)
        self._describe(fleet)
        head = self._commit("Describe real-1")
        self._deploy(template, head)
        for host in self._hosts:
            await host.guest.power_on()
        self._write_client_files()
        await self._found_repository()
        return self._description()

    def _disk(self, vmid: int) -> Disk:
        return Disk(root=self.site.guest_root(vmid), base=self.base)

    def _write_keys(self) -> None:
        folder = self.site.root / "keys"
        folder.mkdir(mode=0o700)
        token = next(t for name, t in self.site.cluster.tokens.items() if name.startswith("pvenix@"))
        for name, text in (("operator", self._operator.private), ("pve-token", token.secret + "\n")):
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(text)
        (folder / "operator.pub").write_text(self._operator.public)

    def _commit(self, message: str) -> str:
        _git(self.fleet, "add", "--all")
        _git(self.fleet, "commit", "--quiet", "-m", message)
        return _git(self.fleet, "rev-parse", "HEAD")

    def _install_template(self, disk: Disk, commit: str) -> None:
        disk.write("/etc/nix/nix.conf", _NIX_CONF)
        _git(self.fleet, "clone", "--quiet", "--no-local", str(self.fleet), str(disk.mount() / "etc/nixos"))
        (system,) = _build(disk, commit, "nixosTemplate")
        _switch_offline(disk, system)
        disk.run(f"{system}/activate")
        disk.unmount()

    def _make_vms(self, fleet: FleetCopy) -> None:
        about = [host for host in fleet.hosts() if host.name not in NOT_YET]
        taken = {host.vmid for host in fleet.hosts() if host.vmid}
        free = iter(fleet.free_vmids(taken, needed=sum(not host.vmid for host in about)))
        nodes = list(self.site.cluster.nodes)
        for index, host in enumerate(about):
            vmid, node = host.vmid or next(free), host.node or nodes[index % len(nodes)]
            fleet.set_place(host.name, vmid, node)
            guest = self.site.guest_for(self._make_vm(fleet.zones()[host.zone], host, vmid, node))
            assert isinstance(guest, Container)
            keys = (new_key(f"root@{host.name}"), new_key("fleet"))
            self._hosts.append(_Host(about=host, guest=guest, host_key=keys[0], git_key=keys[1]))

    def _make_vm(self, zone: Zone, host: FleetHost, vmid: int, node: str) -> Vm:
        template = self.site.cluster.vms[TEMPLATE_VMID]
        notes = f"pvenix-host: {host.name}\npvenix-run: seed"
        vm = clone_now(self.site, template, vmid, name=host.name, node=node, description=notes)
        mac = next(iter(vm.macs().values()))
        vm.config |= {
            "cores": host.cores, "memory": str(host.memory_mib), "onboot": 1,
            "tags": ";".join(sorted({"pvenix", *(tag.lower() for tag in host.tags)})),
            "net0": f"virtio={mac},bridge={zone.bridge}" + (f",tag={zone.vlan}" if zone.vlan else ""),
            "scsi0": str(vm.config["scsi0"]).replace("size=32G", f"size={max(host.disk_gib, 32)}G"),
            "ciuser": "tappaas", "ciupgrade": 0, "sshkeys": quote(self._operator.public.strip(), safe=""),
            "ipconfig0": f"ip={host.address},gw={zone.gateway}", "searchdomain": f"{zone.name}.internal",
            **({"nameserver": " ".join(host.dns or zone.dns)} if host.dns or zone.dns else {}),
            **({"protection": 1} if host.protect else {}),
        }  # fmt: skip
        regenerate(vm, resolver=self.site.cluster.resolver)
        vm.status, vm.pid, vm.started_at = "running", 1000 + vmid, self.site.wall()
        return vm

    @property
    def _controller(self) -> _Host:
        return next(host for host in self._hosts if host.about.controller)

    def _describe(self, fleet: FleetCopy) -> None:
        address, keys = _ip(self._controller.about), self.site.root / "keys"
        fleet.name_site(
            SiteFacts(
                name="real", endpoint=self.endpoint, ca=self.site.root / "ca.pem", token_id="pvenix@pve!lab",
                token_file=keys / "pve-token", jump_port=22, host_key=_bare(self._controller.host_key.public),
                key=keys / "operator", public_key=self._operator.public.strip(),
                repository=f"ssh://git@{address}{BARE}",
            )
        )  # fmt: skip
        site = self.fleet / "inventory/site.yaml"
        site.write_text(site.read_text().replace("jump: {host: 127.0.0.1,", f"jump: {{host: {address},"))
        for host in self._hosts:
            name = host.about.name
            fleet.write_host_file(host.about)
            (self.fleet / f"nix/hardware/{name}-hw.nix").write_text(host.guest.hardware)
            pin = f"{_bare(host.host_key.public)} {name} uuid={host.guest.vm.uuid}\n"
            (self.fleet / f"inventory/trust/{name}").write_text(pin)

    def _deploy(self, template: Disk, head: str) -> None:
        """Every host as it is after its first rebuild: generation 2 built from main, and the boot default."""
        common = Disk(root=self.site.root / "installed", base=self.base)
        template.copy_to(common)
        _git(self.fleet, "push", "--quiet", str(common.mount() / "etc/nixos"), "HEAD:refs/remotes/origin/main")
        common.run("git", "-C", "/etc/nixos", "checkout", "--quiet", "--detach", head)
        names = [f'nixosConfigurations."{host.about.name}"' for host in self._hosts]
        systems = _build(common, head, *names)
        common.unmount()
        for host, system in zip(self._hosts, systems, strict=True):
            common.copy_to(host.guest.disk)
            self._settle(host, system)

    def _settle(self, host: _Host, system: str) -> None:
        disk, vm = host.guest.disk, host.guest.vm
        _switch_offline(disk, system)
        instance = vm.cloudinit_files()["meta-data"].removeprefix("instance-id: ")
        disk.write("/var/lib/cloud/data/instance-id", instance)
        for path, key in (
            ("/etc/ssh/ssh_host_ed25519_key", host.host_key),
            ("/var/lib/fleet/id_ed25519", host.git_key),
        ):
            disk.write(path, key.private, 0o600)
            disk.write(f"{path}.pub", key.public)
        disk.run("install", "-d", "-m", "700", "-o", "tappaas", "-g", "tappaas", "/home/tappaas/.ssh")
        disk.write("/home/tappaas/.ssh/authorized_keys", self._operator.public)
        disk.unmount()

    def _write_client_files(self) -> None:
        root, controller = self.site.root, self._controller.about.name
        blocks = []
        for host in self._hosts:
            jump = "" if host is self._controller else f"  ProxyJump {controller}\n"
            blocks.append(f"Host {host.about.name}\n  HostName {_ip(host.about)}\n{jump}")
        settings = {
            "User": "tappaas", "IdentityFile": f"{root}/keys/operator", "IdentitiesOnly": "yes", "IdentityAgent": "none",
            "BatchMode": "yes", "StrictHostKeyChecking": "yes", "UserKnownHostsFile": f"{root}/known_hosts",
            "GlobalKnownHostsFile": "/dev/null", "UpdateHostKeys": "no", "LogLevel": "ERROR", "ConnectTimeout": "10",
        }  # fmt: skip
        lines = "".join(f"  {key} {value}\n" for key, value in settings.items())
        (root / "ssh_config").write_text("".join(blocks) + f"Host *\n{lines}")
        known = "".join(f"{_ip(host.about)} {_bare(host.host_key.public)}\n" for host in self._hosts)
        (root / "known_hosts").write_text(known)

    async def _found_repository(self) -> None:
        """Let in who may push, as the operator does once; then push main over SSH."""
        guest = self._controller.guest
        await _until(lambda: bool(guest.pid) and _active(guest, "fleet-repository.service"))
        owners = [("operator", self._operator.public)]
        owners += [(f"guest:{host.about.name}", host.git_key.public) for host in self._hosts]
        lines = "".join(f'restrict,command="{_SERVE} {who}" {_bare(key)} {who}\n' for who, key in owners)
        guest.agent("exec", {"command": ["install", "-d", "-m", "700", "-o", "git", "-g", "git", "/srv/git/.ssh"]})
        await _until(lambda: _try_write(guest, "/srv/git/.ssh/authorized_keys", lines))
        config = self.site.root / "ssh_config"
        _git(self.fleet, "remote", "add", "origin", f"ssh://git@{_ip(self._controller.about)}{BARE}")
        for key, value in (
            ("core.sshCommand", f"ssh -F {config}"),
            ("user.name", "operator"),
            ("user.email", "o@example.org"),
        ):
            _git(self.fleet, "config", key, value)
        await _until(lambda: _active(guest, "sshd.service"))
        _git(self.fleet, "push", "--quiet", "--set-upstream", "origin", "main")

    def _description(self) -> dict[str, Any]:
        root, tokens = self.site.root, self.site.cluster.tokens
        return {
            "version": 1, "name": "real", "fleet": str(self.fleet), "base": str(self.base),
            "pve": {"endpoint": self.endpoint, "ca": str(root / "ca.pem"), "token_id": "pvenix@pve!lab",
                    "token_secret": tokens["pvenix@pve!lab"].secret},
            "ssh": {"config": str(root / "ssh_config")},
            "guests": {h.about.name: {"vmid": h.guest.vm.vmid, "node": h.guest.vm.node, "address": _ip(h.about)} for h in self._hosts},
        }  # fmt: skip


def _build(disk: Disk, commit: str, *attributes: str) -> list[str]:
    flake = f"git+file:///etc/nixos?dir=nix&rev={commit}"
    words = [f"{flake}#{name}.config.system.build.toplevel" for name in attributes]
    return [one["outputs"]["out"] for one in json.loads(disk.run("nix", "build", "--json", "--no-link", *words))]


def _switch_offline(disk: Disk, system: str) -> None:
    disk.run("nix-env", "-p", PROFILE, "--set", system)
    disk.run(f"{system}/bin/install-bootloader", system)


def _try_write(guest: Container, path: str, text: str) -> bool:
    try:
        guest.agent("file-write", {"file": path, "content": text})
        return bool(guest.agent("exec", {"command": ["chown", "git:git", path]}))
    except Exception:  # noqa: BLE001 - the folder is not there yet; the caller gives up in time
        return False


def _active(guest: Container, unit: str) -> bool:
    return guest.agent_of_boot.text("systemctl", "is-active", unit) == "active"


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - another machine sets no event
            await asyncio.sleep(0.05)


def _ip(host: FleetHost) -> str:
    return host.address.partition("/")[0]


def _bare(line: str) -> str:
    return " ".join(line.split()[:2])


def _git(folder: Path, *words: str) -> str:
    person = ["-c", "user.name=operator", "-c", "user.email=o@example.org", "-c", "safe.directory=*"]
    done = subprocess.run(["git", *person, *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()
