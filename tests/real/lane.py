"""A small real site: the CI/CD host and dns01 as guests, the fleet's repository, and pvenix's own adapters in front of them."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from pvenix.adapters.clock import SystemClock
from pvenix.adapters.git.repo import GitRepo
from pvenix.adapters.ssh.guest import SshGuest
from pvenix.engine.ports import Entry, Interface, Pve, Resources, VmConfig, VmState
from pvenix.engine.step import Step
from pvenix.engine.trust import TrustStore
from pvenix.fleet.load import load_fleet
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.names import CommitId, NodeName, Vmid
from tests.contract.ssh_server import key_pair, public_line
from tests.real import fleet
from tests.real.machine import USER, Machine, copy_tree, free_port, make_root

BARE: Final = "/srv/git/tappaas-nixos-config.git"
AUTHOR: Final = "Op <op@example.org>"
CICD: Final = "tappaas-cicd"
HOST: Final = "dns01"
VMIDS: Final = {CICD: 130, HOST: 210}

_SITE: Final = """\
apiVersion: pvenix/v1
kind: Site
site: {{name: real, domain: internal}}
clusters:
  none:
    endpoints: [https://pve1.mgmt.internal:8006]
    tls: {{system: true}}
    auth: {{token_id: pvenix@pve!ci, token_secret: {{env: TOKEN}}}}
    vmid: {{range: [200, 499], reserve: [130]}}
templates:
  nixos: {{cluster: none, vmid: 8100}}
classes:
  small: {{cores: 2, memory: 4G, disk: 32G}}
roles:
  base: {{modules: [role-base]}}
access: {{user: {user}, port: {port}, key: {{file: {key}}}}}
repository:
  url: ssh://git@{cicd}:{port}{bare}
  branch: main
  key: {{file: {key}}}
defaults: {{class: small, template: nixos, install: clone, network: {{bridge: lan}}}}
"""
_HOSTS: Final = """\
all:
  children:
    core:
      hosts:
        tappaas-cicd: {{machine: {{roles: [base], self: true, proxmox: {{vmid: 130}}, network: {{address: {cicd}/8}}}}}}
        dns01: {{machine: {{roles: [base], network: {{address: {host}/8}}}}}}
"""


@dataclass(frozen=True, kw_only=True)
class Image:
    """What every test starts from; made once. `root` is an installed host at `commit`, switched off."""

    folder: Path
    root: Path
    checkout: Path
    commit: str
    operator: Path
    port: int
    addresses: Mapping[str, str]

    @classmethod
    def make(cls, folder: Path) -> Image:
        """Install dns01 with the real Nix: built from its /etc/nixos, generation 1, running."""
        operator, port, net = folder / "operator", free_port(), f"127.{random.randint(2, 254)}.{random.randint(2, 254)}"
        operator.with_suffix(".pub").write_text(public_line(key_pair(operator)) + "\n")
        addresses = {CICD: f"{net}.1", HOST: f"{net}.2"}
        inventory = {
            "inventory/site.yaml": _SITE.format(user=USER, port=port, key=operator, cicd=addresses[CICD], bare=BARE),
            "inventory/hosts.yaml": _HOSTS.format(cicd=addresses[CICD], host=addresses[HOST]),
        }
        commit = fleet.make_fleet(folder / "fleet", inventory)
        make_root(folder / "image")
        image = cls(
            folder=folder, root=folder / "image", checkout=folder / "fleet", commit=commit, operator=operator, port=port,
            addresses=addresses,
        )  # fmt: skip
        image._install()
        return image

    def _install(self) -> None:
        fleet.git(self.folder, "clone", "--quiet", "--bare", str(self.checkout), "fleet.git")
        fleet.git(self.folder, "clone", "--quiet", "--no-local", str(self.checkout), str(self.root / "etc/nixos"))
        (self.root / "etc/hardware.nix").write_text(fleet.hardware())
        machine = Machine(
            name="image", root=self.root, address=self.addresses[HOST], port=self.port, operator=self.operator
        )
        machine.start()
        system = machine.build(fleet.system_of(HOST, self.commit))
        machine.console("nix-env", "-p", "/nix/var/nix/profiles/system", "--set", system)
        machine.console(f"{system}/bin/switch-to-configuration", "switch")
        machine.stop()
        for key in (self.root / "etc/ssh").glob("ssh_host_*"):
            key.unlink()


@dataclass(kw_only=True)
class Listing:
    """The one thing that is not real here, Proxmox: two running VMs whose guest agents read files."""

    machines: Mapping[str, Machine]

    async def resources(self) -> Resources:
        vms = tuple(
            VmState(
                vmid=Vmid(VMIDS[name]), node=NodeName("pve1"), name=name, status="running", template=False,
                tags=("pvenix",), memory_max=1 << 32,
            )
            for name in self.machines
        )  # fmt: skip
        return Resources(nodes=(), vms=vms, storages=())

    async def config(self, node: NodeName, vmid: Vmid) -> VmConfig | None:
        name = next((name for name in self.machines if VMIDS[name] == vmid), None)
        if name is None:
            return None
        return VmConfig(values={"name": name, "description": f"pvenix-host: {name}"}, digest="d")

    async def agent_read_file(self, node: NodeName, vmid: Vmid, path: str) -> str | None:
        name = next(name for name in self.machines if VMIDS[name] == vmid)
        done = self.machines[name].console("cat", path, check=False)
        return done.stdout if done.returncode == 0 else None

    async def agent_interfaces(self, node: NodeName, vmid: Vmid) -> tuple[Interface, ...]:
        return ()


@dataclass
class Record:
    """What a step told, sent and wrote into its journal."""

    told: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    shown: str = ""
    entries_: list[Entry] = field(default_factory=list)

    def show(self, channel: str, text: str, writes: bool) -> None:
        (self.sent if writes else self.asked).append(text)

    def output(self, text: str) -> None:
        self.shown += text

    async def intent(self, host: str, step: str, **data: str) -> None:
        self.evidence(host, step, **data)

    def evidence(self, host: str, step: str, **data: str) -> None:
        self.entries_.append(Entry(seq=len(self.entries_), host=host, step=step, what="intent", data=data))

    async def result(self, host: str, step: str, **data: str) -> None:
        self.evidence(host, step, **data)

    def entries(self) -> tuple[Entry, ...]:
        return tuple(self.entries_)


@dataclass(kw_only=True)
class Lane:
    """Running guests and a World on them."""

    image: Image
    folder: Path
    machines: dict[str, Machine] = field(default_factory=dict)
    guest: SshGuest = field(default_factory=SshGuest)
    bare: Path | None = None
    """A repository of this machine instead of the CI/CD host's."""
    _world: World | None = None
    _runs: int = 0

    def start(self, *names: str, root: Path | None = None) -> None:
        """Clone and boot these guests, from the image or from `root`, a guest that is off."""
        for name in names:
            copy_tree(root or self.image.root, self.folder / name)
            self.machines[name] = Machine(
                name=name, root=self.folder / name, address=self.image.addresses[name], port=self.image.port,
                operator=self.image.operator,
            )  # fmt: skip
            self.machines[name].start()

    @property
    def host(self) -> Machine:
        """dns01."""
        return self.machines[HOST]

    @property
    def cicd(self) -> Machine:
        """The CI/CD host."""
        return self.machines[CICD]

    def keep_repository_here(self) -> Path:
        """A bare repository on this machine, for stories in which the way to it plays no part."""
        self.bare = self.folder / "fleet.git"
        copy_tree(self.image.folder / "fleet.git", self.bare)
        return self.bare

    @property
    def world(self) -> World:
        """What the verbs work on; every guest that runs is pinned."""
        if self._world is None:
            trust = TrustStore(fleet=self.image.checkout, local=self.folder / "trust")
            (self.folder / "trust").mkdir()
            for name, machine in self.machines.items():
                (self.folder / "trust" / name).write_text(f"{machine.host_key} {name}\n")
            found = load_fleet(self.image.checkout)
            repository = found.site.repository
            assert repository is not None
            repo = GitRepo(
                url=str(self.bare) if self.bare else repository.url, branch="main", cache_dir=self.folder / "cache",
                key_file=self.image.operator, author=AUTHOR, host_key="" if self.bare else self.cicd.host_key,
            )  # fmt: skip
            pve = cast("Pve", Listing(machines=self.machines))
            self._world = World(fleet=found, pve=pve, guest=self.guest, repo=repo, clock=SystemClock(), trust=trust)
        return self._world

    def step(self, verb: str, name: str = HOST, **facts: str) -> tuple[Step, Record]:
        """A step of a new run on `name`, and where it writes to."""
        self._runs += 1
        record = Record()
        step = Step(
            run=f"r{self._runs}", host=name, id=f"0.0.{verb}", verb=verb, args={}, check=False, facts=facts,
            journal=record, tell=record.told.append, show=record.show, output=record.output,
        )  # fmt: skip
        return step, record

    async def remote(self, name: str = HOST) -> tuple[Remote, Record]:
        """pvenix's session to a guest, for single commands."""
        step, record = self.step("look", name)
        return await self.world.remote(step), record

    async def change(self, files: Mapping[str, str | None], message: str = "Change") -> CommitId:
        """A new commit on main, as an operator pushes it; the next step sees it."""
        repo = self.world.repo
        commit = await repo.commit("main", await repo.fetch(), files, message=message)
        self.world._fetched = False
        return commit

    async def close(self) -> None:
        """Leave nothing."""
        if self._world is not None:
            await self._world.repo.close()
        await self.guest.close()
        for machine in self.machines.values():
            machine.close()

    # --- beside pvenix -----------------------------------------------------------------------------------------------

    def plain_ssh(self, machine: Machine, *words: str, user: str = USER, key: Path | None = None) -> str:
        """The command of OpenSSH for a machine."""
        known = self.folder / "known_hosts"
        known.write_text(f"[{machine.address}]:{machine.port} {machine.host_key}\n")
        options = ["-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known}", "-o", "IdentitiesOnly=yes"]
        where = ["-i", str(key or self.image.operator), "-p", str(machine.port)]
        return " ".join(["ssh", *options, *where, *([f"{user}@{machine.address}", *words] if words else [])])

    def push(self, checkout: Path, refspec: str, key: Path) -> subprocess.CompletedProcess[str]:
        """Plain git pushes to the CI/CD host with `key`."""
        url = f"ssh://git@{self.cicd.address}:{self.cicd.port}{BARE}"
        return subprocess.run(
            ["git", "push", "--porcelain", url, refspec], cwd=checkout, check=False, capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin", "GIT_SSH_COMMAND": self.plain_ssh(self.cicd, key=key), "LC_ALL": "C.UTF-8",
                 "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self.folder)},
        )  # fmt: skip
