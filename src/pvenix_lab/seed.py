"""Builds a site from a fleet: keys, the template, the hosts that exist, the bare repository, and a clone for the operator.

Nothing here waits for simulated time: guests come up at once, as if they had been running for long.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

from pvenix_lab.clientfiles import ClientFiles
from pvenix_lab.copytree import TreeImage
from pvenix_lab.fleetcopy import FleetCopy, FleetHost, SiteFacts
from pvenix_lab.selfregister import name_key, renew_template
from pvenix_lab.site.core import Site
from pvenix_lab.site.guest import firstboot, git, hardware, keys
from pvenix_lab.site.guest.fabric import Network, fabric_of
from pvenix_lab.site.guest.flake import FlakeTree, evaluate, evaluate_template
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.install import install, upgrade
from pvenix_lab.site.guest.vfs import VirtualRoot
from pvenix_lab.site.memorydisks import MANY
from pvenix_lab.site.pve.clone import clone_now
from pvenix_lab.site.pve.cloudinit import regenerate
from pvenix_lab.site.pve.cluster import TEMPLATE_VMID
from pvenix_lab.site.pve.nodes import fit
from pvenix_lab.site.pve.rights import ROOT

NOT_YET = frozenset({"tappaas-vllm", "tappaas-litellm"})
"""Hosts of the starter fleet that have no VM at the start: they are there to be onboarded."""
BARE = "/srv/git/tappaas-nixos-config.git"
SERVE = "/run/current-system/sw/bin/fleet-git-serve"
_UPSTREAM = f"ssh://git@tappaas-cicd.mgmt.internal{BARE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to build: `directory` of the lab, `source` of the fleet, number of extra hosts, the API's and the jump's port."""

    directory: Path
    source: Path
    hosts: int
    api_port: int
    jump_port: int


@dataclass(slots=True, kw_only=True)
class Seeded:
    """What was built."""

    name: str
    controller: str
    controller_vmid: int
    url: str
    fleet: Path
    guests: dict[str, Guest] = field(default_factory=dict)


class Seed:
    """One seeding of one site."""

    def __init__(self, site: Site, plan: Plan) -> None:
        self._site = site
        self._plan = plan
        self._fleet_dir = plan.directory / "fleet"
        self._operator = keys.new_key("operator")
        self._now = site.wall()
        self._self_registering = False

    def run(self) -> Seeded:
        """Build everything.

        Raises:
            ValueError: the fleet cannot be the lab's (no controller host, unknown zone).
            EvalError: its NixOS configuration does not evaluate.
        """
        self._write_keys()
        fleet = FleetCopy.make(self._plan.source, self._fleet_dir)
        self._git("init", "--quiet", "--initial-branch=main")
        first = self._commit("Start the fleet")
        self._install_template(first)
        zones = fleet.zones().values()
        fabric_of(self._site).networks += [
            Network(name=z.name, bridge=z.bridge, vlan=z.vlan, cidr=z.cidr, gateway=z.gateway, dns=z.dns) for z in zones
        ]
        fleet.add_hosts(self._plan.hosts)
        guests = self._make_guests(fleet)
        controller = next((host for host, _ in guests if host.controller), None)
        if controller is None:
            raise ValueError(f"{self._plan.source}: no host has `self: true`, so nothing keeps the repository")
        by_name = {host.name: guest for host, guest in guests}
        seeded = Seeded(
            name=f"lab-{self._site.seed}-{secrets.token_hex(3)}",
            controller=controller.name,
            controller_vmid=by_name[controller.name].vm.vmid,
            url=f"ssh://git@127.0.0.1:{self._plan.jump_port}{BARE}",
            fleet=self._fleet_dir,
            guests=by_name,
        )
        self._describe_site(fleet, seeded)
        self._describe_guests(fleet, guests)
        head = self._commit(f"Describe {seeded.name}")
        self._make_bare(seeded)
        self._check_out(seeded)
        self._deploy(head, by_name)
        self._finish_clone(seeded)
        return seeded

    def _write_keys(self) -> None:
        folder = self._plan.directory / "keys"
        folder.mkdir(mode=0o700, exist_ok=True)
        _secret(folder / "operator", self._operator.private)
        (folder / "operator.pub").write_text(self._operator.public)
        _secret(folder / "root-password", f"{self._site.cluster.rights.users[ROOT].password}\n")
        for name, token in self._site.cluster.tokens.items():
            _secret(folder / ("pve-token" if name.startswith("pvenix@") else "viewer-token"), token.secret + "\n")

    def _git(self, *arguments: str, cwd: Path | None = None) -> str:
        home = self._plan.directory / "home"
        home.mkdir(exist_ok=True)
        who = {"NAME": "operator", "EMAIL": "operator@lab.internal"}
        env = git.environment(home) | {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
        command = ("git", *arguments)
        done = subprocess.run(command, cwd=cwd or self._fleet_dir, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"git {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def _commit(self, message: str) -> str:
        self._git("add", "--all")
        self._git("commit", "--quiet", "-m", message)
        return self._git("rev-parse", "HEAD")

    def _flake(self, revision: str) -> FlakeTree:
        nix = self._fleet_dir / "nix"
        files = {str(path.relative_to(nix)): path.read_bytes() for path in sorted(nix.rglob("*")) if path.is_file()}
        return FlakeTree(files=files, revision=revision, modified_at=int(self._now))

    def _install_template(self, revision: str) -> None:
        found = evaluate_template(self._flake(revision))
        tree = VirtualRoot(self._site.guest_root(TEMPLATE_VMID))
        tree.root.mkdir(parents=True, exist_ok=True)
        install(tree, found.path, found.system, now=self._now - 86400)

    def _make_guests(self, fleet: FleetCopy) -> list[tuple[FleetHost, Guest]]:
        hosts = [host for host in fleet.hosts() if host.name not in NOT_YET]
        taken = {host.vmid for host in fleet.hosts() if host.vmid}
        free = iter(fleet.free_vmids(taken, needed=sum(not host.vmid for host in hosts)))
        nodes = list(self._site.cluster.nodes)
        result = []
        for index, host in enumerate(hosts):
            vmid, node = host.vmid or next(free), host.node or nodes[index % len(nodes)]
            fleet.set_place(host.name, vmid, node)
            result.append((host, self._make_guest(fleet, host, vmid, node)))
        fit(self._site.cluster)
        return result

    def _make_guest(self, fleet: FleetCopy, host: FleetHost, vmid: int, node: str) -> Guest:
        template = self._site.cluster.vms[TEMPLATE_VMID]
        notes = f"pvenix-host: {host.name}\npvenix-run: seed"
        vm = clone_now(self._site, template, vmid, name=host.name, node=node, description=notes)
        zone = fleet.zones().get(host.zone)
        if zone is None:
            raise ValueError(f"{host.name}: zone {host.zone!r} is not in inventory/site.yaml")
        mac = next(iter(vm.macs().values()))
        size = max(host.disk_gib, 32)
        dns = host.dns or zone.dns
        domain = str((fleet.site.get("site") or {}).get("domain", "internal"))
        vm.config |= {
            "cores": host.cores,
            "memory": str(host.memory_mib),
            "onboot": 1,
            "tags": ";".join(sorted({"pvenix", *(tag.lower() for tag in host.tags)})),
            "net0": f"virtio={mac},bridge={zone.bridge}" + (f",tag={zone.vlan}" if zone.vlan else ""),
            "scsi0": str(vm.config["scsi0"]).replace("size=32G", f"size={size}G"),
            "ciuser": "tappaas",
            "ciupgrade": 0,
            "sshkeys": quote(self._operator.public.strip(), safe=""),
            "ipconfig0": "ip=dhcp,ip6=auto"
            if host.address == "dhcp"
            else f"gw={zone.gateway},ip={host.address},ip6=auto",
            "searchdomain": f"{zone.name}.{domain}",
            **({"nameserver": " ".join(dns)} if dns else {}),
            **({"protection": 1} if host.protect else {}),
        }
        root = str(vm.config["scsi0"]).partition(":")[0]
        for number, (slot, storage, gib) in enumerate(host.disks, start=2):
            vm.config[slot] = f"{storage or root}:vm-{vmid}-disk-{number},size={gib}G"
        regenerate(vm, resolver=self._site.cluster.resolver)
        vm.status, vm.pid, vm.started_at = "running", 1000 + vmid, self._now
        guest = self._site.guest_for(vm)
        if not isinstance(guest, Guest):
            raise TypeError("the seed needs the lab's own guests")
        guest.boot_now()
        if not guest.addresses:
            raise ValueError(f"{host.name}: zone {host.zone} has no address left; take fewer hosts")
        return guest

    def _describe_site(self, fleet: FleetCopy, seeded: Seeded) -> None:
        directory = self._plan.directory
        self._self_registering = name_key(self._fleet_dir, host_key(seeded.guests[seeded.controller]))
        fleet.name_site(
            SiteFacts(
                name=seeded.name,
                endpoint=f"https://127.0.0.1:{self._plan.api_port}",
                ca=directory / "ca.pem",
                token_id="pvenix@pve!lab",  # noqa: S106 - the token's name, not its secret
                token_file=directory / "keys/pve-token",
                jump_port=self._plan.jump_port,
                host_key=host_key(seeded.guests[seeded.controller]),
                key=directory / "keys/operator",
                public_key=self._operator.public.strip(),
                repository=seeded.url,
            )
        )

    def _describe_guests(self, fleet: FleetCopy, guests: list[tuple[FleetHost, Guest]]) -> None:
        for name in ("nix/hosts", "nix/hardware", "inventory/trust"):
            (self._fleet_dir / name).mkdir(parents=True, exist_ok=True)
        for host, guest in guests:
            fleet.write_host_file(host)
            (self._fleet_dir / f"nix/hardware/{host.name}-hw.nix").write_text(
                hardware.hardware_config(guest.vm, guest.interfaces)
            )
            pin = f"{host_key(guest)} {host.name} uuid={guest.vm.uuid}\n"
            (self._fleet_dir / f"inventory/trust/{host.name}").write_text(pin)

    def _make_bare(self, seeded: Seeded) -> None:
        tree = seeded.guests[seeded.controller].tree
        tree.mkdir("/srv/git")
        bare = tree.real(BARE)
        self._git("clone", "--quiet", "--bare", "--template=", str(self._fleet_dir), str(bare))
        for key, value in (("receive.fsckObjects", "true"), ("receive.denyDeleteCurrent", "true")):
            self._git("config", key, value, cwd=bare)
        self._git("remote", "remove", "origin", cwd=bare)
        tree.put(f"{BARE}/hooks/update", (self._fleet_dir / "nix/files/fleet-update-hook").read_bytes(), mode=0o755)
        owners = [("operator", "operator", self._operator.public)]
        owners += [(f"guest:{n}", n, g.tree.read_text(f"{firstboot.GIT_KEY}.pub")) for n, g in seeded.guests.items()]
        lines = [f'restrict,command="{SERVE} {who}" {_bare_key(key)} {name}\n' for who, name, key in owners]
        tree.mkdir("/srv/git/.ssh", mode=0o700)
        tree.write("/srv/git/.ssh/authorized_keys", "".join(lines), mode=0o600)

    def _check_out(self, seeded: Seeded) -> None:
        """Give every disk, the template's too, a clone of main at /etc/nixos."""
        pristine = self._plan.directory / "home/etc-nixos"
        # not --local: one pack instead of a directory per loose object, which every guest would have to have
        self._git("clone", "--quiet", "--no-local", "--template=", str(self._fleet_dir), str(pristine))
        self._git("remote", "set-url", "origin", _UPSTREAM, cwd=pristine)
        # copies have other inodes and change times than the index says; without these every status would read every file
        self._git("config", "core.checkStat", "minimal", cwd=pristine)
        self._git("config", "core.trustctime", "false", cwd=pristine)
        image = TreeImage.of(pristine)
        image.place(self._site.guest_root(TEMPLATE_VMID) / "etc/nixos", share=False)
        many = self._plan.hosts > MANY
        for guest in seeded.guests.values():
            guest.tree.later("/etc/nixos", partial(image.place, share=many))
        if not many:
            shutil.rmtree(pristine)

    def _deploy(self, head: str, guests: dict[str, Guest]) -> None:
        """Generation 2 of every host: built at main, current, boot default, booted."""
        flake = self._flake(head)
        if self._self_registering:
            renew_template(self._site.guest_root(TEMPLATE_VMID), flake, now=self._now)
        for name, guest in guests.items():
            found = evaluate(flake, name)
            upgrade(guest.tree, found.path, found.system, now=self._now)
            guest.restart_now()

    def _finish_clone(self, seeded: Seeded) -> None:
        files = ClientFiles(directory=self._plan.directory, jump=seeded.controller, jump_port=self._plan.jump_port)
        files.write(self._site)
        self._git("remote", "add", "origin", seeded.url)
        self._git("config", "core.sshCommand", f"ssh -F {files.config}")
        self._git("config", "user.name", "operator")
        self._git("config", "user.email", "operator@lab.internal")
        self._git("update-ref", "refs/remotes/origin/main", "HEAD")
        self._git("branch", "--quiet", "--set-upstream-to=origin/main", "main")


def host_key(guest: Guest) -> str:
    """The guest's public host key without its comment."""
    return _bare_key(guest.tree.read_text(f"{firstboot.HOST_KEY}.pub"))


def _bare_key(line: str) -> str:
    return " ".join(line.split()[:2])


def _secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
