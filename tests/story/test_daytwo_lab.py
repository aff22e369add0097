"""Day two through the command line, on a lab: snapshots, backups, moves, orphans and adoption."""

from __future__ import annotations

import json
import ssl
import urllib.parse
import urllib.request

import pytest

from tests.story.fault_scene import row
from tests.story.world import StoryLab, until, writes

pytestmark = [pytest.mark.story, pytest.mark.slow, pytest.mark.timeout(300)]

HOST = "docker01"
NEW = "tappaas-litellm"


def clone_by_hand(lab: StoryLab, vmid: int, name: str) -> None:
    """Somebody clones the template, without pvenix."""
    pve = lab.data["pve"]
    node = next(vm["node"] for vm in lab.site.vms if vm["vmid"] == 8100)
    form = urllib.parse.urlencode({"newid": vmid, "name": name, "description": "theirs"}).encode()
    request = urllib.request.Request(
        f"{pve['endpoint']}/api2/json/nodes/{node}/qemu/8100/clone",
        data=form,
        headers={"Authorization": f"PVEAPIToken={pve['token_id']}={pve['token_secret']}"},
    )
    trusted = ssl.create_default_context(cafile=pve["ca"])
    urllib.request.urlopen(request, timeout=20, context=trusted).close()
    until(lambda: any(vm.get("name") == name and not vm.get("lock") for vm in lab.site.vms))


def test_a_host_goes_back_to_a_snapshot_and_what_came_after_it_is_gone(lab: StoryLab) -> None:
    lab.ok("snapshot", HOST, "--name", "before")
    lab.ssh(HOST, "sudo", "-n", "dd", "of=/etc/later", "status=none", text="x\n")
    listed = lab.ask("snapshots", HOST)["snapshots"]
    assert [(each["name"], each["ours"], each["present"]) for each in listed] == [("before", True, True)]

    check, counters = lab.counted("restore", HOST, "--to", "before", "-C")
    assert (check.code, writes(counters)) == (3, {}), check.text
    assert "is lost" in check.text
    for words in ((), ("--confirm", "dns01")):
        done, counters = lab.counted("restore", HOST, "--to", "before", *words)
        assert (done.code, writes(counters)) == (2, {}), done.text
    done = lab.ok("restore", HOST, "--to", "before", "--confirm", HOST)
    assert "has booted" in done.text
    assert lab.site.vm(HOST)["status"] == "running"
    assert not (lab.tree(HOST) / "etc/later").exists()


@row("F36")
def test_somebody_s_newer_snapshot_is_listed_as_theirs_and_not_deleted_for_ours(lab: StoryLab) -> None:
    lab.fault("F36", HOST)
    listed = lab.ask("snapshots", HOST)["snapshots"]
    assert [(each["name"], each["parent"], each["ours"]) for each in listed] == [
        ("before", "", True),
        ("by-hand", "before", False),
    ]
    done, counters = lab.counted("delete-snapshot", HOST, "--name", "by-hand", "--confirm", HOST)
    assert (done.code, writes(counters)) == (8, {}), done.text
    done, counters = lab.counted("restore", HOST, "--to", "before", "--confirm", HOST)
    names = [each["name"] for each in lab.ask("snapshots", HOST)["snapshots"]]
    assert names == ["before", "by-hand"], done.text
    lab.ok("delete-snapshot", HOST, "--name", "by-hand", "--theirs", "--confirm", HOST)
    lab.ok("delete-snapshot", HOST, "--name", "before", "--confirm", HOST)
    assert lab.ask("snapshots", HOST)["snapshots"] == []


@row("F35")
def test_the_playbook_of_snapshots_leaves_out_the_machine_that_runs_pvenix(lab: StoryLab) -> None:
    done = lab.ok("run", "playbooks/snapshot.yaml", "-l", f"{HOST}:tappaas-cicd", "-e", "name=risky")
    assert "tappaas-cicd" not in done.text
    assert [each["name"] for each in lab.ask("snapshots", "all")["snapshots"]] == ["risky"]
    assert lab.ends(8, "snapshot", "tappaas-cicd").text.count("runs pvenix") >= 1


def test_the_playbook_of_maintenance_reboots_and_proves_it(lab: StoryLab) -> None:
    before = lab.ssh(HOST, "cat", "/proc/sys/kernel/random/boot_id")
    done = lab.ok("run", "playbooks/maintenance.yaml", "-l", HOST, "--yes")
    assert "the same system as its boot default" in done.text
    assert lab.ssh(HOST, "cat", "/proc/sys/kernel/random/boot_id") != before


def test_power_is_what_proxmox_says_afterwards(lab: StoryLab) -> None:
    lab.ok("shutdown", HOST)
    assert lab.site.vm(HOST)["status"] == "stopped"
    again, counters = lab.counted("stop", HOST)
    assert (again.code, writes(counters)) == (0, {}), again.text
    lab.ok("start", HOST)
    assert lab.site.vm(HOST)["status"] == "running"
    assert "controller" not in lab.ends(8, "stop", "tappaas-cicd").text


@row("F27")
def test_power_is_what_the_ha_manager_made_of_it_when_the_command_ends(lab: StoryLab) -> None:
    lab.fault("F27", HOST)
    lab.ok("stop", HOST)
    assert lab.site.vm(HOST)["status"] == "stopped"
    lab.ok("start", HOST)
    assert lab.site.vm(HOST)["status"] == "running"
    lab.ok("lab", "clear", str(lab.lab))


@row("F35")
def test_a_host_that_must_not_be_frozen_is_not(lab: StoryLab) -> None:
    before = len(lab.ask("snapshots", HOST)["snapshots"])
    refused, counters = lab.counted("snapshot", HOST, "--set", "snapshot.freeze=false")
    assert (refused.code, writes(counters)) == (8, {}), refused.text
    assert "--memory" in refused.text
    lab.ok("snapshot", HOST, "--memory", "--set", "snapshot.freeze=false")
    assert len(lab.ask("snapshots", HOST)["snapshots"]) == before + 1


@row("F33")
def test_a_volume_without_a_vm_is_shown_and_kept(lab: StoryLab) -> None:
    lab.ok("lab", "fault", str(lab.lab), "F33")
    done, counters = lab.counted("orphans")
    assert (done.code, writes(counters)) == (3, {}), done.text
    assert "pvesm free tanka1:vm-399-disk-0" in done.text
    lab.ok("lab", "clear", str(lab.lab))


def test_a_backup_is_listed_where_the_inventory_wants_it(lab: StoryLab) -> None:
    assert "machine.backup.storage" in lab.ends(1, "backup", HOST).text
    lab.ok("host", "edit", HOST, "backup.storage=local")
    done = lab.ok("backup", HOST)
    site = lab.site
    node, vmid = site.vm(HOST)["node"], site.vm(HOST)["vmid"]
    listed = [each for each in site.api(f"/nodes/{node}/storage/local/content?content=backup") if each["vmid"] == vmid]
    assert len(listed) == 1
    assert listed[0]["volid"] in done.text


@row("F26")
def test_a_host_that_was_moved_by_hand_is_the_same_host(lab: StoryLab) -> None:
    home = lab.site.vm(HOST)["node"]
    other = "tappaas3" if home != "tappaas3" else "tappaas1"
    lab.fault("F26", HOST, node=other)
    lab.ok("migrate", HOST, "--to", home)
    assert lab.site.vm(HOST)["node"] == home
    assert "tappaas9" in lab.ends(1, "migrate", HOST, "--to", "tappaas9").text


@row("F32")
def test_what_a_killed_run_and_a_vanished_host_leave_is_an_orphan_until_it_is_removed(lab: StoryLab) -> None:
    assert lab.ask("orphans")["orphans"] == []
    lab.fault("clone-slow", NEW, seconds=120)
    site = lab.site
    lab.killed_when(lambda: any(task["type"] == "qmclone" for task in site.api("/cluster/tasks")), "clone", NEW)
    run = lab.ask("runs", "list", "-n", "1")["runs"][0]["run"]
    lab.release()
    until(lambda: any(vm.get("name") == NEW for vm in lab.site.vms))
    vmid = lab.site.vm(NEW)["vmid"]
    [left] = json.loads(lab.ends(3, "orphans", "-o", "json").out)["orphans"]
    assert (left["kind"], left["vmid"], left["ways"]) == ("unfinished run", vmid, [f"pvenix resume {run}"])
    lab.ok("resume", run)
    assert lab.ask("orphans")["orphans"] == []

    hosts = lab.fleet / "inventory/hosts.yaml"
    before = hosts.read_text()
    lines = before.splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.strip() == f"{NEW}:")
    hosts.write_text("".join(lines[:start] + lines[start + 3 :]))
    done = lab.ends(3, "orphans", "-o", "json")
    assert f'"vmid": {vmid}' in done.out
    refused, counters = lab.counted("orphans", "remove", "200", "--confirm", "200")
    assert (refused.code, writes(counters)) == (8, {}), refused.text
    refused, counters = lab.counted("orphans", "remove", str(vmid))
    assert (refused.code, writes(counters)) == (2, {}), refused.text
    lab.ok("orphans", "remove", str(vmid), "--confirm", str(vmid))
    assert NEW not in {vm.get("name") for vm in lab.site.vms}
    hosts.write_text(before)
    assert lab.ask("orphans")["orphans"] == []


def test_a_vm_made_by_hand_becomes_a_host_without_a_change_to_it(lab: StoryLab) -> None:
    clone_by_hand(lab, 431, "web03")
    before = lab.site.config("web03")
    check, counters = lab.counted("adopt", "431", "web03", "-C")
    assert (check.code, writes(counters)) == (3, {}), check.text
    assert "web03" not in (lab.fleet / "inventory/hosts.yaml").read_text()
    lab.ok("adopt", "431", "web03", "--yes")
    after = lab.site.config("web03")
    assert {key for key in {*before, *after} if before.get(key) != after.get(key)} == {"description", "tags", "digest"}
    assert after["description"].startswith("theirs\n")
    plan = lab.ask("plan", "-l", "web03")
    [host] = plan["hosts"]
    assert [each["field"] for each in host["fields"] if each["state"] not in ("equal", "unmanaged")] == []
