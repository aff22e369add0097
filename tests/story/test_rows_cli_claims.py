"""A machine claim, as the fourth seed writes it, from its commit to a registered host, and what deleting it does."""

from __future__ import annotations

import pytest

from tests.story.inside import Inside, _no_fault_is_left, person

__all__ = ["_no_fault_is_left", "person"]
pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

CLAIM = """\
apiVersion: infra.example.org/v1alpha1
kind: Machine
metadata:
  name: claimed01
  namespace: infra-machines
  labels: {role: base, tier: core, zone: mgmt}
spec:
  class: small
  network: {ip: 10.0.0.77, cidr: 24, gateway: 10.0.0.1, dns: [10.0.0.1]}
  proxmox: {node: tappaas2, storage: tanka1}
  image: nixos
  nix: {flakeRef: "git+https://git.example.org/homelab#claimed01"}
"""
FILE = "crossplane/claims/claimed01.yaml"


def test_a_claim_becomes_a_host_and_its_end_needs_more_than_its_deletion(person: Inside) -> None:
    lab = person.lab
    path = lab.fleet / FILE
    path.parent.mkdir(parents=True)
    path.write_text(CLAIM.replace("tanka1", "tanka"))
    wrong = person.ends(2, "plan", "claimed01")
    assert f"{FILE}:10:38: error[PVX0581]" in wrong.text
    assert "did you mean `tanka1`?" in wrong.text

    path.write_text(CLAIM)
    planned = person.ends(3, "plan", "claimed01")
    assert "on tappaas2" in planned.text
    early = person.ends(1, "run", "playbooks/onboard.yaml", "-l", "claimed01")
    assert "the claim of claimed01 is not on main" in early.text

    lab.git("add", FILE)
    lab.git("commit", "--quiet", "--message", "Ask for claimed01")
    lab.git("push", "--quiet")
    person.ends(3, "run", "playbooks/onboard.yaml", "-l", "claimed01")
    lab.git("fetch", "--quiet")
    proposed = lab.git("diff", "--name-only", "origin/main...origin/registration/claimed01").splitlines()
    assert "inventory/host_vars/claimed01.yaml" in proposed
    assert "inventory/hosts.yaml" not in proposed
    person.ends(0, "review", "approve", "claimed01", lab.git("rev-parse", "origin/registration/claimed01"), "--merge")
    lab.git("pull", "--quiet", "--ff-only")
    assert "ip=10.0.0.77/24" in person.config("claimed01")["ipconfig0"].split(",")

    lab.git("rm", "--quiet", FILE)
    gone = person.ends(3, "plan")
    vmid = person.vm("claimed01")["vmid"]
    assert "VMs of this fleet that no host has; none is touched:" in gone.text
    assert f"VM {vmid} on tappaas2, running: marked as claimed01" in gone.text
    assert "2 to add, 4 as they should be" in gone.text
    done, written = person.written(2, "destroy", "claimed01", "--confirm", "claimed01", "--yes")
    assert ("no host or group is called `claimed01`" in done.text, written) == (True, {})
    assert person.vm("claimed01")["status"] == "running"
