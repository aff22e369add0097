"""A template is judged by its configuration before anything is cloned from it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pvenix.adapters.clock import SystemClock
from pvenix.engine.ports import Resources, VmConfig
from pvenix.engine.sightings import Sightings
from pvenix.engine.trust import Pin
from pvenix.fleet.yaml import parse
from pvenix.lifecycle.template import template_findings, template_healths
from pvenix.lifecycle.template.lint import Fault, faults, oversize
from pvenix.lifecycle.template.marks import Made, locked_nixpkgs, made_in
from pvenix.lifecycle.world import World
from pvenix.model.errors import Unreachable, UsageError
from pvenix.model.site import Template
from pvenix.model.template import Freshness
from tests.unit.lifecycle_support import config, host, vm

NIXOS = Template(name="nixos", cluster="c", vmid=8100)
GOOD = {
    "name": "tappaas-nixos",
    "template": "1",
    "agent": "1",
    "bios": "ovmf",
    "boot": "order=scsi0",
    "efidisk0": "ssd:base-8100-disk-0,efitype=4m,size=1M",
    "machine": "q35",
    "scsi0": "ssd:base-8100-disk-1,size=32G",
    "scsi1": "ssd:vm-8100-cloudinit,media=cdrom",
    "scsihw": "virtio-scsi-single",
    "serial0": "socket",
    "tags": "nixos",
    "description": "The house template.",
}
LOCK = '{"root": "root", "nodes": {"root": {"inputs": {"nixpkgs": "n_2"}}, "n_2": {"locked": {"rev": "%s"}}}}'


def found(**changed: str | None) -> list[Fault]:
    values = {key: value for key, value in {**GOOD, **changed}.items() if value is not None}
    return list(faults(NIXOS, config(**values), 8100))


def test_a_template_as_it_should_be_has_no_faults() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changed", "told", "warning"),
    [
        ({"tags": "nixos;pvenix"}, "the tag `pvenix`", False),
        ({"description": "pvenix-host: dns01\npvenix-fleet: f"}, "the VM of dns01", False),
        ({"scsi1": None}, "no cloud-init drive", False),
        ({"scsi1": None, "ide2": "ssd:vm-8100-cloudinit,media=cdrom"}, "ide2: under q35 and OVMF", True),
        ({"boot": "order=net0;scsi0"}, "boots from net0 first", False),
        ({"boot": None}, "boots from whatever Proxmox finds first", False),
        ({"efidisk0": None}, "no EFI disk", False),
        ({"bios": None, "efidisk0": None}, "its bios is seabios, inventory/site.yaml says ovmf", False),
        ({"machine": None}, "its machine is i440fx", False),
        ({"agent": "0"}, "no guest agent", False),
        ({"agent": None}, "no guest agent", False),
        ({"serial0": None}, "no serial0", True),
        ({"scsihw": "lsi"}, "scsihw is lsi", True),
        ({"protection": "1"}, "is protected", True),
        ({"cicustom": "user=local:snippets/x.yml"}, "its cicustom names a snippet", False),
        ({"hookscript": "local:snippets/x.pl"}, "its hookscript names a snippet", False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_each_fault_is_told_with_the_line_that_mends_it(
    changed: dict[str, str | None], told: str, *, warning: bool
) -> None:
    [fault] = found(**changed)
    assert told in fault.what
    assert (fault.warning, bool(fault.hint)) == (warning, True)


@pytest.mark.parametrize("agent", ["1", "enabled=1", "1,fstrim_cloned_disks=1", "enabled=1,type=virtio"])
def test_the_agent_may_be_switched_on_in_each_of_proxmox_spellings(agent: str) -> None:
    assert found(agent=agent) == []


def test_a_template_without_ovmf_needs_no_efi_disk_and_may_have_its_drive_on_ide() -> None:
    values = {**GOOD, "bios": "seabios", "machine": "pc", "ide2": "ssd:vm-8100-cloudinit,media=cdrom"}
    old = replace(NIXOS, bios="seabios", machine="pc")
    without = {key: value for key, value in values.items() if key not in ("efidisk0", "scsi1")}
    assert list(faults(old, config(**without), 8100)) == []


def test_hosts_that_ask_for_less_disk_than_the_template_has_are_named() -> None:
    small, large = host("dns01", disk_mib=20480), host("web01", disk_mib=40960)
    [fault] = oversize(config(**GOOD), (small, large))
    assert "its disk has 32G, more than dns01 asks for" in fault.what
    assert list(oversize(config(**GOOD), (large,))) == []


@pytest.mark.parametrize(
    ("notes", "made"),
    [
        ("", Made()),
        ("pvenix-template: abc", Made(nixpkgs="abc")),
        ("Text.\npvenix-template: nixpkgs=abc commit=def at=2026-01-02T03:04:05Z\nMore.", None),
        ("not pvenix-template: abc", Made()),
    ],
)
def test_the_notes_say_what_a_template_was_built_from(notes: str, made: Made | None) -> None:
    made = made or Made(nixpkgs="abc", commit="def", at="2026-01-02T03:04:05Z")
    assert made_in(notes) == made
    assert made_in(str(made)) == made


@pytest.mark.parametrize(
    ("lock", "rev"),
    [(LOCK % "abc", "abc"), ("", ""), ("{}", ""), ("[]", ""), ('{"root": "root", "nodes": {"root": {}}}', "")],
)
def test_the_lock_says_what_the_fleet_pins(lock: str, rev: str) -> None:
    assert locked_nixpkgs(lock) == rev


# --- a site ----------------------------------------------------------------------------------------------------------


class Pve:
    """A cluster with one template; `gone` when it does not answer."""

    def __init__(self, **changed: str) -> None:
        self._config = VmConfig(values={**GOOD, **changed}, digest="d")
        self.gone = False

    async def resources(self) -> Resources:
        if self.gone:
            raise Unreachable("Proxmox c cannot be reached")
        template = replace(vm(8100, "n1", name="tappaas-nixos"), template=True)
        return Resources(nodes=(), vms=(template,), storages=())

    async def config(self, *_: object) -> VmConfig:
        return self._config

    async def permissions(self) -> dict[str, dict[str, int]]:
        return {"/vms": {"VM.Audit": 1}}


class Repo:
    """A main branch whose flake.lock pins `abc`."""

    async def fetch(self) -> str:
        return "main"

    async def read(self, _rev: str, path: str) -> str:
        assert path == "nix/flake.lock"
        return LOCK % "abc"


def world(pve: Pve, *names: str, pins: dict[str, Pin] | None = None, vmid: int = 8100) -> World:
    tree = parse(f"templates:\n  nixos: {{vmid: {vmid}}}\n", "inventory/site.yaml")
    assert tree is not None
    place = tree.entries["templates"].value.entries["nixos"].value.entries["vmid"].value
    site = SimpleNamespace(name="test", templates={"nixos": replace(NIXOS, vmid=vmid)}, clusters={})
    hosts = {name: host(name, disk_mib=40960) for name in names}
    fleet = SimpleNamespace(hosts=hosts, site=site, site_place=lambda *_: place)
    trust = SimpleNamespace(get=(pins or {}).get)
    ports: dict[str, Any] = {"pve": pve, "guest": None, "repo": Repo(), "trust": trust, "clock": SystemClock()}
    return World(fleet=cast("Any", fleet), sightings=Sightings(), **ports)


@pytest.mark.parametrize(
    ("notes", "freshness", "stale"),
    [
        ("", Freshness.UNKNOWN, 0),
        ("pvenix-template: abc", Freshness.FRESH, 0),
        ("pvenix-template: old", Freshness.STALE, 1),
    ],
)
async def test_a_template_of_another_nixpkgs_than_the_fleet_pins_is_stale_and_works(
    notes: str, freshness: Freshness, stale: int
) -> None:
    [health] = await template_healths(world(Pve(description=notes)))
    assert (health.freshness, health.broken, len(health.findings)) == (freshness, False, stale)
    assert all("template-refresh" in finding.hint for finding in health.findings)


async def test_findings_stand_where_the_site_names_the_template() -> None:
    [finding] = await template_findings(world(Pve(tags="pvenix")), NIXOS)
    assert (finding.place, finding.warning) == ("inventory/site.yaml:2:17", False)


async def test_a_plan_hears_of_errors_only() -> None:
    assert await template_findings(world(Pve(scsihw="lsi", description="pvenix-template: old")), NIXOS) == ()


async def test_a_template_that_is_not_there_is_a_finding_with_the_templates_that_are() -> None:
    [health] = await template_healths(world(Pve(), vmid=8200))
    assert health.broken
    assert "8100 tappaas-nixos" in health.findings[0].what


async def test_a_template_that_the_site_does_not_have_is_a_wrong_word() -> None:
    with pytest.raises(UsageError, match="no template `nixo`") as refused:
        await template_healths(world(Pve()), ("nixo",))
    assert "nixos" in refused.value.hint


async def test_a_cluster_that_does_not_answer_has_no_healthy_template() -> None:
    pve = Pve()
    pve.gone = True
    with pytest.raises(Unreachable):
        await template_healths(world(pve))


async def test_guests_that_share_a_host_key_or_a_machine_id_name_their_template() -> None:
    one, other = Pin(key="ssh-ed25519 AAAA", uuid="1"), Pin(key="ssh-ed25519 BBBB", uuid="2")
    site = world(Pve(), "dns01", "dns02", "web01", pins={"dns01": one, "dns02": replace(one, uuid="3"), "web01": other})
    site.sightings.booted("dns02", machine_id="f" * 32)
    site.sightings.booted("web01", machine_id="f" * 32)
    [health] = await template_healths(site)
    assert health.broken
    told = [finding.what for finding in health.findings]
    assert "dns01, dns02 have one SSH host key" in told[0]
    assert "dns02, web01 have one machine id" in told[1]
