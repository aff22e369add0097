"""What every Pve must do: the typed calls over a site in memory and over its HTTPS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pvenix.adapters.pve.cluster import PveCluster
from pvenix.adapters.pve.proxmox import ProxmoxerTransport
from pvenix.engine.ports import NewVm, Pve
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure
from pvenix.model.names import Vmid, node_name, vmid
from pvenix_lab.faces.https import HttpsFace
from pvenix_lab.site.core import Site
from tests.contract.pve_world import TOKEN, ImpatientClock, cluster, make_site

NODE = node_name("tappaas1")
OTHER = node_name("tappaas2")
TEMPLATE = vmid(8100)
NEW = vmid(200)


@dataclass
class World:
    pve: Pve
    viewer: Pve
    stranger: Pve
    site: Site


@pytest.fixture(params=["in memory", "https"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    site = make_site(tmp_path / "site")
    async with site:
        if request.param == "in memory":
            yield World(cluster(site), cluster(site, token_id="viewer@pve!lab"), cluster(site, secret="wrong"), site)
            return
        face = HttpsFace()
        port = await face.start(site, tmp_path)
        assert face.certificate

        def connect(token_id: str, secret: str) -> PveCluster:
            assert face.certificate
            transport = ProxmoxerTransport(
                endpoints=[f"https://127.0.0.1:{port}"], token_id=token_id, token_secret=secret,
                ca=face.certificate.ca, workers=2,
            )  # fmt: skip
            return PveCluster(transport, clock=ImpatientClock(), cluster="lab", token=token_id)

        secrets = {name: token.secret for name, token in site.cluster.tokens.items()}
        ports = [
            connect(TOKEN, secrets[TOKEN]),
            connect("viewer@pve!lab", secrets["viewer@pve!lab"]),
            connect(TOKEN, "wrong"),
        ]
        yield World(ports[0], ports[1], ports[2], site)
        for port_ in ports:
            await port_.close()
        await face.stop()


async def clone(pve: Pve, new: Vmid = NEW, name: str = "dns01") -> str:
    return await pve.clone(NODE, TEMPLATE, NewVm(vmid=new, name=name, description="pvenix-host: x\nb"))


async def done(pve: Pve, upid: str) -> str:
    return (await pve.wait(upid, timeout_s=10, on_line=lambda _: None)).exit_text


async def test_the_site_is_read_in_our_words(world: World) -> None:
    assert await world.pve.version() == "8.4.5"
    assert [(n.name, n.online, n.memory_total > 0) for n in await world.pve.nodes()] == [
        (NODE, True, True),
        (OTHER, True, True),
        (node_name("tappaas3"), True, True),
    ]
    template = next(vm for vm in await world.pve.vms() if vm.vmid == TEMPLATE)
    assert (template.node, template.template, template.status) == (NODE, True, "stopped")
    storages = {storage.name: storage for storage in await world.pve.storages(NODE)}
    assert storages["tanka1"].shared
    assert storages["tanka1"].active
    assert "images" in storages["tanka1"].content
    assert storages["tanka1"].available > 0
    assert (await world.pve.permissions())["/"]["VM.Clone"] in (0, 1)


async def test_a_clone_is_a_task_with_a_log_and_a_vm_of_its_own_identity(world: World) -> None:
    lines: list[str] = []
    upid = await clone(world.pve)
    result = await world.pve.wait(upid, timeout_s=10, on_line=lines.append)
    assert (result.ok, result.exit_text, result.upid) == (True, "OK", upid)
    assert "".join(lines).splitlines() == list(result.log)
    assert result.log[-1] == "TASK OK"
    config = await world.pve.config(NODE, NEW)
    template = await world.pve.config(NODE, TEMPLATE)
    assert config is not None
    assert template is not None
    assert config.uuid not in ("", template.uuid)
    assert config.digest
    assert "digest" not in config.values
    assert config.values["description"] == "pvenix-host: x\nb"
    assert all(isinstance(value, str) for value in config.values.values())
    assert upid in await world.pve.tasks_of(NODE, TEMPLATE)


async def test_a_vm_that_is_not_there_has_no_configuration(world: World) -> None:
    assert await world.pve.config(NODE, vmid(999)) is None
    assert await world.pve.config(OTHER, TEMPLATE) is None


async def test_a_taken_id_is_told_apart_from_every_other_failure(world: World) -> None:
    await done(world.pve, await clone(world.pve))
    with pytest.raises(RemoteFailure, match="taken") as failure:
        await clone(world.pve)
    assert failure.value.code == "PVX0511"
    assert "already exists" in failure.value.why
    with pytest.raises(RemoteFailure) as other:
        await world.pve.clone(NODE, TEMPLATE, NewVm(vmid=vmid(201), name="bad_name", description=""))
    assert other.value.code != "PVX0511"
    assert "name" in other.value.why


async def test_written_values_come_back_and_a_stale_digest_is_refused(world: World) -> None:
    await done(world.pve, await clone(world.pve))
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIADTFS6A8gH8puGCiYx3kntVdDJIESTaTbdrAX16NQCE a+b@c/d:e"
    config = await world.pve.config(NODE, NEW)
    assert config
    await world.pve.set_config(
        NODE, NEW, {"cores": "2", "sshkeys": key, "description": "a=b&c ä%20\nzweite"}, delete=["serial0"],
        digest=config.digest,
    )  # fmt: skip
    after = await world.pve.config(NODE, NEW)
    assert after
    assert (after.values["cores"], after.values["description"]) == ("2", "a=b&c ä%20\nzweite")
    assert "serial0" not in after.values
    assert after.values["sshkeys"] == key.replace(" ", "%20").replace("+", "%2B").replace("@", "%40").replace(
        "/", "%2F"
    ).replace(":", "%3A")
    with pytest.raises(RemoteFailure) as failure:
        await world.pve.set_config(NODE, NEW, {"cores": "4"}, digest=config.digest)
    assert failure.value.code == "PVX0536"
    await world.pve.set_config(NODE, NEW, {"sshkeys": after.values["sshkeys"]})
    again = await world.pve.config(NODE, NEW)
    assert again
    assert again.values["sshkeys"] == after.values["sshkeys"]


async def test_a_vm_lives_from_clone_to_destroy(world: World) -> None:
    await done(world.pve, await clone(world.pve))
    assert await done(world.pve, await world.pve.resize(NODE, NEW, "scsi0", 40)) == "OK"
    await world.pve.regenerate_cloudinit(NODE, NEW)
    assert await world.pve.status(NODE, NEW) == "stopped"
    assert await done(world.pve, await world.pve.start(NODE, NEW)) == "OK"
    assert await world.pve.status(NODE, NEW) == "running"
    await world.pve.set_config(NODE, NEW, {"memory": "4096"})
    assert (await world.pve.pending(NODE, NEW)).get("memory") == "4096"
    assert await world.pve.agent_ping(NODE, NEW)
    assert await done(world.pve, await world.pve.reset(NODE, NEW)) == "OK"
    assert await done(world.pve, await world.pve.shutdown(NODE, NEW)) == "OK"
    assert await done(world.pve, await world.pve.start(NODE, NEW)) == "OK"
    with pytest.raises(RemoteFailure, match=f"qemu/{NEW}") as failure:
        await world.pve.destroy(NODE, NEW)
    assert "is running" in failure.value.why
    assert await done(world.pve, await world.pve.stop(NODE, NEW)) == "OK"
    assert await done(world.pve, await world.pve.destroy(NODE, NEW)) == "OK"
    assert await world.pve.config(NODE, NEW) is None


async def test_the_agent_is_asked_for_files_and_addresses(world: World) -> None:
    await done(world.pve, await clone(world.pve))
    assert not await world.pve.agent_ping(NODE, NEW)
    with pytest.raises(RemoteFailure):
        await world.pve.agent_interfaces(NODE, NEW)
    await done(world.pve, await world.pve.start(NODE, NEW))
    assert (
        await world.pve.agent_read_file(NODE, NEW, "/etc/ssh/ssh_host_ed25519_key.pub") == "ssh-ed25519 AAAA root@x\n"
    )
    assert await world.pve.agent_read_file(NODE, NEW, "/no/such file") is None
    loopback, eth0 = await world.pve.agent_interfaces(NODE, NEW)
    assert (loopback.name, loopback.addresses) == ("lo", ())
    assert (eth0.name, eth0.mac, eth0.addresses) == ("eth0", "bc:24:11:00:00:01", ("10.0.0.5/24",))


async def test_a_task_that_fails_is_a_result_with_its_own_words(world: World) -> None:
    world.site.faults.arm("clone-fails-in-task", message="unable to create image: got lock timeout")
    result = await world.pve.wait(await clone(world.pve), timeout_s=10, on_line=lambda _: None)
    assert not result.ok
    assert "got lock timeout" in result.exit_text


async def test_a_task_that_outlives_the_wait_has_an_unknown_outcome(world: World) -> None:
    world.site.faults.arm("clone-slow", seconds=60)
    with pytest.raises(OutcomeUnknown, match="UPID:tappaas1"):
        await world.pve.wait(await clone(world.pve), timeout_s=0.2, on_line=lambda _: None)


@pytest.mark.parametrize("effect", [True, False])
async def test_a_write_whose_answer_is_lost_is_unknown_and_sent_once(world: World, effect: bool) -> None:
    world.site.faults.arm("pve-596", method="POST", path="/clone", effect=effect)
    writes = world.site.counters.pve_writes
    with pytest.raises(OutcomeUnknown):
        await clone(world.pve)
    assert world.site.counters.pve_writes - writes == 1
    for upid in await world.pve.tasks_of(NODE, TEMPLATE):
        assert await done(world.pve, upid) == "OK"
    assert (await world.pve.config(NODE, NEW) is not None) is effect


async def test_a_read_whose_answer_is_lost_is_asked_again(world: World) -> None:
    world.site.faults.arm("pve-596", method="GET", path="/version")
    assert await world.pve.version() == "8.4.5"


async def test_an_error_of_the_server_is_told_in_its_own_words(world: World) -> None:
    world.site.faults.arm("pve-500", method="PUT", path="/config", message="can't lock file - got timeout")
    with pytest.raises(RemoteFailure) as failure:
        await world.pve.set_config(NODE, TEMPLATE, {"cores": "2"})
    assert failure.value.why == "can't lock file - got timeout"
    assert "PUT /nodes/tappaas1/qemu/8100/config" in failure.value.what


async def test_a_token_that_may_not_or_is_wrong_is_refused_with_what_to_do(world: World) -> None:
    with pytest.raises(Refused) as denied:
        await world.viewer.set_config(NODE, TEMPLATE, {"cores": "2"})
    assert denied.value.code == "PVX0532"
    assert "VM.Config.CPU" in denied.value.hint
    with pytest.raises(Refused) as clone_denied:
        await clone(world.viewer)
    assert "VM.Clone" in clone_denied.value.hint
    with pytest.raises(Refused) as wrong:
        await world.stranger.version()
    assert wrong.value.code == "PVX0531"
    assert world.site.counters.pve_writes == 0
