"""The rows of failures of the cluster, its rights and its locks, on the lab's far side, through the command line."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pvenix.lifecycle import waiting
from tests.story.fault_scene import row
from tests.story.inside import Inside, _no_fault_is_left, person

__all__ = ["_no_fault_is_left", "person"]
pytestmark = [pytest.mark.story, pytest.mark.slow, pytest.mark.timeout(60)]


def cloned(person: Inside, name: str, *fields: str) -> str:
    """A host whose VM was never started."""
    person.newcomer(name, *fields)
    person.ends(0, "clone", name)
    return name


def booted(person: Inside, name: str, *fields: str) -> str:
    """A host that runs."""
    cloned(person, name, *fields)
    person.ends(0, "cloudinit", name)
    person.ends(0, "boot", name)
    return name


@row("F03")
def test_a_machine_that_has_a_host_s_id_and_name_is_not_that_host(person: Inside) -> None:
    name = booted(person, "f03", "proxmox.vmid=483")
    person.arm("F03", "--host", name)
    before = person.config(name)
    for words in (("clone", name), ("cloudinit", name), ("boot", name), ("retire", name, "--confirm", name, "--yes")):
        done, written = person.written(8, *words)
        assert "another machine" in done.text, words
        assert written == {}
    assert "another machine" in person.ends(8, "plan", name).text
    assert person.config(name) == before


@row("F05")
def test_a_lock_is_waited_for_and_named_with_its_task(person: Inside) -> None:
    name = cloned(person, "f05a")
    person.arm("F05", "--host", name, "--for", "3")
    began = time.monotonic()
    done = person.ends(0, "cloudinit", name)
    assert "is locked (backup), its newest task is vzdump" in done.text
    assert time.monotonic() - began > 2
    assert person.config(name)["ipconfig0"]


@row("F05")
def test_a_lock_that_stays_is_never_taken_away(person: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults: dict[str, Any] = waiting.unlocked.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "timeout_s", 1.0)
    name = cloned(person, "f05b")
    person.arm("F05", "--host", name, "--arg", "lock=snapshot", "--arg", "alive=no")
    vm = person.vm(name)
    done, written = person.written(1, "cloudinit", name)
    assert f"VM {vm['vmid']} stays locked (snapshot)" in done.text
    assert f"qm unlock {vm['vmid']} on {vm['node']}" in done.text
    assert (written, person.config(name)["lock"]) == ({}, "snapshot")


@row("F06")
def test_a_host_is_gone_when_its_vm_is_gone_and_not_before(person: Inside) -> None:
    name = cloned(person, "f06")
    person.arm("F06", "--host", name, "--arg", "seconds=3")
    began = time.monotonic()
    person.ends(0, "destroy", name, "--confirm", name, "--yes")
    assert (time.monotonic() - began > 3, person.vms(name)) == (True, [])
    person.ends(0, "clone", name)
    assert len(person.vms(name)) == 1


@row("F11")
def test_a_node_that_is_down_takes_only_its_own_hosts_along(person: Inside) -> None:
    away, here = cloned(person, "f11a", "proxmox.node=tappaas2"), cloned(person, "f11b", "proxmox.node=tappaas1")
    person.arm("F11", "--arg", "node=tappaas2")
    planned = person.ends(4, "plan", f"{away}:{here}").text
    assert f"? {away}  not known" in planned
    assert f"+ {here}  VM" in planned
    person.ends(0, "cloudinit", here)
    done, written = person.written(4, "clone", away)
    assert "node tappaas2 does not answer" in done.text
    assert written == {}


@row("F12")
def test_a_node_that_the_others_do_not_trust_is_named_and_nothing_is_written(person: Inside) -> None:
    name = cloned(person, "f12")
    node = person.vm(name)["node"]
    person.arm("F12", "--arg", f"node={node}")
    done, written = person.written(4, "cloudinit", name)
    assert f"/nodes/{node}/" in done.text
    assert written == {}
    person.clear()
    wrong = person.ends(2, "plan", name, "--set", f"proxmox.node={node}.mgmt.internal")
    assert "a node name is one label, not an FQDN" in wrong.text
    unknown = person.ends(2, "plan", person.newcomer("f12b"), "--set", "proxmox.node=tappaas7")
    assert "there is no node `tappaas7`" in unknown.text


@pytest.mark.parametrize("certificate", ["self-signed", "wrong-name", "other-ca"])
@row("F13")
def test_a_certificate_that_proves_nothing_is_shown_and_sent_no_token(person: Inside, certificate: str) -> None:
    person.arm("F13", "--arg", f"certificate={certificate}")
    person.ends(0, "lab", "reset-counters", str(person.lab.lab))
    done = person.ends(8, "plan")
    assert "did not prove its identity" in done.text
    assert "compare the certificate" in done.text
    assert person.lab.control()["counters"]["pve_reads"] == 0


@row("F14")
def test_a_login_that_dies_writes_nothing_and_the_run_goes_on_later(person: Inside) -> None:
    name = person.newcomer("f14")
    person.arm("F14")
    done, written = person.written(8, "clone", name)
    assert "does not accept the API token" in done.text
    assert written == {}
    person.clear()
    person.ends(0, "clone", name)
    assert len(person.vms(name)) == 1


@row("F21", "F37")
def test_what_somebody_else_set_stays_as_it_is(person: Inside) -> None:
    name = booted(person, "f21")
    person.arm("F21", "--host", name)
    person.arm("F37", "--host", name)
    before = person.config(name)
    assert (float(before["cpulimit"]), "cipassword" in before) == (2, True)
    for words in (("clone", name), ("cloudinit", name), ("configure", name)):
        done = person.ends(0, *words, "-v")
        assert "cipassword=" not in done.text
        assert "cpulimit" not in done.text.replace("unmanaged", "")
    after = person.config(name)
    assert (after["cpulimit"], after["cipassword"]) == (before["cpulimit"], before["cipassword"])


@row("F37")
def test_a_change_between_reading_and_writing_is_noticed(person: Inside) -> None:
    name = cloned(person, "f37")
    person.arm("pve-stall", "--arg", "method=PUT", "--arg", "path=/config", "--arg", "seconds=2")
    person.arm("F37", "--host", name, "--after", "1")
    done = person.ends(1, "cloudinit", name)
    assert "was changed meanwhile" in done.text
    person.ends(0, "cloudinit", name)
    assert float(person.config(name)["cpulimit"]) == 2


@row("F26")
def test_a_vm_that_was_moved_is_found_and_not_made_again(person: Inside) -> None:
    name = cloned(person, "f26", "proxmox.nodes=[tappaas1,tappaas2,tappaas3]")
    person.arm("F26", "--host", name)
    vmid = person.vm(name)["vmid"]
    planned = person.ends(3, "plan", name).text
    assert f"go on with VM {vmid} on {person.vm(name)['node']}" in planned
    assert "make VM" not in planned
    for verb in ("clone", "cloudinit", "boot"):
        person.ends(0, verb, name)
    assert (len(person.vms(name)), person.vm(name)["status"]) == (1, "running")


@row("F27")
def test_the_ha_manager_s_vm_goes_on_running_where_it_may_not_be_taken_from_it(person: Inside) -> None:
    name = booted(person, "f27")
    person.arm("F27", "--host", name)
    person.arm("rights-lost", "--arg", "privilege=Sys.Console")
    done = person.ends(8, "destroy", name, "--confirm", name, "--yes")
    assert f"HA resource vm:{person.vm(name)['vmid']} (state started) is removed first" in done.text
    assert "it takes Sys.Console on /" in done.text
    assert person.vm(name)["status"] == "running"
    person.ends(0, "shutdown", name, "--yes")
    assert person.vm(name)["status"] == "stopped"


@row("F28")
def test_a_missing_privilege_is_named_with_the_line_that_gives_it(person: Inside) -> None:
    name = person.newcomer("f28a")
    person.arm("F28", "--arg", "privilege=VM.Clone")
    done, _ = person.written(8, "clone", name)
    assert "VM.Clone" in done.text
    assert "pve" in done.text
    assert person.vms(name) == []
    examined = person("doctor")
    assert examined.code != 0
    assert "VM.Clone" in examined.text
    assert "pveum" in examined.text


@row("F28")
def test_an_empty_list_is_not_taken_for_an_empty_cluster(person: Inside) -> None:
    name = cloned(person, "f28b")
    person.arm("F28")
    for words in (("clone", name), ("plan",)):
        done, written = person.written(8, *words)
        assert "VM.Audit" in done.text
        assert written == {}
    person.clear()
    assert len(person.vms(name)) == 1


@row("F34")
def test_a_job_that_names_the_vm_is_told_before_it_is_shortened(person: Inside) -> None:
    name = cloned(person, "f34")
    person.arm("F34", "--host", name)
    shown, written = person.written(3, "destroy", name, "--confirm", name, "-C")
    line = "backup job backup-by-hand"
    assert (line in shown.text, written) == (True, {})
    done = person.ends(0, "destroy", name, "--confirm", name, "--yes")
    assert line in done.text
    assert person.vms(name) == []


@row("F43")
def test_without_a_quorum_nothing_is_written_and_reading_goes_on(person: Inside) -> None:
    name = person.newcomer("f43")
    person.arm("F43")
    done, written = person.written(8, "clone", name)
    assert ("no quorum" in done.text, written) == (True, {})
    assert person("plan", "dns01").code in (0, 3)
    assert "quorum" in person("doctor").text
    person.clear()
    person.ends(0, "clone", name)
