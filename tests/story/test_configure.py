"""A VM that exists is brought to what its inventory declares: what is written, what waits, and what is left alone.

Every rule is asked of the far side: the VM's configuration, its volumes, its boots, the counter of writes.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from functools import partial, reduce
from typing import Any

import pytest

from pvenix.fleet.load import load_fleet
from pvenix.lifecycle import notes
from pvenix.model.errors import ExitCode
from pvenix.model.plan import ArgValue, Task
from pvenix_lab.site.pve.cluster import PROVISIONER_ROLE, Pool
from tests.sim.golden import CONTROLLER, RESIDENTS, Golden
from tests.sim.ports import Calls
from tests.sim.world import KILLED
from tests.story.fault_scene import NEW, OLD, Done, Scene, row, scene

pytestmark = pytest.mark.sim


def says(site: Scene, host: str = OLD, /, **fields: Any) -> None:
    """From now on the inventory says so of the host; `__` is the dot between a map and its field."""
    machine: dict[str, Any] = {}
    for name, value in fields.items():
        *maps, last = name.split("__")
        reduce(lambda below, key: below.setdefault(key, {}), maps, machine)[last] = value
    inventory = site.sim.root / "inventory"
    if not inventory.is_dir():
        shutil.copytree(site.golden.fleet.root / "inventory", inventory)
    file = inventory / "host_vars" / host / "more.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"machine": machine}))
    site.sim.fleet = load_fleet(site.golden.fleet.root, inventory=inventory)


async def configure(site: Scene, host: str = OLD, /, **args: ArgValue) -> Done:
    return await site.run(Task(verb="configure", args=args), hosts=(host,))


def recorded(site: Scene) -> dict[str, str]:
    return dict(notes.parse(str(site.vm(OLD).config["description"])).applied)


def boots(site: Scene) -> str:
    return str(site.guest(OLD).boot_id)


# --- what waits for a reboot -----------------------------------------------------------------------------------------


@row("F39")
def test_memory_and_cores_wait_for_a_reboot_and_are_not_written_again(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, cores=6, memory="6G")
        boot, done = boots(site), await configure(site)
        assert (done.code, done.sent("PUT")) == (ExitCode.OK, 1), done.why
        assert "reboot to apply cores, memory" in done.why
        assert (site.vm(OLD).config["cores"], site.vm(OLD).pending["cores"]) == (2, 6)
        writes = site.writes
        again = await configure(site)
        assert (again.code, site.writes, "reboot to apply cores, memory" in again.why) == (ExitCode.OK, writes, True)
        assert boots(site) == boot

    scene(golden, act)


@row("F39")
def test_one_reboot_applies_everything_that_waits(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, cores=6, memory="6G", hardware__numa=True, update__reboot="auto")
        boot, done = boots(site), await configure(site)
        assert (done.code, done.sent("/status/reboot")) == (ExitCode.OK, 1), done.why
        assert (site.vm(OLD).config["cores"], site.vm(OLD).config["memory"], site.vm(OLD).pending) == (6, "6144", {})
        assert boots(site) != boot
        writes = site.writes
        assert ((await configure(site)).code, site.writes) == (ExitCode.OK, writes)

    scene(golden, act)


@row("F39")
def test_a_reboot_that_is_asked_for_later_is_all_that_is_done(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, cores=6)
        assert (await configure(site)).code is ExitCode.OK
        done = await configure(site, reboot=True)
        assert (done.code, done.sent("PUT"), done.sent("/status/reboot")) == (ExitCode.OK, 0, 1), done.why
        assert site.vm(OLD).config["cores"] == 6

    scene(golden, act)


@row("F39")
def test_what_a_running_vm_takes_needs_no_reboot(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, network__vlan=99, proxmox__onboot=False, update__reboot="auto")
        done = await configure(site)
        assert (done.code, done.sent("PUT"), done.sent("/status/reboot")) == (ExitCode.OK, 1, 0), done.why
        assert "tag=99" in str(site.vm(OLD).config["net0"])
        assert str(site.vm(OLD).config.get("onboot", 0)) == "0"

    scene(golden, act)


@row("F19")
def test_cloud_init_is_written_to_the_drive_and_reaches_the_guest_with_its_next_boot(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, network__address="10.69.13.77/24")
        done = await configure(site)
        assert (done.code, done.sent("/cloudinit")) == (ExitCode.OK, 1), done.why
        assert "reboot to apply network.address" in done.why
        writes = site.writes
        told = await configure(site)
        assert (site.writes, "reboot to apply network.address" in told.why) == (writes, True), told.why
        assert "10.69.13.5" in str(site.guest(OLD).addresses)
        assert (await configure(site, reboot=True)).code is ExitCode.OK
        assert "10.69.13.77" in str(site.guest(OLD).addresses)
        writes = site.writes
        quiet = await configure(site)
        assert (quiet.code, site.writes, "reboot" in quiet.why) == (ExitCode.OK, writes, False), quiet.why

    scene(golden, act)


@row("F19")
def test_a_reboot_by_somebody_else_ends_the_wait_too(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, network__address="10.69.13.77/24")
        assert (await configure(site)).code is ExitCode.OK
        assert (await site.run("reboot", hosts=(OLD,))).code is ExitCode.OK
        writes = site.writes
        done = await configure(site)
        assert (done.code, site.writes, "reboot" in done.why) == (ExitCode.OK, writes, False), done.why

    scene(golden, act)


@row("F19")
def test_a_guest_that_booted_without_taking_its_address_is_told_as_such(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        del site.vm(OLD).config["ide2"]
        site.vm(OLD).cloudinit.clear()
        says(site, network__address="10.69.13.77/24")
        done = await configure(site, reboot=True)
        assert (done.code, "did not take what cloud-init was told" in done.why) == (ExitCode.FAILED, True), done.why
        assert "and not 10.69.13.77/24" in done.why

    scene(golden, act)


# --- what is not ours stays ------------------------------------------------------------------------------------------


@row("F37", "F21")
def test_only_what_differs_of_what_is_declared_is_written(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = site.vm(OLD)
        for key, value in {
            "cipassword": "$5$lab$theirs",
            "cpulimit": "2",
            "args": "-x",
            "hookscript": "local:s/x",
        }.items():
            vm.config[key] = value
        vm.config["net0"] = f"{vm.config['net0']},rate=12"
        vm.config["tags"] = "core;nixos;pvenix;theirs"
        vm.config["description"] = "Call Ann first.\n\n" + str(vm.config["description"])
        before = dict(vm.config)
        says(site, network__vlan=99, **{"tags+": ["mine"]})
        done = await configure(site)
        assert done.code is ExitCode.OK, done.why
        changed = {key for key in {*before, *vm.config} if before.get(key) != vm.config.get(key)}
        assert changed == {"net0", "tags", "description"}
        assert {"rate=12", "tag=99"} <= set(str(vm.config["net0"]).split(","))
        assert {"theirs", "mine", "pvenix"} <= set(str(vm.config["tags"]).split(";"))
        assert str(vm.config["description"]).startswith("Call Ann first.\n\npvenix-host: ")
        assert (done.sent("cipassword"), done.sent("***")) == (0, 0)

    scene(golden, act)


@row("F37")
def test_a_change_between_reading_and_writing_is_never_overwritten(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, cores=6)
        site.arm("pve-stall", method="PUT", path="/config", seconds=5)
        site.arm("F37", OLD, after_s=2, key="cores", value="3")
        done = await configure(site)
        assert (done.code, "was changed meanwhile" in done.why) == (ExitCode.FAILED, True), done.why
        assert str(site.vm(OLD).config["cores"]) == "3"

    scene(golden, act)


@row("F37")
def test_a_converged_vm_without_a_record_is_not_written_to(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        writes = site.writes
        done = await configure(site)
        assert (done.code, site.writes, recorded(site)) == (ExitCode.OK, writes, {}), done.why

    scene(golden, act)


def test_a_vm_that_pvenix_did_not_make_keeps_its_settings(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.vm(OLD).config["description"] = "made by hand"
        says(site, cores=6)
        writes, done = site.writes, await configure(site)
        assert (site.writes, "pvenix adopt" in done.why) == (writes, True), done.why

    scene(golden, act)


# --- disks -----------------------------------------------------------------------------------------------------------


def disk(size: str = "10G", storage: str = "tankb1") -> list[dict[str, str]]:
    return [{"slot": "scsi1", "size": size, "storage": storage}]


@row("F23")
def test_a_disk_is_added_grown_moved_and_detached_and_never_freed(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = site.vm(OLD)
        says(site, proxmox__disks=disk())
        assert (await configure(site)).code is ExitCode.OK
        assert str(vm.config["scsi1"]).startswith("tankb1:")
        assert recorded(site)["scsi1.size"] == "10G"
        says(site, proxmox__disks=disk("20G"))
        grown = await configure(site)
        assert (grown.sent("/resize"), "size=20G" in str(vm.config["scsi1"])) == (1, True), grown.why
        says(site, proxmox__disks=disk("20G", "tanka1"))
        assert ((await configure(site)).code, str(vm.config["scsi1"])[:7]) == (ExitCode.OK, "tanka1:")
        volumes = {
            str(value).partition(",")[0] for key, value in vm.config.items() if re.fullmatch(r"(scsi|unused)\d+", key)
        }
        says(site, proxmox__disks=[])
        kept = await configure(site)
        assert (kept.code, "scsi1" in vm.config, "protected VM" in kept.why) == (ExitCode.REFUSED, True, True), kept.why
        says(site, proxmox__disks=[], proxmox__protect=False)
        gone = await configure(site)
        assert (gone.code, "scsi1" in vm.config) == (ExitCode.OK, False), gone.why
        assert {str(value) for key, value in vm.config.items() if key.startswith("unused")} == volumes - {
            str(vm.config["scsi0"]).partition(",")[0]
        }
        assert volumes <= {volume for _, volume in site.site.cluster.volumes.entries}
        writes = site.writes
        assert ((await configure(site)).code, site.writes) == (ExitCode.OK, writes)

    scene(golden, act)


def test_a_disk_that_somebody_else_added_stays(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.vm(OLD).config["scsi5"] = "tankb1:vm-200-disk-9,size=4G"
        says(site, cores=6)
        assert (await configure(site)).code is ExitCode.OK
        assert site.vm(OLD).config["scsi5"] == "tankb1:vm-200-disk-9,size=4G"

    scene(golden, act)


def test_no_empty_disk_takes_the_place_of_one_that_somebody_detached(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = site.vm(OLD)
        says(site, proxmox__disks=disk())
        assert (await configure(site)).code is ExitCode.OK
        vm.config["unused0"] = str(vm.config.pop("scsi1")).partition(",")[0]
        writes, done = site.writes, await configure(site)
        assert (done.code, site.writes, "attach it again (unused0 tankb1:" in done.why) == (
            ExitCode.REFUSED, writes, True,
        ), done.why  # fmt: skip

    scene(golden, act)


@row("F23")
def test_a_disk_with_a_change_that_waits_is_not_grown_before_the_reboot(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = site.vm(OLD)
        vm.pending["scsi0"] = f"{vm.config['scsi0']},ssd=1"
        says(site, disk="64G")
        done = await configure(site)
        assert (done.sent("/resize"), done.code) == (0, ExitCode.FAILED), done.why
        assert "a change of it waits for a cold start" in done.why
        assert (await site.run("reboot", hosts=(OLD,))).code is ExitCode.OK
        assert ((await configure(site)).code, "size=64G" in str(vm.config["scsi0"])) == (ExitCode.OK, True)

    scene(golden, act)


@row("F23")
def test_a_disk_that_did_not_grow_is_not_taken_for_grown(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, disk="64G")
        site.arm("F23", OLD)
        done = await configure(site)
        assert (done.code, "did not keep scsi0" in done.why) == (ExitCode.FAILED, True), done.why
        assert (await configure(site)).code is ExitCode.OK
        assert "size=64G" in str(site.vm(OLD).config["scsi0"])

    scene(golden, act)


@row("F22")
def test_no_disk_shrinks_and_nothing_else_is_written(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, disk="8G", cores=6)
        writes, done = site.writes, await configure(site)
        assert (done.code, site.writes) == (ExitCode.REFUSED, writes)
        assert "disk of dns01 cannot go from 32G to 8G" in done.why
        assert "ask for 32G or more" in done.why

    scene(golden, act)


# --- a VM that is off, other cards, what lies outside ----------------------------------------------------------------


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


# --- any inventory ---------------------------------------------------------------------------------------------------

CHOICES: dict[str, list[Any]] = {
    "cores": [1, 4, 8],
    "memory": ["2G", "6G"],
    "balloon": ["1G"],
    "disk": ["32G", "48G"],
    "tags+": [["mine"], ["a", "b"]],
    "proxmox__onboot": [True, False],
    "proxmox__protect": [False],
    "proxmox__notes": ["Ann", "two\nlines"],
    "proxmox__disks": [disk(), disk("10G", "tanka1"), [*disk(), {"slot": "scsi2", "size": "1G", "ssd": True}]],
    "proxmox__storage": ["tankb1"],
    "hardware__numa": [True, False],
    "hardware__serial": [True, False],
    "hardware__display": ["none", "serial0"],
    "hardware__cpu": ["host", "x86-64-v2-AES"],
    "hardware__scsihw": ["virtio-scsi-single"],
    "hardware__tpm": [True, False],
    "hardware__hotplug": ["disk,network", "network"],
    "hardware__ostype": ["l26", "other"],
    "network__vlan": [7, 99],
    "network__mtu": [1400],
    "network__firewall": [True, False],
    "network__trunks": [[5, 12]],
    "network__mac": ["BC:24:11:0A:0B:0C"],
    "network__ip6": ["off", "dhcp", "fd00::5/64"],
    "network__dns": [["1.1.1.1", "9.9.9.9"]],
    "network__search": [["a.example", "b.example"]],
    "nics": [[{"zone": "mgmt"}], [{"bridge": "lan", "vlan": 4, "address": "10.7.0.2/24"}, {"zone": "srvHome"}]],
}


@pytest.mark.parametrize("seed", range(12))
def test_any_change_converges_in_one_run_and_the_next_one_writes_nothing(golden: Golden, seed: int) -> None:
    drawn = random.Random(seed)

    async def act(site: Scene) -> None:
        for _ in range(4):
            chosen = {name: drawn.choice(values) for name, values in CHOICES.items() if drawn.random() < 0.4}
            says(site, **{"proxmox__protect": False, "disk": "48G", **chosen} | {"disk": "48G"})
            done = await configure(site, reboot=True, offline=True)
            assert done.code is ExitCode.OK, (chosen, done.why)
            assert done.sent("/status/reboot") + done.sent("/status/shutdown") <= 1
            writes, again = site.writes, await configure(site)
            assert (again.code, site.writes, site.vm(OLD).pending) == (ExitCode.OK, writes, {}), (chosen, again.why)

    scene(golden, act)


# --- interruptions ---------------------------------------------------------------------------------------------------


@pytest.mark.timeout(180)
@row("F39", "F32")
@pytest.mark.parametrize("offline", [False, True])
def test_killed_at_any_call_it_ends_as_if_nothing_had_happened_and_reboots_once(
    golden: Golden, *, offline: bool
) -> None:
    def everything(site: Scene) -> None:
        says(
            site, cores=6, disk="64G", update__reboot="auto", network__address="10.69.13.77/24", proxmox__disks=disk(),
            proxmox__protect=False, hardware__scsihw="virtio-scsi-single",
        )  # fmt: skip

    task = Task(verb="configure", args={"offline": offline})

    async def whole(site: Scene) -> None:
        everything(site)
        assert (await site.run(task, hosts=(OLD,))).code is ExitCode.OK
        ends.update(_end(site), calls=site.sim.calls.count)

    async def killed(site: Scene, number: int, *, before: bool) -> None:
        everything(site)
        boot = boots(site)
        run = site.sim.plan("killed", (OLD,), task)
        code = await site.sim.run(run, Calls(die_at=number, before=before))
        code = await site.sim.run(run, Calls(), resume=True) if code is KILLED else code
        assert code is ExitCode.OK, (number, before)
        assert {**_end(site), "calls": ends["calls"]} == ends, (number, before)
        done = [one.type for one in site.site.cluster.tasks.values()]
        assert boots(site) != boot, (number, before)
        powered = [done.count(kind) for kind in ("qmreboot", "qmshutdown", "qmstart")]
        assert powered == ([0, 1, 1] if offline else [1, 0, 0]), (number, before)

    ends: dict[str, object] = {}
    scene(golden, whole)
    for number in range(1, int(str(ends["calls"])) + 1):
        for before in (True, False):
            scene(golden, partial(killed, number=number, before=before))


def _end(site: Scene) -> dict[str, object]:
    """The VM without what differs from scene to scene."""
    vm = site.vm(OLD)
    config = {key: value for key, value in vm.config.items() if key not in ("description", "vmgenid")}
    return {"config": config, "pending": dict(vm.pending), "addresses": str(site.guest(OLD).addresses)}


@pytest.mark.parametrize("effect", [True, False])
def test_a_lost_answer_is_looked_at_before_anything_is_sent_again(golden: Golden, *, effect: bool) -> None:
    async def act(site: Scene) -> None:
        says(site, network__vlan=99)
        site.arm("pve-596", method="PUT", path="/config", effect=effect)
        done = await configure(site)
        assert done.sent("/config") == 1
        assert done.code is (ExitCode.OK if effect else ExitCode.UNKNOWN), done.why
        assert (await configure(site)).code is ExitCode.OK
        assert "tag=99" in str(site.vm(OLD).config["net0"])

    scene(golden, act)
