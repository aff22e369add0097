"""What every Pve must do: the typed calls over a site of each release, in memory and over its HTTPS."""

from __future__ import annotations

import pytest

from pvenix.engine.ports import NewVm
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure
from pvenix.model.names import vmid
from pvenix_lab.site.pve.rights import Holder
from tests.contract.pve_worlds import NEW, NODE, OTHER, TEMPLATE, VIEWER, PveWorld


async def test_the_site_is_read_in_our_words(pve_world: PveWorld) -> None:
    assert await pve_world.pve.version() == pve_world.site.cluster.flavour.release.version
    found = await pve_world.pve.resources()
    assert [(n.name, n.online, n.memory_total > 0) for n in found.nodes] == [
        (NODE, True, True),
        (OTHER, True, True),
        ("tappaas3", True, True),
    ]
    template = next(vm for vm in found.vms if vm.vmid == TEMPLATE)
    assert (template.node, template.template, template.status) == (NODE, True, "stopped")
    storages = {storage.name: storage for storage in found.storages if storage.node == NODE}
    assert storages["tanka1"].shared
    assert storages["tanka1"].active
    assert "images" in storages["tanka1"].content
    assert 0 < storages["tanka1"].available <= storages["tanka1"].total
    assert (await pve_world.pve.permissions())["/"]["VM.Clone"] in (0, 1)
    assert "VM.Clone" in (await pve_world.pve.permissions("/vms/999"))["/vms/999"]
    pve_world.site.cluster.rights.grant("/vms/999", Holder.USER, VIEWER.partition("!")[0], "NoAccess")
    assert await pve_world.viewer.permissions("/vms/999") == {"/vms/999": {}}
    assert "/vms/999" not in await pve_world.viewer.permissions()


async def test_a_clone_is_a_task_with_a_log_and_a_vm_of_its_own_identity(pve_world: PveWorld) -> None:
    lines: list[str] = []
    upid = await pve_world.clone()
    result = await pve_world.pve.wait(upid, timeout_s=10, on_line=lines.append)
    assert (result.ok, result.exit_text, result.upid) == (True, "OK", upid)
    assert "".join(lines).splitlines() == list(result.log)
    assert result.log[-1] == "TASK OK"
    config = await pve_world.pve.config(NODE, NEW)
    template = await pve_world.pve.config(NODE, TEMPLATE)
    assert config is not None
    assert template is not None
    assert config.uuid not in ("", template.uuid)
    assert config.digest
    assert "digest" not in config.values
    assert config.values["description"] == "pvenix-host: x\nb"
    assert all(isinstance(value, str) for value in config.values.values())
    newest, *_ = await pve_world.pve.tasks_of(NODE, TEMPLATE)
    assert (newest.upid, newest.kind, newest.running, newest.exit_text) == (upid, "qmclone", False, "OK")


async def test_a_vm_that_is_not_there_has_no_configuration(pve_world: PveWorld) -> None:
    assert await pve_world.pve.config(NODE, vmid(999)) is None
    assert await pve_world.pve.config(OTHER, TEMPLATE) is None


async def test_a_taken_id_is_told_apart_from_every_other_failure(pve_world: PveWorld) -> None:
    await pve_world.done(await pve_world.clone())
    with pytest.raises(RemoteFailure, match="taken") as failure:
        await pve_world.clone()
    assert failure.value.code == "PVX0511"
    assert "already exists" in failure.value.why
    with pytest.raises(RemoteFailure) as other:
        await pve_world.pve.clone(NODE, TEMPLATE, NewVm(vmid=vmid(201), name="bad_name", description=""))
    assert other.value.code != "PVX0511"
    assert "name" in other.value.why


async def test_written_values_come_back_and_a_stale_digest_is_refused(pve_world: PveWorld) -> None:
    await pve_world.done(await pve_world.clone())
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIADTFS6A8gH8puGCiYx3kntVdDJIESTaTbdrAX16NQCE a+b@c/d:e"
    config = await pve_world.pve.config(NODE, NEW)
    assert config
    await pve_world.pve.set_config(
        NODE, NEW, {"cores": "2", "sshkeys": key, "description": "a=b&c ä%20\nzweite"}, delete=["serial0"],
        digest=config.digest,
    )  # fmt: skip
    after = await pve_world.pve.config(NODE, NEW)
    assert after
    assert (after.values["cores"], after.values["description"]) == ("2", "a=b&c ä%20\nzweite")
    assert "serial0" not in after.values
    assert after.values["sshkeys"] == key.replace(" ", "%20").replace("+", "%2B").replace("@", "%40").replace(
        "/", "%2F"
    ).replace(":", "%3A")
    with pytest.raises(RemoteFailure) as failure:
        await pve_world.pve.set_config(NODE, NEW, {"cores": "4"}, digest=config.digest)
    assert failure.value.code == "PVX0536"
    await pve_world.pve.set_config(NODE, NEW, {"sshkeys": after.values["sshkeys"]})
    again = await pve_world.pve.config(NODE, NEW)
    assert again
    assert again.values["sshkeys"] == after.values["sshkeys"]


async def test_a_vm_lives_from_clone_to_destroy(pve_world: PveWorld) -> None:
    await pve_world.done(await pve_world.clone())
    assert await pve_world.done(await pve_world.pve.resize(NODE, NEW, "scsi0", 40)) == "OK"
    await pve_world.pve.regenerate_cloudinit(NODE, NEW)
    assert (await pve_world.pve.power(NODE, NEW)).status == "stopped"
    assert await pve_world.done(await pve_world.pve.start(NODE, NEW)) == "OK"
    assert (await pve_world.pve.power(NODE, NEW)).status == "running"
    await pve_world.pve.set_config(NODE, NEW, {"memory": "4096"})
    pending = await pve_world.pve.pending(NODE, NEW)
    assert pending
    assert pending.waiting == {"memory": "4096"}
    assert pending.config.values["memory"] != "4096"
    assert await pve_world.pve.agent_ping(NODE, NEW)
    assert await pve_world.done(await pve_world.pve.reset(NODE, NEW)) == "OK"
    assert await pve_world.done(await pve_world.pve.shutdown(NODE, NEW, timeout_s=60)) == "OK"
    assert await pve_world.done(await pve_world.pve.start(NODE, NEW)) == "OK"
    with pytest.raises(RemoteFailure, match=f"qemu/{NEW}") as failure:
        await pve_world.pve.destroy(NODE, NEW)
    assert "is running" in failure.value.why
    assert await pve_world.done(await pve_world.pve.stop(NODE, NEW)) == "OK"
    assert await pve_world.done(await pve_world.pve.destroy(NODE, NEW)) == "OK"
    assert await pve_world.pve.config(NODE, NEW) is None


async def test_the_cloud_init_files_are_told_without_the_password_and_refused_without_a_drive(
    pve_world: PveWorld,
) -> None:
    values = {"ciuser": "ana", "cipassword": "hunter2-hunter2"}
    await pve_world.done(await pve_world.clone())
    await pve_world.pve.set_config(NODE, NEW, values)
    user = await pve_world.pve.cloudinit_file(NODE, NEW, "user")
    assert "user: ana" in user
    assert "hunter2" not in user
    assert "instance-id" in await pve_world.pve.cloudinit_file(NODE, NEW, "meta")
    with pytest.raises(RemoteFailure):
        await pve_world.pve.cloudinit_file(NODE, vmid(999), "user")


async def test_a_vm_that_runs_tells_what_it_uses(pve_world: PveWorld) -> None:
    await pve_world.done(await pve_world.clone())
    assert (await pve_world.pve.power(NODE, NEW)).memory == 0
    await pve_world.done(await pve_world.pve.start(NODE, NEW))
    power = await pve_world.pve.power(NODE, NEW)
    assert 0 < power.memory <= power.memory_max
    assert 0 <= power.cpu <= 1 <= power.cpus


async def test_a_vm_has_the_volumes_that_go_with_it(pve_world: PveWorld) -> None:
    of_template = await pve_world.pve.volumes(NODE, "tanka1", vmid=TEMPLATE)
    assert of_template
    assert await pve_world.pve.volumes(NODE, "tanka1", vmid=NEW) == ()
    await pve_world.done(await pve_world.clone())
    of_clone = await pve_world.pve.volumes(NODE, "tanka1", vmid=NEW)
    config = await pve_world.pve.config(NODE, NEW)
    assert config
    assert config.values["scsi0"].split(",")[0] in {volume.id for volume in of_clone}
    assert all(volume.vmid == NEW and volume.content == "images" for volume in of_clone)
    assert not {*of_clone} & {*of_template}
    await pve_world.done(await pve_world.pve.destroy(NODE, NEW))
    assert await pve_world.pve.volumes(NODE, "tanka1", vmid=NEW) == ()
    assert await pve_world.pve.volumes(NODE, "tanka1", vmid=TEMPLATE) == of_template


async def test_the_agent_is_asked_for_files_and_addresses(pve_world: PveWorld) -> None:
    await pve_world.done(await pve_world.clone())
    assert not await pve_world.pve.agent_ping(NODE, NEW)
    with pytest.raises(RemoteFailure):
        await pve_world.pve.agent_interfaces(NODE, NEW)
    await pve_world.done(await pve_world.pve.start(NODE, NEW))
    assert (
        await pve_world.pve.agent_read_file(NODE, NEW, "/etc/ssh/ssh_host_ed25519_key.pub")
        == "ssh-ed25519 AAAA root@x\n"
    )
    assert await pve_world.pve.agent_read_file(NODE, NEW, "/no/such file") is None
    loopback, eth0 = await pve_world.pve.agent_interfaces(NODE, NEW)
    assert (loopback.name, loopback.addresses) == ("lo", ())
    assert (eth0.name, eth0.mac, eth0.addresses) == ("eth0", "bc:24:11:00:00:01", ("10.0.0.5/24",))


async def test_a_task_that_fails_is_a_result_with_its_own_words(pve_world: PveWorld) -> None:
    pve_world.site.faults.arm("clone-fails-in-task", message="unable to create image: got lock timeout")
    result = await pve_world.pve.wait(await pve_world.clone(), timeout_s=10, on_line=lambda _: None)
    assert not result.ok
    assert "got lock timeout" in result.exit_text


async def test_a_task_that_outlives_the_wait_has_an_unknown_outcome(pve_world: PveWorld) -> None:
    pve_world.site.faults.arm("clone-slow", seconds=60)
    with pytest.raises(OutcomeUnknown, match="UPID:tappaas1"):
        await pve_world.pve.wait(await pve_world.clone(), timeout_s=0.2, on_line=lambda _: None)


async def test_a_token_that_may_not_or_is_wrong_is_refused_with_what_to_do(pve_world: PveWorld) -> None:
    with pytest.raises(Refused) as denied:
        await pve_world.viewer.set_config(NODE, TEMPLATE, {"cores": "2"})
    assert denied.value.code == "PVX0532"
    assert "VM.Config.CPU" in denied.value.hint
    with pytest.raises(Refused) as clone_denied:
        await pve_world.viewer.clone(NODE, TEMPLATE, NewVm(vmid=NEW, name="dns01", description=""))
    assert "VM.Clone" in clone_denied.value.hint
    with pytest.raises(Refused) as wrong:
        await pve_world.stranger.version()
    assert wrong.value.code == "PVX0531"
    assert pve_world.site.counters.pve_writes == 0
