"""Fields of one host, or of two, that cannot both be meant: each is shown where it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fleet_files import SITE
from tests.unit.test_fleet_findings import host, problems

WRONG: dict[str, tuple[dict[str, str], list[str]]] = {
    "a second net of a snapshot that is not taken": (
        host("{update: {second_net: [agent, snapshot]}}"),
        [
            (
                "hosts.yaml:4:46: error[PVX0105]: `update.second_net` names a snapshot that is not taken | "
                "add `snapshot: {before_update: true}`, or take it out"
            )
        ],
    ),
    "cards that clash, of both families and with further ones": (
        {
            "host_vars/a1.yaml": "machine:\n  network: {ip6: fd00::5/64}\n"
            '  nics: [{address: 10.1.0.5/24, mac: "BC:24:11:00:00:01"}]\n',
            "host_vars/a2.yaml": "machine:\n  network: [{address: 10.1.0.5/24},\n"
            '    {ip6: "fd00:0::5/64", mac: "bc-24-11-00-00-01"}]\n',
        },
        [
            (
                "host_vars/a2.yaml:2:23: error[PVX0109]: address 10.1.0.5 is taken | "
                "`a1` has it at inventory/host_vars/a1.yaml:3"
            ),
            (
                "host_vars/a2.yaml:3:11: error[PVX0109]: address fd00::5 is taken | "
                "`a1` has it at inventory/host_vars/a1.yaml:2"
            ),
            (
                "host_vars/a2.yaml:3:32: error[PVX0109]: MAC address BC:24:11:00:00:01 is taken | "
                "`a1` has it at inventory/host_vars/a1.yaml:3"
            ),
        ],
    ),
    "a further card outside its zone": (
        host("{nics: [{zone: mgmt, address: 10.9.0.5/24}, {zone: mgmt, address: 10.0.0.1/24}]}"),
        [
            "hosts.yaml:4:46: error[PVX0110]: 10.9.0.5 is outside zone `mgmt` (10.0.0.0/24)",
            "hosts.yaml:4:82: error[PVX0110]: 10.0.0.1 is the gateway's address | choose another address",
        ],
    ),
    "an IPv6 gateway without an address": (
        host('{network: {gateway6: "fe80::1"}}'),
        [
            (
                "hosts.yaml:4:37: error[PVX0110]: `gateway6` needs a fixed `ip6` | "
                "write `ip6: ADDRESS/prefix`, or remove the gateway"
            )
        ],
    ),
    "an IPv6 gateway that cannot be reached": (
        host('{network: {ip6: "fd00::5/64", gateway6: "fd01::1"}}'),
        [
            (
                "hosts.yaml:4:56: error[PVX0110]: the gateway fd01::1 cannot be reached from fd00::5/64 | "
                "the gateway lies inside the address's network"
            )
        ],
    ),
    "the id of a template's copy": (
        {
            "site.yaml": SITE.replace("vmid: 8100}", "vmid: 8100, replicas: {pve2: 210}}"),
            "host_vars/a1.yaml": "machine: {proxmox: {vmid: 210}}",
        },
        [
            (
                "host_vars/a1.yaml:1:27: error[PVX0109]: VM id 210 is taken | "
                "`template nixos` has it at inventory/site.yaml:12"
            )
        ],
    ),
    "slots of disks": (
        host(
            "{proxmox: {disks: [{slot: scsi1, size: 4G}, {slot: scsi01, size: 4G}, {slot: scsi0, size: 4G}, "
            "{slot: sata6, size: 4G}]}}"
        ),
        [
            "hosts.yaml:4:67: error[PVX0109]: two disks have the slot scsi1 | the first one is at inventory/hosts.yaml:4",
            (
                "hosts.yaml:4:93: error[PVX0109]: slot scsi0 is the root disk's | "
                "its size is `disk`; take another slot, such as scsi2"
            ),
            "hosts.yaml:4:118: error[PVX0105]: there is no slot sata6 | sata0 to sata5",
        ],
    ),
    "sizes that cannot be meant": (
        host("{disk: 100, memory: 20T, balloon: 21T, proxmox: {disks: [{slot: scsi1, size: 2000T}]}}"),
        [
            "hosts.yaml:4:23: error[PVX0105]: a disk of 100 MiB cannot be meant | write 100G, or at least 1G",
            "hosts.yaml:4:36: error[PVX0105]: 20 TiB of memory cannot be meant | write a size such as 4G",
            (
                "hosts.yaml:4:50: error[PVX0105]: `balloon` is more than `memory` (20971520 MiB) | "
                "it is the least that the guest keeps when its node is short of memory"
            ),
            "hosts.yaml:4:93: error[PVX0105]: a disk of 2000 TiB cannot be meant | write a size such as 20G",
        ],
    ),
    "a node that its own list leaves out": (
        host("{proxmox: {node: pve1, nodes: [pve2, pve3]}}"),
        [
            (
                "hosts.yaml:4:33: error[PVX0105]: `proxmox.node` pve1 is not in `proxmox.nodes` | "
                "write one of pve2, pve3, or auto"
            )
        ],
    ),
    "a node to be avoided": (
        host("{proxmox: {node: pve1, avoid: [pve1], ha: {failover: pve1}}}"),
        [
            (
                "hosts.yaml:4:33: error[PVX0105]: `proxmox.node` pve1 is in `proxmox.avoid` | "
                "choose another node, or let it not be avoided"
            ),
            "hosts.yaml:4:69: error[PVX0105]: pve1 is the host's own node | fail over to another one",
        ],
    ),
    "no node that is left": (
        host("{proxmox: {nodes: [pve1], avoid: [pve1]}}"),
        [("hosts.yaml:4:34: error[PVX0105]: every node of `proxmox.nodes` is in `proxmox.avoid` | leave at least one")],
    ),
    "the absence of a whole group": (
        {"group_vars/core.yaml": "machine: {state: absent}", "host_vars/a1.yaml": "machine: {state: present}"},
        [
            (
                "group_vars/core.yaml:1:18: error[PVX0105]: `state: absent` of a2 is not its own | "
                "write it in inventory/host_vars/a2.yaml"
            )
        ],
    ),
    "the absence of the controller": (
        host("{state: absent, self: true}"),
        [
            (
                "hosts.yaml:4:24: error[PVX0105]: the host that runs pvenix cannot be absent | "
                "give `self: true` to another"
            )
        ],
    ),
    "names that differ only in case": (
        {"hosts.yaml": "all:\n  hosts:\n    web:\n    Web:\n"},
        [
            (
                "hosts.yaml:4:5: error[PVX0109]: host `Web` differs from another only in case | "
                "`web` is at inventory/hosts.yaml:3"
            )
        ],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_both_be_meant_is_shown_where_it_is_written(name: str, tmp_path: Path) -> None:
    files, expected = WRONG[name]
    assert problems(tmp_path, files) == expected
