"""A call is checked against the schema before anything happens (proxmox.md a3, a10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pvenix_lab.site.pve import api
from pvenix_lab.site.pve.api import answer
from pvenix_lab.site.pve.call import HANDLERS
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.formats import check_format, normalise_tags
from pvenix_lab.site.pve.schema import methods
from tests.lab.pve_support import NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path


def test_no_handler_is_outside_the_schema() -> None:
    assert api.HANDLER_MODULES
    assert set(HANDLERS) <= {*methods(Flavour.PVE_8_4), *methods(Flavour.PVE_9_2)}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nope"), ("POST", "/version"), ("GET", f"{NODE}/lxc"), ("DELETE", f"{NODE}/qemu"), ("GET", "/")],
)
def test_an_unknown_path_or_method_is_501_and_never_404(tmp_path: Path, method: str, path: str) -> None:
    async def story(lab: PveLab) -> None:
        response = await lab.ask(method, path)
        reason = f"Method '{method} {path}' not implemented"
        assert (response.status, response.reason) == (501, reason)
        assert response.body == {"data": None, "message": f"{reason}\n"}

    lab = in_lab(tmp_path, story)
    assert (lab.site.counters.pve_reads, lab.site.counters.pve_writes) == (0, 0)


def test_all_faulty_parameters_are_named_at_once(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        response = await lab.ask("POST", f"{TEMPLATE}/clone", name="a_b", full="perhaps", bogus="1", target="-x")
        assert (response.status, response.reason) == (400, "Parameter verification failed.")
        assert response.body == {
            "data": None,
            "message": "Parameter verification failed.\n",
            "errors": {
                "bogus": "property is not defined in schema and the schema does not allow additional properties",
                "full": "type check ('boolean') failed - got 'perhaps'",
                "name": "invalid format - value does not look like a valid DNS name\n",
                "newid": "property is missing and it is not optional",
                "target": "invalid format - value does not look like a valid node name\n",
            },
        }

    lab = in_lab(tmp_path, story)
    assert lab.site.counters.pve_writes == 0


def test_an_unknown_node_is_a_failed_look_up_and_not_a_404(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        response = await lab.ask("GET", "/nodes/nowhere/qemu")
        assert response.status == 500
        assert response.reason.startswith("hostname lookup 'nowhere' failed - ")

    in_lab(tmp_path, story)


def test_a_missing_vm_is_a_500_that_names_its_configuration_file(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        for path in ("config", "pending", "status/current"):
            response = await lab.ask("GET", f"{NODE}/qemu/311/{path}")
            reason = "Configuration file 'nodes/tappaas1/qemu-server/311.conf' does not exist"
            assert (response.status, response.reason) == (500, reason)
            assert response.body == {"data": None, "message": f"{reason}\n"}
        elsewhere = await lab.ask("GET", "/nodes/tappaas2/qemu/8100/config")
        assert elsewhere.reason == "Configuration file 'nodes/tappaas2/qemu-server/8100.conf' does not exist"

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("net0", "virtio", None),
        ("net0", "virtio=BC:24:11:00:00:01,bridge=lan,tag=7,firewall=1", None),
        ("net0", "bridge=lan", "model: property is missing and it is not optional"),
        ("net0", "virtio,bridge=lan,tag=4095", "tag: value must have a maximum value of 4094"),
        ("net0", "virtio,colour=red", "colour: property is not defined in schema"),
        ("net0", "virtio=BD:24:11:00:00:01", "valid unicast MAC address"),
        ("net32", "virtio", "property is not defined in schema"),
        ("net[n]", "virtio", "property is not defined in schema"),
        ("ipconfig0", "ip=dhcp", None),
        ("ipconfig0", "ip=10.0.0.5/24,gw=10.0.0.1,ip6=auto", None),
        ("ipconfig0", "ip=10.0.0.5", "valid ipv4 network configuration"),
        ("ipconfig0", "gw=10.0.0.1", "gateway specified without specifying an IP address"),
        ("memory", "4096", None),
        ("memory", "8", "minimum value of 16"),
        ("cores", "0", "value must have a minimum value of 1"),
        ("cores", "two", "type check ('integer') failed - got 'two'"),
        ("agent", "1,type=virtio", None),
        ("agent", "enabled=maybe", "type check ('boolean')"),
        ("bios", "efi", "value 'efi' does not have a value in the enumeration 'seabios, ovmf'"),
        ("tags", "nixos;pvenix", None),
        ("tags", "two words!", "invalid characters in tag"),
        ("sshkeys", "ssh-ed25519 AAAA a+b@c", "invalid format - invalid urlencoded string"),
        ("hostpci0", "mapping=gpu0,pcie=1", None),
        ("hostpci0", "mapping=gpu0,speed=9", "speed: property is not defined in schema"),
        ("boot", "order=scsi0;net0", None),
        ("cicustom", "user=local:snippets/x.yml,shell=1", "shell: property is not defined"),
        ("nameserver", "10.0.0.1 ns_1", "valid address: ns_1"),
        ("delete", "onboot,scsi0", None),
    ],
)
def test_configuration_values_are_checked_by_their_format(
    tmp_path: Path, key: str, value: str, fault: str | None
) -> None:
    async def story(lab: PveLab) -> None:
        response = await answer(lab.site, "PUT", f"{TEMPLATE}/config", {key: value}, lab.operator)
        if fault is None:
            assert response.status == 200, response
        else:
            assert response.status == 400
            assert response.body is not None
            assert fault in response.body["errors"][key]

    in_lab(tmp_path, story)


@pytest.mark.parametrize("given", ["1", "on", "yes", "TRUE"])
def test_every_spelling_of_true_is_stored_as_one(tmp_path: Path, given: str) -> None:
    async def story(lab: PveLab) -> None:
        await lab.ask("PUT", f"{TEMPLATE}/config", onboot=given)
        assert (await lab.get(f"{TEMPLATE}/config"))["onboot"] == 1

    in_lab(tmp_path, story)


def test_a_parameter_of_the_path_cannot_be_given_again(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        assert (await lab.ask("GET", f"{TEMPLATE}/config", vmid="100")).status == 400

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("pve-vmid", ["100", "999999999"], ["99", "0100", "1000000000", "x"]),
        ("dns-name", ["dns01", "a.b-c.d"], ["a_b", "-a", "a-", "a..b", ""]),
        ("pve-configid", ["ab", "pre-rebuild"], ["a", "1a", "a b"]),
        ("pve-storage-id", ["local", "tank-a.1"], ["1x", "a-", "a b"]),
        ("urlencoded", ["a%20b"], ["a+b", "a b", "a@b"]),
        ("pve-tag-list", ["a;b,c d", "9-x"], ["-a", "a;!b"]),
        ("pve-poolid", ["a/b/c"], ["a/b/c/d", "a b"]),
    ],
)
def test_named_formats_accept_and_refuse_what_the_real_validator_does(
    name: str, good: list[str], bad: list[str]
) -> None:
    assert [value for value in good if check_format(name, value) is not None] == []
    assert [value for value in bad if check_format(name, value) is None] == []


def test_tags_are_stored_sorted_unique_and_joined_by_semicolons() -> None:
    assert normalise_tags("pvenix, nixos;pvenix Role-vllm") == "nixos;pvenix;role-vllm"
