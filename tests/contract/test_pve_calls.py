"""What every Pve must do when an answer is lost before or after its effect, or is a refusal or an error, at every call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import pytest

from pvenix.engine.ports import AgentPort, ClusterPort, NewVm, Pve, VmPort
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, Unreachable
from pvenix_lab.site.faults import FOREVER
from pvenix_lab.site.pve.cluster import PROVISIONER_ROLE, Pool
from pvenix_lab.site.pve.volumes import Volume
from tests.contract.methods import methods_of
from tests.contract.pve_worlds import NEW, NODE, OTHER, TEMPLATE, PveWorld

Look = Callable[[PveWorld], Awaitable[object]]
KEY_FILE: Final = "/etc/ssh/ssh_host_ed25519_key.pub"
POOL: Final = "prod"
JOB: Final = "backup-1234abcd-5678"
KEPT: Final = f"local:backup/vzdump-qemu-{NEW}-2026_01_01-00_00_00.vma.zst"
SUM: Final = "0f" * 32
URL: Final = "https://example.org/nixos.iso"


@dataclass(frozen=True, kw_only=True)
class Read:
    """A call that changes nothing; `path` tells its request from others."""

    ask: Callable[[Pve], Awaitable[object]]
    path: str
    on: bool = False
    """Whether it needs the new VM to run."""


@dataclass(frozen=True, kw_only=True)
class Write:
    """A call that changes something: `look` says before and after what that is."""

    ask: Callable[[Pve], Awaitable[object]]
    method: str
    path: str
    look: Look
    on: bool = False
    cloned: bool = True
    """Whether it needs the new VM to be there."""
    snapshot: bool = False
    """Whether it needs a snapshot of it."""
    judged_late: bool = False
    """Whether Proxmox lets everybody ask and refuses while it works on it, so that the call counts as one that came in."""
    ha: bool = False
    """Whether the HA manager has to keep it."""


async def _pool(world: PveWorld) -> object:
    return world.site.cluster.vms[NEW].pool


async def _value(world: PveWorld, key: str) -> object:
    config = await world.pve.config(NODE, NEW)
    return config and config.values.get(key)


async def _tasks(world: PveWorld, kind: str) -> int:
    return sum(task.kind == kind for task in await world.pve.tasks_of(NODE, NEW))


async def _drive(world: PveWorld) -> object:
    return dict(world.site.cluster.vms[NEW].cloudinit)


async def _status(world: PveWorld) -> object:
    return (await world.pve.power(NODE, NEW)).status


async def _names(world: PveWorld) -> object:
    return [snapshot.name for snapshot in await world.pve.snapshots(NODE, NEW)]


async def _place(world: PveWorld) -> object:
    return await world.pve.config(NODE, NEW) is None


async def _images(world: PveWorld) -> object:
    return len(await world.pve.volumes(NODE, "local", content="iso"))


async def _backups(world: PveWorld) -> object:
    return len(await world.pve.volumes(NODE, "local", content="backup"))


async def _job(world: PveWorld) -> object:
    return [job.vmids for job in await world.pve.backup_jobs()]


READS: Final = {
    "version": Read(ask=lambda pve: pve.version(), path="/version"),
    "quorum": Read(ask=lambda pve: pve.quorum(), path="/cluster/status"),
    "resources": Read(ask=lambda pve: pve.resources(), path="/cluster/resources"),
    "bridges": Read(ask=lambda pve: pve.bridges(NODE), path="/network"),
    "pools": Read(ask=lambda pve: pve.pools(), path="/pools"),
    "volumes": Read(ask=lambda pve: pve.volumes(NODE, "tanka1", vmid=TEMPLATE), path="/content"),
    "backup_jobs": Read(ask=lambda pve: pve.backup_jobs(), path="/cluster/backup"),
    "replication_jobs": Read(ask=lambda pve: pve.replication_jobs(), path="/cluster/replication"),
    "ha_resources": Read(ask=lambda pve: pve.ha_resources(), path="/cluster/ha/resources"),
    "permissions": Read(ask=lambda pve: pve.permissions(), path="/access/permissions"),
    "pci_mappings": Read(ask=lambda pve: pve.pci_mappings(), path="/cluster/mapping/pci"),
    "config": Read(ask=lambda pve: pve.config(NODE, TEMPLATE), path="/config"),
    "cloudinit_file": Read(ask=lambda pve: pve.cloudinit_file(NODE, TEMPLATE, "user"), path="/cloudinit/dump"),
    "migration": Read(ask=lambda pve: pve.migration(NODE, TEMPLATE), path="/migrate"),
    "pending": Read(ask=lambda pve: pve.pending(NODE, TEMPLATE), path="/pending"),
    "power": Read(ask=lambda pve: pve.power(NODE, TEMPLATE), path="/status/current"),
    "snapshots": Read(ask=lambda pve: pve.snapshots(NODE, TEMPLATE), path="/snapshot"),
    "tasks_of": Read(ask=lambda pve: pve.tasks_of(NODE, TEMPLATE), path="/tasks"),
    "agent_interfaces": Read(
        ask=lambda pve: pve.agent_interfaces(NODE, NEW), path="/agent/network-get-interfaces", on=True
    ),
    "agent_read_file": Read(
        ask=lambda pve: pve.agent_read_file(NODE, NEW, KEY_FILE), path="/agent/file-read", on=True
    ),
}  # fmt: skip
WRITES: Final = {
    "clone": Write(
        ask=lambda pve: pve.clone(NODE, TEMPLATE, NewVm(vmid=NEW, name="dns01", description="")), method="POST",
        path="/clone", look=lambda world: _value(world, "name"), cloned=False,
    ),
    "create": Write(
        ask=lambda pve: pve.create(NODE, NEW, {"name": "dns01", "scsi0": "tanka1:4", "net0": "virtio,bridge=lan"}),
        method="POST", path="/nodes/tappaas1/qemu", look=lambda world: _value(world, "name"), cloned=False, judged_late=True,
    ),
    "move_disk": Write(
        ask=lambda pve: pve.move_disk(NODE, NEW, "scsi0", "tankb1"), method="POST", path="/move_disk",
        look=lambda world: _value(world, "scsi0"),
    ),
    "migrate": Write(
        ask=lambda pve: pve.migrate(NODE, NEW, OTHER, online=False, local_disks=False), method="POST", path="/migrate",
        look=_place,
    ),
    "put_in_pool": Write(
        ask=lambda pve: pve.put_in_pool(NEW, POOL), method="PUT", path="/pools",
        look=_pool,
    ),
    "make_template": Write(
        ask=lambda pve: pve.make_template(NODE, NEW), method="POST", path="/template",
        look=lambda world: _value(world, "template"),
    ),
    "take_snapshot": Write(
        ask=lambda pve: pve.take_snapshot(NODE, NEW, "second", description="", memory=False), method="POST",
        path="/snapshot", look=_names,
    ),
    "roll_back": Write(
        ask=lambda pve: pve.roll_back(NODE, NEW, "first"), method="POST", path="/rollback",
        look=lambda world: _value(world, "ciuser"), snapshot=True,
    ),
    "delete_snapshot": Write(
        ask=lambda pve: pve.delete_snapshot(NODE, NEW, "first"), method="DELETE", path="/snapshot/first", look=_names,
        snapshot=True,
    ),
    "back_up": Write(
        ask=lambda pve: pve.back_up(NODE, NEW, "local", notes="kept"), method="POST", path="/vzdump", look=_backups, judged_late=True,
    ),
    "delete_backup": Write(
        ask=lambda pve: pve.delete_backup(NODE, KEPT), method="DELETE", path="/content/", look=_backups, judged_late=True,
    ),
    "download": Write(
        ask=lambda pve: pve.download(NODE, "local", URL, filename="nixos.iso", sha256=SUM), method="POST",
        path="/download-url", look=_images, cloned=False,
    ),
    "set_backup_job": Write(
        ask=lambda pve: pve.set_backup_job(JOB, (NEW, TEMPLATE)), method="PUT", path="/cluster/backup", look=_job,
    ),
    "remove_ha": Write(
        ask=lambda pve: pve.remove_ha(NEW), method="DELETE", path="/cluster/ha/resources",
        look=lambda world: world.pve.ha_resources(), ha=True,
    ),
    "set_config": Write(
        ask=lambda pve: pve.set_config(NODE, NEW, {"cores": "3"}), method="PUT", path="/config",
        look=lambda world: _value(world, "cores"),
    ),
    "resize": Write(
        ask=lambda pve: pve.resize(NODE, NEW, "scsi0", 40), method="PUT", path="/resize",
        look=lambda world: _value(world, "scsi0"),
    ),
    "regenerate_cloudinit": Write(
        ask=lambda pve: pve.regenerate_cloudinit(NODE, NEW), method="PUT", path="/cloudinit", look=_drive
    ),
    "start": Write(ask=lambda pve: pve.start(NODE, NEW), method="POST", path="/status/start", look=_status),
    "stop": Write(ask=lambda pve: pve.stop(NODE, NEW), method="POST", path="/status/stop", look=_status, on=True),
    "shutdown": Write(
        ask=lambda pve: pve.shutdown(NODE, NEW, timeout_s=60), method="POST", path="/status/shutdown", look=_status, on=True
    ),
    "reboot": Write(
        ask=lambda pve: pve.reboot(NODE, NEW, timeout_s=60), method="POST", path="/status/reboot", on=True,
        look=lambda world: _tasks(world, "qmreboot"),
    ),
    "reset": Write(
        ask=lambda pve: pve.reset(NODE, NEW), method="POST", path="/status/reset", on=True,
        look=lambda world: _tasks(world, "qmreset"),
    ),
    "destroy": Write(
        ask=lambda pve: pve.destroy(NODE, NEW), method="DELETE", path=f"/qemu/{NEW}",
        look=lambda world: _value(world, "name"),
    ),
}  # fmt: skip
OTHERS: Final = {"agent_ping", "agent_run", "agent_thaw", "wait", "close"}
"""Their rules are written out below."""

reads = pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
writes = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())


async def prepare(world: PveWorld, call: Read | Write) -> None:
    """The new VM as the call needs it, and a token that may make the call."""
    world.site.cluster.sections["downloads"] = {URL: {"size": 1 << 20, "sha256": SUM}}
    world.site.cluster.rights.roles[PROVISIONER_ROLE] = frozenset(world.site.cluster.flavour.privileges)
    if call.on or (isinstance(call, Write) and call.cloned):
        await world.done(await world.clone())
        if isinstance(call, Write) and call.snapshot:
            await world.done(await world.pve.take_snapshot(NODE, NEW, "first", description="", memory=False))
        await world.pve.set_config(NODE, NEW, {"ciuser": "ops"})
        if isinstance(call, Write) and call.ha:
            world.site.cluster.sections["ha/resources"] = {f"vm:{NEW}": {"state": "stopped", "type": "vm"}}
        kept = Volume(storage="local", name=KEPT.partition(":")[2], size=1, content="backup", vmid=NEW, node=NODE)
        world.site.cluster.volumes.entries[kept.node, kept.volid] = kept
        world.site.cluster.pools[POOL] = Pool(name=POOL)
        world.site.cluster.sections["jobs"] = {JOB: {"vmid": str(NEW), "storage": "local", "schedule": "daily"}}
    if call.on:
        await world.done(await world.pve.start(NODE, NEW))


def test_no_method_is_left_out() -> None:
    assert READS.keys() | WRITES.keys() | OTHERS == methods_of(ClusterPort, VmPort, AgentPort, Pve)


@reads
async def test_a_read_whose_answer_is_lost_is_asked_again(pve_call_world: PveWorld, read: Read) -> None:
    await prepare(pve_call_world, read)
    expected = await read.ask(pve_call_world.pve)
    counters = pve_call_world.site.counters
    before = counters.pve_reads
    pve_call_world.site.faults.arm("pve-596", method="GET", path=read.path, times=2)
    assert await read.ask(pve_call_world.pve) == expected
    assert counters.pve_reads - before == 3
    assert not pve_call_world.site.faults.list()


@reads
async def test_a_read_that_is_never_answered_is_unreachable_after_three_times(
    pve_call_world: PveWorld, read: Read
) -> None:
    await prepare(pve_call_world, read)
    counters = pve_call_world.site.counters
    before = counters.pve_reads
    pve_call_world.site.faults.arm("pve-596", method="GET", path=read.path, times=FOREVER)
    with pytest.raises(Unreachable) as gone:
        await read.ask(pve_call_world.pve)
    assert "596" in gone.value.why
    assert counters.pve_reads - before == 3


@reads
async def test_a_read_that_is_refused_or_fails_is_told_once(pve_call_world: PveWorld, read: Read) -> None:
    await prepare(pve_call_world, read)
    with pytest.raises(Refused) as refused:
        await read.ask(pve_call_world.stranger)
    assert refused.value.code == "PVX0531"
    pve_call_world.site.faults.arm("pve-500", method="GET", path=read.path, message="something broke\x1b[2J")
    with pytest.raises(RemoteFailure) as failed:
        await read.ask(pve_call_world.pve)
    assert (failed.value.code, failed.value.why) == ("PVX0534", "something broke")
    assert f"GET {read.path}" in failed.value.what or read.path in failed.value.what


@writes
@pytest.mark.parametrize("effect", [False, True], ids=["before", "after"])
async def test_a_write_whose_answer_is_lost_is_unknown_and_sent_once(
    pve_call_world: PveWorld, write: Write, effect: bool
) -> None:
    await prepare(pve_call_world, write)
    counters, before = pve_call_world.site.counters, await write.look(pve_call_world)
    sent = counters.pve_writes
    pve_call_world.site.faults.arm("pve-596", method=write.method, path=write.path, effect=effect)
    with pytest.raises(OutcomeUnknown) as unknown:
        await write.ask(pve_call_world.pve)
    assert unknown.value.code == "PVX0535"
    assert f"Proxmox lab: {write.method} /" in unknown.value.what
    assert counters.pve_writes - sent == 1
    await pve_call_world.settled()
    assert (await write.look(pve_call_world) != before) is effect


@writes
async def test_a_write_that_is_refused_or_fails_has_no_effect(pve_call_world: PveWorld, write: Write) -> None:
    await prepare(pve_call_world, write)
    before, sent = await write.look(pve_call_world), pve_call_world.site.counters.pve_writes
    for port, code in ((pve_call_world.viewer, "PVX0532"), (pve_call_world.stranger, "PVX0531")):
        with pytest.raises(Refused) as refused:
            await write.ask(port)
        assert (refused.value.code, bool(refused.value.hint)) == (code, True)
    assert write.judged_late or pve_call_world.site.counters.pve_writes == sent
    pve_call_world.site.faults.arm("pve-500", method=write.method, path=write.path, message="got lock timeout")
    with pytest.raises(RemoteFailure) as failed:
        await write.ask(pve_call_world.pve)
    assert (failed.value.code, failed.value.why) == ("PVX0534", "got lock timeout")
    await pve_call_world.settled()
    assert await write.look(pve_call_world) == before


async def test_an_agent_whose_answer_is_lost_does_not_answer(pve_call_world: PveWorld) -> None:
    await pve_call_world.done(await pve_call_world.clone())
    await pve_call_world.done(await pve_call_world.pve.start(NODE, NEW))
    assert await pve_call_world.pve.agent_ping(NODE, NEW)
    for effect in (False, True):
        pve_call_world.site.faults.arm("pve-596", method="POST", path="/agent/ping", effect=effect)
        assert not await pve_call_world.pve.agent_ping(NODE, NEW)
    assert await pve_call_world.pve.agent_ping(NODE, NEW)
    with pytest.raises(Refused):
        await pve_call_world.stranger.agent_ping(NODE, NEW)


async def test_waiting_survives_lost_polls_and_does_not_believe_a_single_refusal(pve_call_world: PveWorld) -> None:
    upid = await pve_call_world.clone()
    pve_call_world.site.faults.arm("pve-596", method="GET", path="/status", times=3)
    pve_call_world.site.faults.arm("pve-596", method="GET", path="/log", times=3)
    pve_call_world.site.faults.arm("pve-500", method="GET", path="/log", times=3)
    lines: list[str] = []
    result = await pve_call_world.pve.wait(upid, timeout_s=10, on_line=lines.append)
    assert (result.ok, "".join(lines).splitlines()) == (True, list(result.log))
    assert not pve_call_world.site.faults.list()
    with pytest.raises(OutcomeUnknown, match="UPID") as unknown:
        await pve_call_world.stranger.wait(upid, timeout_s=10, on_line=lines.append)
    assert "can no longer be read" in unknown.value.why


async def test_what_was_closed_may_be_closed_again(pve_call_world: PveWorld) -> None:
    await pve_call_world.pve.version()
    await pve_call_world.pve.close()
    await pve_call_world.pve.close()
