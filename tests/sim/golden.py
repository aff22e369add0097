"""A site seeded once, copied for every seed: the lab's own seed makes it, so the two start alike."""

from __future__ import annotations

import copy
import dataclasses
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pvenix.fleet.load import Fleet, load_fleet
from pvenix.model.names import CommitId
from pvenix_lab.seed import Plan, Seed
from pvenix_lab.site.core import Site
from pvenix_lab.site.disk import NOT_ON_DISK, clone_disk
from pvenix_lab.site.faults import Faults
from pvenix_lab.site.guest.fabric import Fabric, fabric_of
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.memnodes import Dir, load
from pvenix_lab.site.pve.cluster import TEMPLATE_VMID, Cluster
from pvenix_lab.site.pve.vm import Vm
from pvenix_lab.site.whole import new_guest, whole_site
from tests.contract.git_objects import Stored
from tests.sim.gitless import check_out
from tests.sim.memtree import Disks, MemoryTree
from tests.sim.records import SimRemote
from tests.sim.virtual import run_virtual

ROOT: Final = Path(__file__).parents[2]
EPOCH: Final = 1_767_225_600
"""2026-01-01, where the sites' clocks start."""
CONTROLLER: Final = "tappaas-cicd"
NEWCOMERS: Final = ("tappaas-litellm", "tappaas-vllm")
WITH_DEVICE: Final = "tappaas-vllm"
"""The newcomer that needs a PCI device, which only one node has."""
RESIDENTS: Final = ("dns01", "docker01")
STRANGER: Final = 230
"""The id of a VM that is not ours and stands in the middle of the ids that we allocate from."""
NAMESAKE: Final = 240
"""The id of somebody else's VM that has the name of one of our newcomers."""


def workplace() -> Path:
    """A fresh directory in memory where there is one."""
    shm = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="pvenix-sim-", dir=shm if shm.is_dir() else None))


@dataclass(frozen=True, kw_only=True)
class Golden:
    """What is copied: the disks, the cluster's state, the fleet as the operator's checkout has it, its history."""

    root: Path
    fleet: Fleet
    cluster: Cluster
    fabric: Fabric
    commits: tuple[Stored, ...]
    vmids: dict[str, int]
    disks: dict[int, Dir]
    """The same disks in memory, with the git of `gitless`."""

    @classmethod
    def make(cls) -> Golden:
        """Seed a site."""
        return run_virtual(_make())

    def remove(self) -> None:
        """Take the files away."""
        shutil.rmtree(self.root, ignore_errors=True)

    def remote(self) -> SimRemote:
        """The repository as seeded."""
        remote = SimRemote(clock=max(commit.at for commit in self.commits))
        remote.commits = {commit.id: commit for commit in self.commits}
        remote.refs = {"refs/heads/main": self.commits[0].id}
        return remote

    def site(self, root: Path, seed: int, *, real_files: bool = False) -> Site:
        """A copy of the site below `root`, not started; `boot` lets its guests run.

        Its disks are in memory, or with `real_files` directories as in the lab.
        """
        disks = Disks({root / "guests" / str(vmid): top.copy() for vmid, top in self.disks.items()})
        site = Site(
            root=root,
            seed=seed,
            wall=lambda: EPOCH + _loop_time(),
            guest_factory=new_guest if real_files else disks.guest,
            clone_disk=clone_disk if real_files else disks.clone,
            faults=Faults,
        )
        site.cluster = copy.deepcopy(self.cluster)
        fabric = fabric_of(site)
        fabric.networks = list(self.fabric.networks)
        fabric.leases = dict(self.fabric.leases)
        return site

    def boot(self, site: Site, hosts: tuple[str, ...], *, real_files: bool = False) -> None:
        """Let `hosts` run, with disks as seeded; the other VMs only exist on paper."""
        for vmid in (TEMPLATE_VMID, *(self.vmids[host] for host in hosts)) if real_files else ():
            clone_disk(site, self.root / "guests" / str(vmid), site.guest_root(vmid))
        for host in hosts:
            guest = site.guest_for(site.cluster.vms[self.vmids[host]])
            assert isinstance(guest, Guest)
            guest.boot_now()


def _loop_time() -> float:
    import asyncio

    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0


async def _make() -> Golden:
    root = workplace()
    async with whole_site(root=root, wall=lambda: float(EPOCH)) as site:
        seeded = Seed(site, Plan(directory=root, source=ROOT, hosts=0, api_port=1, jump_port=2)).run()
        _add_strangers(site.cluster)
        vmids = {name: guest.vm.vmid for name, guest in seeded.guests.items()}
        cluster, fabric = copy.deepcopy(site.cluster), copy.deepcopy(fabric_of(site))
        site.guests.clear()  # they go on as copies
    commits = _history(seeded.fleet)
    return Golden(
        root=root,
        fleet=load_fleet(seeded.fleet),
        cluster=cluster,
        fabric=fabric,
        commits=commits,
        vmids=vmids,
        disks={vmid: _disk(root, vmid, commits) for vmid in (TEMPLATE_VMID, *vmids.values())},
    )


def _disk(root: Path, vmid: int, commits: tuple[Stored, ...]) -> Dir:
    """A seeded disk in memory, /etc/nixos a clone at the newest commit."""
    path = root / "guests" / str(vmid)
    tree = MemoryTree(path, load(path).copy(without=NOT_ON_DISK), lambda: float(EPOCH))
    files = {name: content for name, (_, content) in commits[0].files.items()}
    check_out(tree, commits[0].id, [commit.id for commit in commits], files)
    return tree.memory.top


def _add_strangers(cluster: Cluster) -> None:
    """Two VMs of somebody else: one on an id in our range, one with a name that the inventory has."""
    pattern = next(vm for vm in cluster.vms.values() if vm.name == RESIDENTS[0])
    for vmid, name in ((STRANGER, "precious"), (NAMESAKE, NEWCOMERS[0])):
        config = {
            **pattern.config,
            "name": name,
            "description": "please do not touch",
            "tags": "theirs",
            "smbios1": f"uuid=0000{vmid}-0000-4000-8000-000000000000",
            "scsi0": f"tanka1:vm-{vmid}-disk-0,size=8G",
            "ide2": f"tanka1:vm-{vmid}-cloudinit,media=cdrom",
            "net0": f"virtio=02:00:00:00:0{vmid // 100}:{vmid % 100:02d},bridge=lan",
        }
        cluster.vms[vmid] = dataclasses.replace(
            pattern, vmid=vmid, config=config, pending={}, status="stopped", pid=None, cloudinit={}
        )


def _history(fleet: Path) -> tuple[Stored, ...]:
    """The commits of the seeded fleet, newest first, with their own ids."""
    commits = []
    for line in _git(fleet, "log", "--format=%H|%P|%an <%ae>|%ct|%s", "main").splitlines():
        commit, parents, author, at, subject = line.split("|", 4)
        stored = Stored(
            id=CommitId(commit),
            parents=tuple(CommitId(parent) for parent in parents.split()),
            files=_files(fleet, commit),
            author=author,
            message=f"{subject}\n",
            at=int(at),
        )
        commits.append(stored)
    return tuple(commits)


def _files(fleet: Path, commit: str) -> dict[str, tuple[str, bytes]]:
    found = {}
    for entry in _git(fleet, "ls-tree", "-r", commit).splitlines():
        meta, _, path = entry.partition("\t")
        mode, _, blob = meta.split()
        found[path] = (mode, _git(fleet, "cat-file", "blob", blob).encode())
    return found


def _git(fleet: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=fleet, check=True, capture_output=True, text=True).stdout


def stranger_vms(cluster: Cluster) -> dict[int, Vm]:
    """The VMs that nobody may touch: the strangers and the template."""
    return {vmid: cluster.vms[vmid] for vmid in (STRANGER, NAMESAKE, TEMPLATE_VMID) if vmid in cluster.vms}
