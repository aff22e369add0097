"""Whatever is asked of VMs, in whatever order: every volume that is named exists, and every disk that exists is named."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.drives import UNUSED, parse_drive
from pvenix_lab.site.pve.vm import DISK_KEY
from tests.lab.pve_support import PveLab, in_lab

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STEPS = 40
NODES = ("tappaas1", "tappaas2", "tappaas3")
KINDS = (
    *("create", "clone", "config", "config", "detach", "unlink", "snapshot", "back", "drop", "move", "over", "start"),
    *("stop", "suspend", "resume", "migrate", "destroy", "template", "resize"),
)
STORAGES = ("tanka1", "tankb1", "local-lvm", "tankc1")


def named(config: Mapping[str, object]) -> set[str]:
    """The volumes that a configuration names."""
    drives = (parse_drive(str(v)) for k, v in config.items() if v and (DISK_KEY.match(k) or UNUSED.fullmatch(k)))
    return {drive["file"] for drive in drives if ":" in drive["file"]} | {
        str(v) for k, v in config.items() if k == "vmstate"
    }


def check(lab: PveLab) -> None:
    """The invariants of a site at rest."""
    cluster = lab.site.cluster
    volumes.enter(cluster)
    wanted: set[tuple[str, str]] = set()
    for vm in cluster.vms.values():
        assert vm.lock in {None, "suspended"}, (vm.vmid, vm.lock)
        configs: list[Mapping[str, object]] = [vm.config, vm.pending, *(s.config for s in vm.snapshots.values())]
        for config in configs:
            for volid in named(config):
                found = volumes.find(cluster, vm.node, volid)
                if found is None and "cloudinit" in volid and config is not vm.config:
                    continue  # freed with the drive, whatever a snapshot says
                assert found is not None, (vm.vmid, vm.node, volid)
                assert found.vmid == vm.vmid
                wanted.add((found.node, found.volid))
    left = {key for key, volume in cluster.volumes.entries.items() if not volume.base} - wanted
    assert left == set()  # a base stays as long as clones hang from it, also when its disk was moved
    assert not any(lock.writer or lock.readers for lock in cluster.locks.values())
    for volume in cluster.volumes.entries.values():
        assert volume.parent is None or any(
            volume in volumes.children(cluster, v) for v in cluster.volumes.entries.values()
        )


class Walk:
    """A random walk over the calls of a VM's life; most steps may be refused."""

    def __init__(self, lab: PveLab, seed: int) -> None:
        self.lab = lab
        self.rng = random.Random(seed)

    async def step(self) -> None:
        """One random call on a random VM."""
        vms = list(self.lab.site.cluster.vms.values())
        vm = self.rng.choice(vms)
        kind = self.rng.choice(KINDS)
        await getattr(self, kind)(f"/nodes/{vm.node}/qemu/{vm.vmid}", vm.vmid)

    async def call(self, method: str, path: str, **params: str) -> None:
        """Make a call and wait for its task; a refusal is fine."""
        response = await self.lab.ask(method, path, **params)
        assert response.status in {200, 400, 403, 500}, response
        if str(response.data).startswith("UPID"):
            await self.lab.finished(str(response.data))

    def free_id(self) -> str:
        return str(self.rng.randrange(300, 312))

    def storage(self) -> str:
        return self.rng.choice(STORAGES)

    def disk(self) -> str:
        return f"{self.storage()}:{self.rng.randrange(1, 4)}{self.rng.choice(('', ',format=qcow2'))}"

    def key(self) -> str:
        return self.rng.choice(("scsi0", "scsi1", "sata0", "ide2", "efidisk0", "unused0"))

    async def create(self, _path: str, _vmid: int) -> None:
        path = f"/nodes/{self.rng.choice(NODES)}/qemu"
        await self.call("POST", path, vmid=self.free_id(), scsi0=self.disk(), ide2=f"{self.storage()}:cloudinit")

    async def clone(self, path: str, _vmid: int) -> None:
        params = {"newid": self.free_id(), "target": self.rng.choice(NODES)}
        full = {"full": "1", "storage": self.storage()} if self.rng.random() < 0.5 else {}
        await self.call("POST", f"{path}/clone", **params, **full)

    async def config(self, path: str, _vmid: int) -> None:
        await self.call("PUT", f"{path}/config", **{self.rng.choice(("scsi0", "scsi1", "sata0")): self.disk()})

    async def detach(self, path: str, _vmid: int) -> None:
        await self.call("PUT", f"{path}/config", delete=self.key(), force=str(self.rng.randrange(2)))

    async def unlink(self, path: str, _vmid: int) -> None:
        await self.call("PUT", f"{path}/unlink", idlist=self.key(), force=str(self.rng.randrange(2)))

    def name(self) -> str:
        return self.rng.choice(("one", "two"))

    async def snapshot(self, path: str, _vmid: int) -> None:
        await self.call("POST", f"{path}/snapshot", snapname=self.name(), vmstate=str(self.rng.randrange(2)))

    async def back(self, path: str, _vmid: int) -> None:
        await self.call("POST", f"{path}/snapshot/{self.name()}/rollback")

    async def drop(self, path: str, _vmid: int) -> None:
        await self.call("DELETE", f"{path}/snapshot/{self.name()}")

    async def move(self, path: str, _vmid: int) -> None:
        delete = str(self.rng.randrange(2))
        await self.call("POST", f"{path}/move_disk", disk=self.key(), storage=self.storage(), delete=delete)

    async def over(self, path: str, _vmid: int) -> None:
        other = str(self.rng.choice(list(self.lab.site.cluster.vms)))
        params = {"disk": self.key(), "target_vmid": other, "target_disk": self.rng.choice(("scsi3", "unused7"))}
        await self.call("POST", f"{path}/move_disk", **params)

    async def start(self, path: str, _vmid: int) -> None:
        await self.call("POST", f"{path}/status/start")

    async def stop(self, path: str, _vmid: int) -> None:
        await self.call("POST", f"{path}/status/stop")

    async def suspend(self, path: str, _vmid: int) -> None:
        await self.call("POST", f"{path}/status/suspend", todisk=str(self.rng.randrange(2)))

    async def resume(self, path: str, _vmid: int) -> None:
        await self.call("POST", f"{path}/status/resume")

    async def migrate(self, path: str, _vmid: int) -> None:
        params = {"target": self.rng.choice(NODES), "online": "1", "with-local-disks": "1"}
        await self.call("POST", f"{path}/migrate", **params)

    async def destroy(self, path: str, vmid: int) -> None:
        if vmid != 8100:
            await self.call("DELETE", path)

    async def template(self, path: str, _vmid: int) -> None:
        await self.call("POST", f"{path}/template")

    async def resize(self, path: str, _vmid: int) -> None:
        await self.call("PUT", f"{path}/resize", disk=self.key(), size="+1G")


@pytest.mark.parametrize("seed", range(40))
def test_no_call_loses_a_volume_or_leaves_one_behind(tmp_path: Path, seed: int) -> None:
    async def story(lab: PveLab) -> None:
        walk = Walk(lab, seed)
        for _ in range(STEPS):
            await walk.step()
            check(lab)

    in_lab(tmp_path, story)


@pytest.mark.parametrize("seed", range(20))
def test_calls_at_the_same_time_lose_nothing_either(tmp_path: Path, seed: int) -> None:
    async def story(lab: PveLab) -> None:
        async def one(number: int) -> None:
            walk = Walk(lab, seed * 10 + number)
            for _ in range(STEPS):
                await walk.step()

        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(one(number))
        check(lab)

    in_lab(tmp_path, story)
