"""What every Pve must do when an answer is lost before or after its effect, or is a refusal or an error, at every call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import pytest

from pvenix.engine.ports import NewVm, Pve
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, Unreachable
from pvenix_lab.site.faults import FOREVER
from tests.contract.methods import methods_of
from tests.contract.pve_worlds import NEW, NODE, TEMPLATE, PveWorld

Look = Callable[[PveWorld], Awaitable[object]]
KEY_FILE: Final = "/etc/ssh/ssh_host_ed25519_key.pub"


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


async def _value(world: PveWorld, key: str) -> object:
    config = await world.pve.config(NODE, NEW)
    return config and config.values.get(key)


async def _tasks(world: PveWorld, kind: str) -> int:
    return sum(f":{kind}:" in upid for upid in await world.pve.tasks_of(NODE, NEW))


async def _drive(world: PveWorld) -> object:
    return dict(world.site.cluster.vms[NEW].cloudinit)


def _status(world: PveWorld) -> Awaitable[object]:
    return world.pve.status(NODE, NEW)


READS: Final = {
    "version": Read(ask=lambda pve: pve.version(), path="/version"),
    "nodes": Read(ask=lambda pve: pve.nodes(), path="/nodes"),
    "vms": Read(ask=lambda pve: pve.vms(), path="/cluster/resources"),
    "storages": Read(ask=lambda pve: pve.storages(NODE), path="/storage"),
    "volumes": Read(ask=lambda pve: pve.volumes(NODE, "tanka1", TEMPLATE), path="/content"),
    "permissions": Read(ask=lambda pve: pve.permissions(), path="/access/permissions"),
    "pci_mappings": Read(ask=lambda pve: pve.pci_mappings(), path="/cluster/mapping/pci"),
    "config": Read(ask=lambda pve: pve.config(NODE, TEMPLATE), path="/config"),
    "pending": Read(ask=lambda pve: pve.pending(NODE, TEMPLATE), path="/pending"),
    "status": Read(ask=lambda pve: pve.status(NODE, TEMPLATE), path="/status/current"),
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
        ask=lambda pve: pve.shutdown(NODE, NEW), method="POST", path="/status/shutdown", look=_status, on=True
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
OTHERS: Final = {"agent_ping", "wait", "close"}
"""Their rules are written out below."""

reads = pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
writes = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())


async def prepare(world: PveWorld, call: Read | Write) -> None:
    """The new VM as the call needs it."""
    if call.on or (isinstance(call, Write) and call.cloned):
        await world.done(await world.clone())
        await world.pve.set_config(NODE, NEW, {"ciuser": "ops"})
    if call.on:
        await world.done(await world.pve.start(NODE, NEW))


def test_no_method_is_left_out() -> None:
    assert READS.keys() | WRITES.keys() | OTHERS == methods_of(Pve)


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
    assert f"{write.method} /nodes" in unknown.value.what
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
    assert pve_call_world.site.counters.pve_writes == sent
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
