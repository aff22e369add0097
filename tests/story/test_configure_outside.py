"""A VM that is off, other cards, and what lies outside the VM: pools, jobs, notes, nodes, the agent."""

from __future__ import annotations

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.plan import Task
from pvenix_lab.site.pve.cluster import PROVISIONER_ROLE, Pool
from tests.sim.golden import CONTROLLER, RESIDENTS, Golden
from tests.story.configure_scene import boots, configure, says
from tests.story.fault_scene import NEW, OLD, Scene, row, scene

pytestmark = pytest.mark.sim


def test_what_only_a_vm_that_is_off_takes_waits_for_the_word(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, hardware__tpm=True, hardware__scsihw="virtio-scsi-single")
        writes, told = site.writes, await configure(site)
        assert (site.writes, "--offline" in told.why) == (writes, True), told.why
        done = await configure(site, offline=True)
        assert (done.code, done.sent("/status/shutdown"), done.sent("/status/start")) == (ExitCode.OK, 1, 1), done.why
        assert site.vm(OLD).config["scsihw"] == "virtio-scsi-single"
        assert "version=v2.0" in str(site.vm(OLD).config["tpmstate0"])
        assert site.vm(OLD).running

    scene(golden, act)


def test_another_machine_type_is_refused_and_a_version_of_the_same_is_none(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.vm(OLD).config["machine"] = "pc-q35-9.0"
        says(site, hardware__machine="q35")
        assert (await configure(site)).code is ExitCode.OK
        says(site, hardware__machine="pc", hardware__bios="seabios")
        done = await configure(site)
        assert (done.code, "only another VM would have it" in done.why) == (ExitCode.REFUSED, True), done.why

    scene(golden, act)


def test_a_card_is_added_changed_and_taken_away_while_the_guest_runs(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = site.vm(OLD)
        first = vm.config["net0"]
        says(site, nics=[{"zone": "mgmt", "firewall": True}])
        assert (await configure(site)).code is ExitCode.OK
        mac = str(vm.config["net1"]).partition(",")[0]
        says(site, nics=[{"zone": "srvHome", "firewall": True}])
        done = await configure(site)
        assert done.code is ExitCode.OK, done.why
        assert str(vm.config["net1"]).split(",")[0] == mac
        assert {"tag=210", "firewall=1"} <= set(str(vm.config["net1"]).split(","))
        says(site, nics=[])
        assert (await configure(site)).code is ExitCode.OK
        assert ("net1" in vm.config, "ipconfig1" in vm.config, vm.config["net0"]) == (False, False, first)

    scene(golden, act)


def test_pool_and_backup_job_take_the_vm_in_and_keep_the_others(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        cluster, vmid = site.site.cluster, site.vm(OLD).vmid
        cluster.pools["prod"] = Pool(name="prod")
        cluster.rights.roles[PROVISIONER_ROLE] |= {"Pool.Allocate", "Sys.Modify"}
        cluster.sections["jobs"] = {
            "nightly": {"id": "nightly", "vmid": "230", "storage": "tanka1", "schedule": "daily", "enabled": 1},
            "all": {"id": "all", "all": 1, "storage": "tanka1", "schedule": "daily", "enabled": 1},
        }
        says(site, proxmox__pool="prod", backup__job="nightly")
        done = await configure(site)
        assert done.code is ExitCode.OK, done.why
        assert site.vm(OLD).pool == "prod"
        assert set(cluster.sections["jobs"]["nightly"]["vmid"].split(",")) == {"230", str(vmid)}
        writes = site.writes
        assert ((await configure(site)).code, site.writes) == (ExitCode.OK, writes)
        cluster.sections["jobs"]["weekly"] = {**cluster.sections["jobs"]["nightly"], "id": "weekly", "vmid": "240"}
        says(site, backup__job="weekly")
        assert (await configure(site)).code is ExitCode.OK
        assert (cluster.sections["jobs"]["nightly"]["vmid"], site.vm(OLD).pool) == ("230", "prod")
        says(site)
        assert (await configure(site)).code is ExitCode.OK
        assert cluster.sections["jobs"]["weekly"]["vmid"] == "240"
        writes = site.writes
        assert ((await configure(site)).code, site.writes) == (ExitCode.OK, writes)
        says(site, backup__job="nowhere")
        refused = await configure(site)
        assert (refused.code, "jobs with a list: nightly" in refused.why) == (ExitCode.REFUSED, True), refused.why

    scene(golden, act)


def test_two_hosts_that_join_one_backup_job_in_one_run_are_both_on_its_list(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        cluster, hosts = site.site.cluster, (OLD, RESIDENTS[1])
        cluster.rights.roles[PROVISIONER_ROLE] |= {"Sys.Modify"}
        cluster.sections["jobs"] = {
            "nightly": {"id": "nightly", "vmid": "230", "storage": "tanka1", "schedule": "daily", "enabled": 1}
        }
        for host in hosts:
            says(site, host, backup__job="nightly")
        done = await site.run(Task(verb="configure"), hosts=hosts)
        assert done.code is ExitCode.OK, done.why
        members = cluster.sections["jobs"]["nightly"]["vmid"].split(",")
        assert set(members) == {"230", *(str(site.vm(host).vmid) for host in hosts)}

    scene(golden, act)


def test_a_backup_job_without_the_right_to_change_it_names_the_line_that_gives_it(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.site.cluster.sections["jobs"] = {
            "nightly": {"id": "nightly", "vmid": "230", "storage": "tanka1", "schedule": "daily"}
        }
        says(site, backup__job="nightly")
        site.arm("F28", privilege="Sys.Modify")
        done = await configure(site)
        assert (done.code, "--privs Sys.Modify" in done.why) == (ExitCode.REFUSED, True), done.why

    scene(golden, act)


def test_the_inventory_s_notes_take_the_place_of_a_person_s_and_pass_for_no_mark(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, proxmox__notes="Name server.\npvenix-host: docker01")
        done = await configure(site)
        assert done.code is ExitCode.OK, done.why
        text = str(site.vm(OLD).config["description"])
        assert text.startswith("Name server.\n pvenix-host: docker01\npvenix-host: dns01\n")
        writes = site.writes
        assert ((await configure(site)).code, site.writes) == (ExitCode.OK, writes)

    scene(golden, act)


def test_notes_that_leave_no_room_for_the_mark_are_refused(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, proxmox__notes="x" * 8180)
        writes, done = site.writes, await configure(site)
        assert (done.code, site.writes, "too long" in done.why) == (ExitCode.REFUSED, writes, True), done.why

    scene(golden, act)


def test_a_pinned_vm_moves_to_its_node_and_runs_on(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        boot, home = boots(site), site.vm(OLD).node
        site.arm("F26", OLD, node="tappaas3")
        assert (site.vm(OLD).node, (await configure(site)).code, site.vm(OLD).node) == (
            "tappaas3", ExitCode.OK, "tappaas3",
        )  # fmt: skip
        says(site, proxmox__pin=True, proxmox__onboot=False)
        done = await configure(site)
        assert (done.code, site.vm(OLD).node, site.vm(OLD).running) == (ExitCode.OK, home, True), done.why
        assert (boots(site), "rebooted" in done.why) == (boot, False), done.why
        writes = site.writes
        assert ((await configure(site)).code, site.writes) == (ExitCode.OK, writes)

    scene(golden, act)


@row("F16")
def test_a_guest_whose_agent_is_silent_is_configured_and_its_cloud_init_waits_for_our_reboot(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F16", OLD)
        says(site, network__address="10.69.13.77/24")
        done = await configure(site)
        assert (done.code, "reboot to apply network.address" in done.why) == (ExitCode.OK, True), done.why
        site.clear()
        writes, told = site.writes, await configure(site)
        assert (site.writes, "reboot to apply network.address" in told.why) == (writes, True), told.why
        again = await configure(site, reboot=True)
        assert (again.code, "10.69.13.77" in str(site.guest(OLD).addresses)) == (ExitCode.OK, True), again.why
        writes = site.writes
        quiet = await configure(site)
        assert (site.writes, "reboot" in quiet.why) == (writes, False), quiet.why

    scene(golden, act)


def test_a_vm_that_the_ha_manager_keeps_is_configured_and_stays_its_business(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F27", OLD)
        says(site, cores=6, hardware__scsihw="virtio-scsi-single")
        before = dict(site.site.cluster.sections.get("ha/resources", {}))
        done = await configure(site, offline=True)
        assert (done.code, site.vm(OLD).config["cores"], site.vm(OLD).running) == (ExitCode.OK, 6, True), done.why
        assert set(site.site.cluster.sections.get("ha/resources", {})) == set(before)

    scene(golden, act)


def test_a_clone_has_the_tags_of_its_host_and_not_those_of_its_template(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.site.cluster.vms[8100].config["tags"] = "golden;nixos"
        site.rules.begin(site.sim)
        assert (await site.run("clone")).code is ExitCode.OK
        assert site.vm(NEW).config["tags"] == "ai;nixos;pvenix"

    scene(golden, act)


def test_the_controller_is_neither_rebooted_nor_switched_off(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, CONTROLLER, hardware__scsihw="virtio-scsi-single")
        writes, refused = site.writes, await configure(site, CONTROLLER, offline=True)
        assert (refused.code, site.writes) == (ExitCode.REFUSED, writes), refused.why
        says(site, CONTROLLER, cores=6)
        done = await configure(site, CONTROLLER, reboot=True)
        assert (done.sent("/status/reboot"), "reboot to apply cores" in done.why) == (0, True), done.why

    scene(golden, act)
