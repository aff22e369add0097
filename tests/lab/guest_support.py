"""A site with the starter fleet's template installed, for tests that run programs on a guest without sockets."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pvenix_lab.site.core import Site
from pvenix_lab.site.guest import git
from pvenix_lab.site.guest.flake import FlakeTree, evaluate_template
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.install import install
from pvenix_lab.site.guest.streams import BytesReader, BytesWriter
from pvenix_lab.site.guest.vfs import VirtualRoot
from pvenix_lab.site.pve.vm import Vm

FLEET = Path(__file__).resolve().parents[2]
UUID = "11111111-2222-4333-8444-555555555555"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """The result of a program."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What every test of the guests starts from: the fleet's repository, the template's disk, the commit of main."""

    fleet: Path
    disk: Path
    commit: str


def run_git(directory: Path, *arguments: str) -> str:
    """Run git in a directory of the test, with an identity and no configuration of the machine."""
    env = git.environment(directory) | {
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@example.org",
    }
    done = subprocess.run(("git", *arguments), cwd=directory, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make_fleet(directory: Path) -> str:
    """A repository with the starter fleet at `directory`; returns the commit of main."""
    for name in ("inventory", "nix"):
        shutil.copytree(FLEET / name, directory / name)
    run_git(directory, "init", "--quiet")
    return commit(directory, "starter fleet")


def commit(directory: Path, message: str) -> str:
    """Commit everything and return the commit."""
    run_git(directory, "add", "--all")
    run_git(directory, "commit", "--quiet", "-m", message)
    return run_git(directory, "rev-parse", "HEAD")


def make_disk(site: Site, fleet: Path, root: Path) -> None:
    """Install the template's system."""
    nix = fleet / "nix"
    files = {str(path.relative_to(nix)): path.read_bytes() for path in nix.rglob("*") if path.is_file()}
    found = evaluate_template(FlakeTree(files=files, revision="a" * 40, modified_at=0))
    tree = VirtualRoot(root)
    install(tree, found.path, found.system, now=site.wall())


def vm_of(name: str, vmid: int = 200, address: str = "ip=10.69.13.5/24,gw=10.69.13.1") -> Vm:
    """A VM as a clone of the template, with a generated cloud-init drive."""
    vm = Vm(
        vmid=vmid,
        node="tappaas1",
        status="running",
        config={
            "name": name,
            "agent": "1",
            "bios": "ovmf",
            "cpu": "host",
            "machine": "q35",
            "ide2": f"tanka1:vm-{vmid}-cloudinit,media=cdrom",
            "scsihw": "virtio-scsi-pci",
            "scsi0": f"tanka1:vm-{vmid}-disk-1,size=32G",
            "net0": "virtio=BC:24:11:AA:BB:CC,bridge=lan,tag=13",
            "ipconfig0": address,
            "smbios1": f"uuid={UUID}",
        },
    )
    give_cloud_init(vm, instance="one", key="ssh-ed25519 AAAAC3Nza operator")
    return vm


def give_cloud_init(vm: Vm, *, instance: str, key: str) -> None:
    """Generate the drive with this instance id and this key of the administrator."""
    vm.cloudinit = {
        "user-data": f"#cloud-config\nhostname: {vm.name}\nuser: tappaas\nssh_authorized_keys:\n  - {key}\n",
        "meta-data": f"instance-id: {instance}\n",
        "network-config": "version: 1\nconfig:\n    - type: physical\n      name: eth0\n"
        "      mac_address: 'bc:24:11:aa:bb:cc'\n      subnets:\n      - type: static\n"
        "        address: '10.69.13.5'\n        netmask: '255.255.255.0'\n",
        "vendor-data": "",
    }


async def run(guest: Guest, *argv: str, user: str = "tappaas", stdin: bytes = b"") -> Ran:
    """Run a program as over one exec channel."""
    out, err = BytesWriter(), BytesWriter()
    status = await guest.run(argv, BytesReader(stdin), out, err, user=user)
    return Ran(status=status, out=out.text, err=err.text)


async def root(guest: Guest, *argv: str, stdin: bytes = b"") -> Ran:
    """Run a program through sudo."""
    return await run(guest, "sudo", "-n", *argv, stdin=stdin)


def flake_of(commit: str, host: str = "dns01") -> str:
    """The installable that pvenix builds for a host."""
    return f'git+file:///etc/nixos?dir=nix&rev={commit}#nixosConfigurations."{host}".config.system.build.toplevel'


async def build(guest: Guest, commit: str, host: str = "dns01") -> str:
    """Build a host's system on the guest and return its store path."""
    ran = await root(guest, "nix", "build", "--json", "--out-link", "/tmp/new", flake_of(commit, host))
    assert ran.status == 0, ran.err
    path: str = json.loads(ran.out)[0]["outputs"]["out"]
    return path


def edit(guest: Guest, name: str, text: str) -> str:
    """Write a file of the guest's /etc/nixos, commit everything there, and return the commit."""
    path = guest.root / "etc/nixos" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return commit(guest.root / "etc/nixos", f"edit {name}")
