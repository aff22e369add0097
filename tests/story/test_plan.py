"""`pvenix plan` and `pvenix apply` as a person has them, the far side asked by plain HTTPS and git."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from pvenix.fleet.edit import remove_host
from tests.story.fault_scene import row
from tests.story.world import Done, StoryLab, writes

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

NEW, OLD = "tappaas-litellm", "docker01"
VARS = f"inventory/host_vars/{OLD}.yaml"
RESIDENTS = "all:!tappaas-litellm:!tappaas-vllm"
"""Hosts that the lab starts with exactly as the inventory has them."""


@pytest.fixture(autouse=True)
def _as_it_was(lab: StoryLab) -> Iterator[None]:
    yield
    lab.ok("lab", "clear", str(lab.lab))
    lab.git("checkout", "--quiet", "--", ".")


def plan(lab: StoryLab, *words: str) -> dict[str, Any]:
    """The document of a plan, whatever it ends with."""
    done = lab.pvenix("plan", *words, "-o", "json")
    assert "Traceback" not in done.text
    found: dict[str, Any] = json.loads(done.out)
    return found


def host(lab: StoryLab, name: str) -> dict[str, Any]:
    """The plan of one host."""
    [found] = plan(lab, name)["hosts"]
    return dict(found)


def differing(lab: StoryLab, name: str) -> dict[str, str]:
    """The fields of a host that are neither equal nor unmanaged, with their state."""
    return {one["field"]: one["state"] for one in host(lab, name)["fields"] if one["state"] != "unmanaged"}


def says(lab: StoryLab, name: str, **fields: str) -> None:
    """Let the operator's checkout say more of a host."""
    lab.ok("host", "edit", name, *(f"{key.replace('__', '.')}={value}" for key, value in fields.items()))


def by_hand(lab: StoryLab, name: str, **options: str) -> None:
    """Somebody writes options of a VM over plain HTTPS."""
    pve, vm = lab.data["pve"], lab.site.vm(name)
    header = f"Authorization: PVEAPIToken={pve['token_id']}={pve['token_secret']}"
    url = f"{pve['endpoint']}/api2/json/nodes/{vm['node']}/qemu/{vm['vmid']}/config"
    call = ("curl", "-sS", "--fail", "--cacert", pve["ca"], "-H", header, "-X", "PUT")
    lab.tool(*call, "--data", urllib.parse.urlencode(options), url)


def apply(lab: StoryLab, *words: str) -> Done:
    """An apply that must go well."""
    return lab.ends(0, "apply", *words, "--yes")


def option(lab: StoryLab, name: str, key: str) -> str:
    """An option of a host's VM as Proxmox keeps it."""
    return str(lab.site.config(name).get(key, ""))


def test_a_fresh_lab_is_in_order_and_awaits_two_newcomers(lab: StoryLab) -> None:
    found = plan(lab)
    actions = {one["host"]: one["action"] for one in found["hosts"] if one["action"] != "none"}
    assert actions == {"tappaas-litellm": "add", "tappaas-vllm": "add"}
    assert (found["strays"], found["warnings"]) == ([], [])
    done = lab.ends(0, "doctor")
    assert [line for line in done.out.splitlines() if line.strip() and not line.startswith("ok ")] == []


def test_hosts_that_are_as_they_should_be_are_counted_and_nothing_is_written(lab: StoryLab) -> None:
    done, counters = lab.counted("plan", RESIDENTS)
    assert (done.code, writes(counters)) == (0, {}), done.text
    assert done.out.splitlines()[-1].endswith("as they should be")
    done, counters = lab.counted("apply", RESIDENTS, "--yes")
    assert (done.code, writes(counters), "nothing to do" in done.err) == (0, {}, True), done.text


def test_what_would_change_ends_a_plan_with_three_and_80_columns_hold_it(lab: StoryLab) -> None:
    done = lab.ends(3, "plan")
    assert f"+ {NEW}" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_what_only_a_vm_that_is_off_takes_names_the_option_that_an_apply_needs(lab: StoryLab) -> None:
    says(lab, OLD, hardware__tpm="true")
    done = lab.ends(3, "plan", OLD)
    assert f"pvenix apply {OLD} --offline" in done.err
    done, counters = lab.counted("apply", OLD, "--yes")
    assert (done.code, writes(counters)) == (0, {}), done.text
    lab.ok("apply", OLD, "--yes", "--offline")
    lab.ends(0, "plan", OLD)
    lab.git("checkout", "--quiet", "--", ".")
    lab.ok(
        "apply", OLD, "--yes", "--offline"
    )  # detached again: what is not declared any more, and was recorded as ours
    lab.ends(0, "plan", OLD)


def test_a_change_is_written_once_and_read_back(lab: StoryLab) -> None:
    says(lab, OLD, proxmox__onboot="false")
    assert differing(lab, OLD) == {"proxmox.onboot": "change"}
    shown = lab.ends(3, "apply", OLD, "-C")
    assert "PUT /nodes/" in shown.text
    assert "onboot=0" in shown.text
    assert differing(lab, OLD) == {"proxmox.onboot": "change"}
    apply(lab, OLD)
    assert option(lab, OLD, "onboot") == "0"
    done, counters = lab.counted("apply", OLD, "--yes")
    assert (done.code, writes(counters)) == (0, {}), done.text
    lab.git("checkout", "--quiet", "--", ".")
    apply(lab, OLD)
    assert option(lab, OLD, "onboot") == "1"


def test_drift_conflict_and_waiting_are_told_apart(lab: StoryLab) -> None:
    says(lab, OLD, proxmox__onboot="true", cores="5")
    apply(lab, OLD)
    assert differing(lab, OLD) == {"cores": "pending"}
    assert lab.ok("plan", OLD).out.endswith("1 with changes that wait for a cold start\n")
    apply(lab, OLD, "--reboot")
    assert differing(lab, OLD) == {}
    by_hand(lab, OLD, onboot="0")
    assert differing(lab, OLD) == {"proxmox.onboot": "drift"}
    says(lab, OLD, tags="[mine]")
    by_hand(lab, OLD, tags="pvenix;theirs")
    assert differing(lab, OLD) == {"proxmox.onboot": "drift", "tags": "conflict"}
    apply(lab, OLD)
    assert (option(lab, OLD, "onboot"), set(option(lab, OLD, "tags").split(";"))) == ("1", {"mine", "pvenix", "theirs"})


def test_drift_becomes_one_commit_for_a_review(lab: StoryLab) -> None:
    apply(lab, OLD, "--reboot")
    by_hand(lab, OLD, onboot="0")
    done = lab.ends(3, "plan", "-l", OLD, "--accept-drift")
    assert f"drift/{OLD}" in done.out
    lab.git("fetch", "--quiet")
    changed = lab.git("diff", "--unified=0", f"origin/main...origin/drift/{OLD}", "--", VARS).splitlines()[4:]
    assert [line for line in changed if line.startswith("-")] == []
    assert "+    onboot: false" in changed
    tip = lab.git("rev-parse", f"origin/drift/{OLD}")
    assert "was there already" in lab.ends(3, "plan", "-l", OLD, "--accept-drift").out
    lab.git("fetch", "--quiet")
    assert lab.git("rev-parse", f"origin/drift/{OLD}") == tip
    lab.ends(2, "plan", "-l", OLD, "--accept-drift", "--field", "memory")
    apply(lab, OLD)


@pytest.mark.parametrize("what", ["commit", "observed", "digest", "wish"])
def test_a_kept_plan_is_refused_when_anything_moved_and_the_field_is_named(lab: StoryLab, what: str) -> None:
    apply(lab, OLD, "--reboot")
    says(lab, OLD, proxmox__onboot="false")
    kept = lab.folder / f"{what}.json"
    lab.ends(3, "plan", OLD, "--out", str(kept))
    match what:
        case "commit":
            lab.git("commit", "--quiet", "--allow-empty", "--message", "Another commit")
            word = "commit was"
        case "observed":
            by_hand(lab, OLD, onboot="0")
            word = f"{OLD}: proxmox.onboot was change (1 at Proxmox) and is as it should be"
        case "digest":
            by_hand(lab, OLD, cpulimit="2")
            word = f"{OLD}: cpulimit was as it should be and is unmanaged"
        case _:
            says(lab, OLD, proxmox__onboot="true", cores="7")
            word = f"{OLD}: cores was"
    done, counters = lab.counted("apply", str(kept), "--yes")
    assert (done.code, writes(counters)) == (8, {}), done.text
    assert word in done.err, done.err
    by_hand(lab, OLD, onboot="1", **({"delete": "cpulimit"} if what == "digest" else {}))


def test_a_kept_plan_is_applied_when_nothing_moved(lab: StoryLab) -> None:
    says(lab, OLD, proxmox__onboot="false")
    kept = lab.folder / "kept.json"
    lab.ends(3, "plan", OLD, "--out", str(kept))
    assert lab.data["pve"]["token_secret"] not in kept.read_text()
    apply(lab, str(kept))
    assert option(lab, OLD, "onboot") == "0"
    lab.ends(8, "apply", str(kept), "--yes")


@pytest.mark.parametrize(
    ("text", "word"),
    [("{}", "names no schema"), ('{"schema": "pvenix/plan/v9"}', "pvenix/plan/v9"), ("nonsense", "no JSON")],
)
def test_a_file_that_is_no_plan_is_refused_with_what_to_do(lab: StoryLab, text: str, word: str) -> None:
    path = lab.folder / "nonsense.json"
    path.write_text(text)
    done = lab.ends(2, "apply", str(path))
    assert word in done.err
    assert "pvenix plan --out" in done.err


def test_a_plan_of_another_fleet_is_refused(lab: StoryLab) -> None:
    kept = lab.folder / "foreign.json"
    lab.pvenix("plan", OLD, "--out", str(kept))
    kept.write_text(kept.read_text().replace(plan(lab, "dns01")["fleet"], "somewhere-else"))
    assert "somewhere-else" in lab.ends(2, "apply", str(kept)).err


def test_a_new_host_is_added_where_the_plan_says(lab: StoryLab) -> None:
    kept = lab.folder / "add.json"
    lab.ends(3, "plan", NEW, "--out", str(kept))
    [planned] = json.loads(kept.read_text())["hosts"]
    apply(lab, str(kept))
    vm = lab.site.vm(NEW)
    assert (str(vm["vmid"]), vm["node"]) == (planned["decision"]["vmid"], planned["decision"]["node"])
    lab.git("fetch", "--quiet")
    assert lab.git("rev-parse", f"origin/registration/{NEW}")
    assert host(lab, NEW)["action"] == "none"


def test_a_host_that_is_gone_from_the_inventory_is_shown_and_kept(lab: StoryLab) -> None:
    vmid = lab.site.vm("nix-cache01")["vmid"]
    hosts = lab.fleet / "inventory/hosts.yaml"
    hosts.write_text(remove_host(hosts.read_text(), "nix-cache01"))
    (lab.fleet / "inventory/host_vars/nix-cache01.yaml").unlink()
    found = plan(lab)
    assert [(one["vmid"], one["host"]) for one in found["strays"]] == [(vmid, "nix-cache01")]
    assert found["summary"]["destroy"] == 0
    assert "the inventory has no nix-cache01" in " ".join(lab.pvenix("plan").out.split())


@row("F28")
def test_a_token_that_sees_nothing_adds_nothing(lab: StoryLab) -> None:
    lab.ok("lab", "fault", str(lab.lab), "rights-lost")
    done, counters = lab.counted("apply", "--yes")
    assert (done.code, writes(counters), "sees no VM" in done.err) == (8, {}, True), done.text


@row("F11")
def test_a_node_that_is_down_leaves_its_own_hosts_unknown(lab: StoryLab) -> None:
    lab.ok("lab", "fault", str(lab.lab), "node-down", "--arg", f"node={lab.site.vm(OLD)['node']}")
    done = lab.ends(4, "plan", f"dns01:{OLD}", "-o", "json")
    assert {one["host"]: one["action"] for one in json.loads(done.out)["hosts"]} == {"dns01": "none", OLD: "unknown"}


def test_a_cluster_that_does_not_answer_is_one_clear_error(lab: StoryLab) -> None:
    lab.ok("lab", "fault", str(lab.lab), "node-down", "--arg", "node=tappaas1")
    done = lab.ends(4, "plan")
    assert done.err.count("error[") == 1


@row("F43")
def test_without_quorum_the_plan_is_the_same_with_a_warning(lab: StoryLab) -> None:
    before = plan(lab, RESIDENTS)
    lab.ok("lab", "fault", str(lab.lab), "no-quorum")
    after = plan(lab, RESIDENTS)
    assert [(one["host"], one["action"]) for one in after["hosts"]] == [
        (one["host"], one["action"]) for one in before["hosts"]
    ]
    assert "no quorum" in lab.pvenix("plan", RESIDENTS).out


def test_an_absent_host_is_destroyed_only_by_its_name(lab: StoryLab) -> None:
    says(lab, OLD, state="absent")
    assert f"- {OLD}" in lab.ends(3, "plan").out
    done, counters = lab.counted("apply", OLD, "--yes")
    assert (done.code, writes(counters), f"--confirm {OLD}" in done.err) == (2, {}, True), done.text
    lab.ends(2, "apply", OLD, "--yes", "--confirm", "dns01")
    lab.ends(0, "apply", OLD, "--yes", "--confirm", OLD)
    with pytest.raises(LookupError):
        lab.site.vm(OLD)
    assert host(lab, OLD)["action"] == "none"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoryLab]:
    """A lab of 200 hosts beside the starter fleet's."""
    story = StoryLab(tmp_path_factory.mktemp("large").resolve(), "--hosts", "200")
    yield story
    story.pvenix("lab", "down", str(story.lab), cwd=story.folder)


def test_two_hundred_hosts_take_one_read_of_the_cluster_and_at_most_two_of_each(large: StoryLab) -> None:
    done, counters = large.counted("plan", "web-*", "-o", "json")
    found = json.loads(done.out)
    assert (done.code, len(found["hosts"]), found["summary"]["none"]) == (0, 200, 200), done.err
    assert counters["pve_reads"] <= 1 + 2 * 200
    assert writes(counters) == {}
