"""What makes a VM a template: it loses what was its own, and gets the settings of the template before."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.template import candidate, publish, sealing
from pvenix.lifecycle.template.converting import settings
from pvenix.lifecycle.template.marks import Made
from pvenix.model.errors import Refused, UsageError
from pvenix.model.host import State
from pvenix.model.site import Template
from pvenix.model.update import Update
from tests.unit.lifecycle_support import config, host

NIXOS = Template(name="nixos", cluster="c", vmid=8100)
MADE = Made(nixpkgs="abcdef0123", commit="fedcba", at="2026-11-20T17:00:00Z")
BEFORE = {
    "name": "tappaas-nixos",
    "cores": "2",
    "net0": "virtio=AA:AA:AA:AA:AA:AA,bridge=lan",
    "description": "House rules.\npvenix-template: nixpkgs=old commit=old at=old",
    "tags": "nixos;pvenix-template-nixos",
    "scsi0": "ssd:base-8100-disk-0,size=32G",
    "smbios1": "uuid=00000000-0000-0000-0000-000000000001",
}
NOW = {
    "name": "template-canary",
    "cores": "4",
    "net0": "virtio=BB:BB:BB:BB:BB:BB,bridge=lan,tag=7",
    "description": "pvenix-host: template-canary\npvenix-fleet: f",
    "tags": "nixos;pvenix",
    "scsi0": "ssd:vm-250-disk-0,size=32G",
    "smbios1": "uuid=00000000-0000-0000-0000-000000000002",
    "sshkeys": "ssh-ed25519%20AAAA",
    "cipassword": "**********",
}


def test_the_next_template_is_as_the_one_before_but_for_disks_identity_and_notes() -> None:
    changed, delete = settings(NIXOS, config(**BEFORE), config(**NOW), MADE)
    assert changed == {
        "cores": "2",
        "description": f"House rules.\n{MADE}",
        "name": "nixos-20261120-abcdef0",
        "net0": "virtio=BB:BB:BB:BB:BB:BB,bridge=lan",
        "tags": "nixos",
    }
    assert delete == ("sshkeys",)


def test_a_template_without_tags_leaves_none_of_ours_behind() -> None:
    changed, delete = settings(NIXOS, config(**{**BEFORE, "tags": "pvenix"}), config(**NOW), MADE)
    assert "tags" not in changed
    assert "tags" in delete


def test_the_guest_powers_off_only_after_every_line_that_takes_identity_away() -> None:
    words = sealing.seal("r", system="/nix/store/s", user="tappaas")
    lines = [word.removeprefix("ExecStartPre=") for word in words if word.startswith("ExecStartPre=")]
    must = [line for line in lines if not line.startswith("-")]
    assert words[-2:] == ("/nix/store/s/sw/bin/systemctl", "poweroff")
    assert "clean --logs --machine-id" in must[0]
    for path in ("/etc/ssh/ssh_host_ed25519_key ", "/var/lib/fleet/id_ed25519 ", "/home/tappaas/.ssh/authorized_keys"):
        assert path in must[1]
    assert all("/nix/store/s/sw/bin/" in line for line in lines)


def test_the_site_names_the_new_template_and_no_replica_of_the_old_one() -> None:
    text = "templates:\n  # ours\n  nixos: {cluster: c, vmid: 8100, replicas: {n2: 8101}, machine: q35}\n"
    step = looking_at("canary")
    step.facts = {
        "new_template": "250", "new_template_node": "n1", "new_template_system": "/nix/store/s", "new_template_was": "a",
    }  # fmt: skip
    site = SimpleNamespace(templates={"nixos": NIXOS})
    world = cast("Any", SimpleNamespace(host=lambda _step: host("canary"), fleet=SimpleNamespace(site=site)))
    edited = publish._edited(world, step, text)
    assert edited == "templates:\n  # ours\n  nixos: {cluster: c, vmid: 250, machine: q35}\n"


@pytest.mark.parametrize(
    ("state", "canary", "registered"),
    [(State.PRESENT, True, False), (State.ARCHIVED, False, False), (State.ARCHIVED, True, True)],
    ids=["in use", "not meant for it", "with a system of its own"],
)
async def test_no_other_host_than_one_that_is_there_for_it_becomes_a_template(
    state: State, *, canary: bool, registered: bool
) -> None:
    async def known(_name: str) -> bool:
        return registered

    machine = host("canary", state=state, update=Update(canary=canary))
    with pytest.raises(Refused, match="is not there to become a template"):
        await candidate.refuse_real_hosts(cast("Any", SimpleNamespace(registered=known)), machine)


def test_a_canary_without_a_template_says_where_to_begin() -> None:
    with pytest.raises(UsageError) as refused:
        candidate.Candidate.of({})
    assert "playbooks/template-refresh.yaml" in refused.value.hint
