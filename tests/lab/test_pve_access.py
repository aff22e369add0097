"""Who may call what (proxmox.md a2, a8)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pvenix_lab.site.pve.api import answer
from pvenix_lab.site.pve.errors import PermissionDeniedError
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.permissions import Caller, check_permissions
from pvenix_lab.site.pve.rights import Rights
from tests.lab.pve_support import NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "No ticket"),
        ("Basic Zm9vOmJhcg==", "No ticket"),
        ("PVEAPIToken=pvenix@pve=0", "no tokenid specified"),
        ("PVEAPIToken=pvenix@pve!lab", "no tokenid specified"),
        ("PVEAPIToken=nobody@pve!lab=0", "no such user ('nobody@pve')"),
        ("PVEAPIToken=pvenix@pve!other=0", "no such token 'other' for user 'pvenix@pve'"),
        ("PVEAPIToken=pvenix@pve!lab=0", "invalid token value!"),
    ],
)
def test_a_bad_token_is_answered_after_three_seconds_without_a_body(
    tmp_path: Path, header: str | None, reason: str
) -> None:
    async def story(lab: PveLab) -> None:
        started = asyncio.get_running_loop().time()
        response = await answer(lab.site, "GET", "/version", {}, header)
        assert (response.status, response.reason, response.body) == (401, reason, None)
        assert asyncio.get_running_loop().time() - started == pytest.approx(3.0)

    lab = in_lab(tmp_path, story)
    assert lab.site.counters.pve_reads == 0


def test_an_unknown_path_is_not_revealed_to_a_caller_without_a_token(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        response = await answer(lab.site, "GET", "/no/such/path", {}, None)
        assert response.status == 401

    in_lab(tmp_path, story)


def test_a_token_cannot_get_a_ticket(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        response = await lab.ask("POST", "/access/ticket", username="root@pam", password="x")
        assert response.status == 403
        text = "Permission check failed (URI '/access/ticket' not available with API token, need proper ticket."
        assert response.reason == text
        assert response.body == {"data": None, "message": f"{text}\n)\n"}

    in_lab(tmp_path, story)


def test_a_refused_ticket_is_a_401_with_a_body(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        credentials = {"username": "root@pam", "password": "x"}
        response = await answer(lab.site, "POST", "/access/ticket", credentials, None)
        assert (response.status, response.body) == (401, {"data": None, "message": "authentication failure\n"})

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("method", "path", "params", "reason"),
    [
        ("DELETE", TEMPLATE, {}, "Permission check failed (/vms/8100, VM.Allocate)"),
        ("POST", f"{TEMPLATE}/clone", {"newid": "250"}, "Permission check failed (/vms/8100, VM.Clone)"),
        ("POST", f"{TEMPLATE}/status/start", {}, "Permission check failed (/vms/8100, VM.PowerMgmt)"),
        ("POST", f"{TEMPLATE}/agent/ping", {}, "Permission check failed (/vms/8100, VM.Monitor)"),
        (
            "POST",
            f"{TEMPLATE}/snapshot/s1/rollback",
            {},
            "Permission check failed (/vms/8100, VM.Snapshot|VM.Snapshot.Rollback)",
        ),
    ],
)
def test_the_read_only_token_is_refused_every_write_with_path_and_privilege(
    tmp_path: Path, method: str, path: str, params: dict[str, str], reason: str
) -> None:
    async def story(lab: PveLab) -> None:
        response = await lab.ask(method, path, lab.viewer, **params)
        assert (response.status, response.reason) == (403, reason)
        assert response.body == {"data": None, "message": f"{reason}\n"}

    lab = in_lab(tmp_path, story)
    assert lab.site.counters.pve_writes == 0


def test_the_read_only_token_reads_what_the_operator_reads(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        for path in ("/cluster/resources", f"{NODE}/qemu", f"{TEMPLATE}/config", f"{NODE}/storage"):
            ours, theirs = await lab.ask("GET", path, lab.viewer), await lab.ask("GET", path)
            assert (ours.status, ours.body) == (200, theirs.body)
        assert (await lab.ask("GET", f"{NODE}/storage/tanka1/content", lab.viewer)).data == []

    in_lab(tmp_path, story)


def test_lists_are_filtered_and_not_refused_for_a_token_without_rights(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        lab.site.cluster.rights.add_token("poor@pve!none", "s")
        poor = "PVEAPIToken=poor@pve!none=s"
        await lab.clone()
        for path in (f"{NODE}/qemu", f"{NODE}/storage", f"{NODE}/tasks", "/pools", "/cluster/tasks"):
            assert (await lab.ask("GET", path, poor)).data == []
        resources = (await lab.ask("GET", "/cluster/resources", poor)).data
        assert {item["type"] for item in resources} == {"node"}
        assert all("mem" not in item for item in resources)
        assert (await lab.ask("GET", "/cluster/status", poor)).reason == "Permission check failed (/, Sys.Audit)"

    in_lab(tmp_path, story)


def test_a_composite_check_fails_with_the_bare_text() -> None:
    rules = {
        "check": [
            "and",
            ["perm", "/vms/{vmid}", ["VM.Clone"]],
            [
                "or",
                ["perm", "/vms/{newid}", ["VM.Allocate"]],
                ["perm", "/pool/{pool}", ["VM.Allocate"], "require_param", "pool"],
            ],
        ]
    }
    rights = Rights(flavour=Flavour.PVE_8_4, roles={"Cloner": frozenset({"VM.Clone"})})
    rights.add_token("a@pve!b", "s", roles={"/vms/8100": "Cloner"})
    with pytest.raises(PermissionDeniedError) as caught:
        check_permissions(rules, Caller(auth_id="a@pve!b", rights=rights), {"vmid": 8100, "newid": 250})
    assert caught.value.message == "Permission check failed"


def test_a_foreign_task_needs_an_audit_right_to_read_and_a_modify_right_to_stop(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        upid = str((await lab.ask("POST", f"{TEMPLATE}/clone", newid="250")).data)
        assert (await lab.ask("GET", f"{NODE}/tasks/{upid}/status", lab.viewer)).status == 200
        refused = await lab.ask("DELETE", f"{NODE}/tasks/{upid}", lab.viewer)
        assert refused.reason == "Permission check failed (/nodes/tappaas1, Sys.Modify)"

    in_lab(tmp_path, story)


def test_only_root_may_set_raw_devices_and_arguments(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        for params, reason in (
            ({"args": "-device x"}, "only root can set 'args' config"),
            ({"vmgenid": "1"}, "only root can set 'vmgenid' config"),
            ({"hostpci0": "0000:01:00.0"}, "only root can set 'hostpci0' config for non-mapped devices"),
            ({"serial1": "/dev/ttyS0"}, "only root can set 'serial1' config for real devices"),
        ):
            response = await lab.ask("PUT", f"{TEMPLATE}/config", **params)
            assert (response.status, response.reason) == (500, reason)
        skipped = await lab.ask("PUT", f"{TEMPLATE}/config", cores="4", skiplock="1")
        assert (skipped.status, skipped.body and skipped.body["errors"]) == (
            400,
            {"skiplock": "Only root may use this option."},
        )
        assert (await lab.ask("PUT", f"{TEMPLATE}/config", hostpci0="mapping=gpu0,pcie=1")).status == 200

    in_lab(tmp_path, story)
