"""Every problem of the fleet at once, each where the wrong value was written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pvenix.fleet.load import load_fleet
from pvenix.model.errors import InvalidInput
from tests.unit.fleet_files import SITE, write


def problems(root: Path, files: Mapping[str, str]) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        load_fleet(write(root, files))
    return [str(finding).replace("\n  hint: ", " | ").removeprefix("inventory/") for finding in caught.value.findings]


def host(machine: str) -> dict[str, str]:
    return {"hosts.yaml": f"all:\n  hosts:\n    a1:\n      machine: {machine}\n"}


WRONG: dict[str, tuple[dict[str, str], list[str]]] = {
    "an unknown field names the nearest": (
        host("{clas: small}"),
        ["hosts.yaml:4:17: error[PVX0104]: unknown key `machine.clas` | did you mean `class`?"],
    ),
    "an unknown field below another": (
        host("{network: {adress: dhcp}}"),
        ["hosts.yaml:4:27: error[PVX0104]: unknown key `machine.network.adress` | did you mean `address`?"],
    ),
    "a field of another tool": (
        host("{network: {dhcp: true}}"),
        ["hosts.yaml:4:27: error[PVX0104]: unknown key `machine.network.dhcp` | write `address: dhcp`"],
    ),
    "types": (
        host('{cores: "4", roles: base, self: yes}'),
        [
            "hosts.yaml:4:24: error[PVX0105]: `machine.cores`: must be a whole number",
            "hosts.yaml:4:36: error[PVX0105]: `machine.roles`: must be a list",
            "hosts.yaml:4:48: error[PVX0105]: `machine.self`: must be true or false",
        ],
    ),
    "a size": (
        host("{memory: 4Q}"),
        ["hosts.yaml:4:25: error[PVX0105]: `machine.memory`: '4Q' is not a size; write 4096 (MiB), 512M, 4G or 1T"],
    ),
    "references": (
        host("{class: smal, roles: [bse], network: {zone: mgm}, template: nixs, cluster: lav}"),
        [
            "hosts.yaml:4:24: error[PVX0107]: there is no class `smal` in site.yaml | did you mean `small`?",
            "hosts.yaml:4:38: error[PVX0107]: there is no role `bse` in site.yaml | did you mean `base`?",
            "hosts.yaml:4:60: error[PVX0107]: there is no zone `mgm` in site.yaml | did you mean `mgmt`?",
            "hosts.yaml:4:76: error[PVX0107]: there is no template `nixs` in site.yaml | did you mean `nixos`?",
            "hosts.yaml:4:91: error[PVX0107]: there is no cluster `lav` in site.yaml | did you mean `lab`?",
        ],
    ),
    "a VM id outside the range": (
        host("{proxmox: {vmid: 500}}"),
        [
            (
                "hosts.yaml:4:33: error[PVX0105]: VM id 500 is outside the range 200 to 499 of cluster `lab` | "
                "take one of the range, or add it to `reserve` in site.yaml"
            )
        ],
    ),
    "an address outside the zone": (
        host("{network: {zone: mgmt, address: 10.0.1.5/24}}"),
        [
            "hosts.yaml:4:48: error[PVX0110]: 10.0.1.5 is outside zone `mgmt` (10.0.0.0/24)",
        ],
    ),
    "an address with another prefix": (
        host("{network: {zone: mgmt, address: 10.0.0.5/16}}"),
        ["hosts.yaml:4:48: error[PVX0110]: the prefix /16 differs from zone `mgmt` (10.0.0.0/24) | write 10.0.0.5/24"],
    ),
    "the network's address": (
        host("{network: {zone: mgmt, address: 10.0.0.0/24}}"),
        ["hosts.yaml:4:48: error[PVX0110]: 10.0.0.0 is the network's own address | choose another address"],
    ),
    "the broadcast address": (
        host("{network: {zone: mgmt, address: 10.0.0.255/24}}"),
        ["hosts.yaml:4:48: error[PVX0110]: 10.0.0.255 is the broadcast address | choose another address"],
    ),
    "the gateway's address": (
        host("{network: {zone: mgmt, address: 10.0.0.1/24}}"),
        ["hosts.yaml:4:48: error[PVX0110]: 10.0.0.1 is the gateway's address | choose another address"],
    ),
    "an address without prefix": (
        host("{network: {address: 10.0.0.5}}"),
        [
            (
                "hosts.yaml:4:36: error[PVX0105]: `machine.network.address`: '10.0.0.5' has no prefix; "
                "write for example 10.0.0.5/24"
            )
        ],
    ),
    "a gateway that cannot be reached": (
        host("{network: {address: 10.0.0.5/24, gateway: 10.0.1.1}}"),
        [
            (
                "hosts.yaml:4:58: error[PVX0110]: the gateway 10.0.1.1 cannot be reached from 10.0.0.5/24 | "
                "the gateway lies inside the address's network"
            )
        ],
    ),
    "raw PCI": (
        host('{proxmox: {pci: ["0000:01:00.0", {host: x}]}}'),
        [
            f"hosts.yaml:4:{column}: error[PVX0111]: `machine.proxmox.pci.{index}`: raw PCI addresses are refused; "
            "define a resource mapping and write {mapping: NAME}"
            for index, column in enumerate((33, 49))
        ],
    ),
    "a private key": (
        host('{bootstrap: {authorized_keys: ["-----BEGIN OPENSSH PRIVATE KEY-----"]}}'),
        [
            (
                "hosts.yaml:4:47: error[PVX0111]: `machine.bootstrap.authorized_keys.0`: "
                "a private key must not stand in the fleet; give the public key"
            )
        ],
    ),
    "a secret in clear text": (
        host("{secrets: {key: hunter2}}"),
        [
            (
                "hosts.yaml:4:32: error[PVX0111]: `machine.secrets.key`: a secret must not stand in the fleet; "
                "write {env: NAME}, {file: path} or {command: [argv…]}"
            )
        ],
    ),
    "what is planned": (
        host("{install: image, nix: {build: cache}, secrets: {a: {sops: {key: x}}}}"),
        [
            "hosts.yaml:4:26: error[PVX0112]: `machine.install`: install: image is planned, not built yet",
            (
                "hosts.yaml:4:46: error[PVX0112]: `machine.nix.build`: building on 'cache' instead of `self` "
                "is planned, not built yet"
            ),
            "hosts.yaml:4:67: error[PVX0105]: `machine.secrets.a`: must be {sops: {file: path, key: a.b}}",
        ],
    ),
    "cards that are no maps": (
        host("{network: [lan], nics: []}"),
        [
            (
                "hosts.yaml:4:26: error[PVX0105]: `machine.network`: must be a map, or a list of maps without "
                "`nics` beside it"
            )
        ],
    ),
    "an unknown field of a further card": (
        host("{network: [{zone: mgmt}, {zone: mgmt, vlam: 5}]}"),
        ["hosts.yaml:4:54: error[PVX0104]: unknown key `machine.nics.0.vlam` | did you mean `vlan`?"],
    ),
    "an ISO image that is neither there nor to be fetched": (
        host("{install: iso, iso: {url: https://nixos.org/a.iso}}"),
        [
            (
                "hosts.yaml:4:36: error[PVX0105]: `machine.iso`: must be {volume: STORAGE:iso/NAME.iso}, "
                "or {url, sha256, storage} for one to download"
            )
        ],
    ),
    "an installation without an image": (
        host("{install: iso}"),
        [
            (
                "hosts.yaml:4:26: error[PVX0106]: `install: iso` needs an image to boot from | "
                "add `iso: {volume: local:iso/NAME.iso}`, or {url, sha256, storage}"
            )
        ],
    ),
    "an image that nothing boots": (
        host("{iso: {volume: local:iso/a.iso}}"),
        [
            (
                "hosts.yaml:4:22: error[PVX0105]: `iso` is only used with `install: iso` | "
                "add `install: iso`, or remove it"
            )
        ],
    ),
    "the same VM id, address and MAC": (
        {
            "host_vars/a1.yaml": 'machine: {proxmox: {vmid: 200}, network: {address: 10.0.0.5/24, mac: "BC:24:11:00:00:01"}}',
            "host_vars/a2.yaml": "machine:\n  proxmox: {vmid: 200}\n"
            '  network: {address: 10.0.0.5/24, mac: "bc-24-11-00-00-01"}\n',
        },
        [
            "host_vars/a2.yaml:2:19: error[PVX0109]: VM id 200 is taken | `a1` has it at inventory/host_vars/a1.yaml:1",
            (
                "host_vars/a2.yaml:3:22: error[PVX0109]: address 10.0.0.5 is taken | "
                "`a1` has it at inventory/host_vars/a1.yaml:1"
            ),
            (
                "host_vars/a2.yaml:3:40: error[PVX0109]: MAC address BC:24:11:00:00:01 is taken | "
                "`a1` has it at inventory/host_vars/a1.yaml:1"
            ),
        ],
    ),
    "the template's VM id": (
        {
            "site.yaml": SITE.replace("reserve: [130]", "reserve: [8100]"),
            "host_vars/a1.yaml": "machine: {proxmox: {vmid: 8100}}",
        },
        [
            (
                "host_vars/a1.yaml:1:27: error[PVX0109]: VM id 8100 is taken | "
                "`template nixos` has it at inventory/site.yaml:12"
            )
        ],
    ),
    "an address of a host that is not managed": (
        {
            "host_vars/a1.yaml": "machine: {state: external, network: {address: 10.0.0.5/24}}",
            "host_vars/a2.yaml": "machine: {network: {address: 10.0.0.5/24}}",
        },
        [
            (
                "host_vars/a2.yaml:1:30: error[PVX0109]: address 10.0.0.5 is taken | "
                "`a1` has it at inventory/host_vars/a1.yaml:1"
            )
        ],
    ),
    "two controllers": (
        {"group_vars/core.yaml": "machine: {self: true}"},
        [
            (
                "group_vars/core.yaml:1:17: error[PVX0109]: only one host can be the controller (`self: true`) | "
                "`a1` is, at inventory/group_vars/core.yaml:1"
            )
        ],
    ),
    "a wrong value in a shared layer is said once, where it stands": (
        {"group_vars/core.yaml": "machine:\n  network: {zone: nowhere}\n  cores: 0\n"},
        [
            "group_vars/core.yaml:2:19: error[PVX0107]: there is no zone `nowhere` in site.yaml | known: mgmt",
            "group_vars/core.yaml:3:10: error[PVX0105]: `machine.cores`: must be greater than or equal to 1",
        ],
    ),
    "a layer that no host has is checked too": (
        {"hosts.yaml": "all: {hosts: {a1: }, children: {empty: }}", "group_vars/empty.yaml": "machine: {cors: 1}"},
        ["group_vars/empty.yaml:1:11: error[PVX0104]: unknown key `machine.cors` | did you mean `cores`?"],
    ),
    "a role cannot choose roles": (
        {"site.yaml": SITE.replace("{memory: 6G, ", "{roles: [x], ")},
        [
            (
                "site.yaml:20:41: error[PVX0105]: role `web` cannot set `roles`, which decides what layers a host has | "
                "set it on the hosts or on a group"
            )
        ],
    ),
    "roles in a circle": (
        {"site.yaml": SITE.replace("base: {", "base: {after: [web], ")},
        ["site.yaml:20:17: error[PVX0108]: roles wait for each other: base -> web -> base | take one `after` out"],
    ),
    "an unknown role in after": (
        {"site.yaml": SITE.replace("after: [base]", "after: [bass]")},
        ["site.yaml:20:17: error[PVX0107]: there is no role `bass` in site.yaml | did you mean `base`?"],
    ),
    "a gateway outside its zone": (
        {"site.yaml": SITE.replace("gateway: 10.0.0.1,", "gateway: 10.0.1.1,")},
        ["site.yaml:14:60: error[PVX0110]: the gateway 10.0.1.1 is outside zone `mgmt` (10.0.0.0/24)"],
    ),
    "certificates cannot be left unchecked": (
        {"site.yaml": SITE.replace("system: true", "insecure: true")},
        [
            (
                "site.yaml:7:10: error[PVX0111]: `clusters.lab.tls`: certificates are always verified; "
                "write one of ca, fingerprint or system: true"
            )
        ],
    ),
    "one kind of trust": (
        {"site.yaml": SITE.replace("system: true", "system: true, ca: x")},
        ["site.yaml:7:10: error[PVX0105]: `clusters.lab.tls`: takes exactly one of ca, fingerprint or system: true"],
    ),
    "a token's secret": (
        {"site.yaml": SITE.replace("pvenix@pve!ci", "pvenix@pve!ci=12345678-1234-1234-1234-123456789abc")},
        [
            (
                "site.yaml:8:22: error[PVX0111]: `clusters.lab.auth.token_id`: "
                "the token's secret must not stand here; write user@realm!name only"
            )
        ],
    ),
    "missing parts of the site": (
        {"site.yaml": "apiVersion: pvenix/v1\nkind: Site\nclusters: {lab: {}}\n", "hosts.yaml": "all: {hosts: {a1: }}"},
        [
            "site.yaml:1:1: error[PVX0106]: `site` is missing",
            "site.yaml:1:1: error[PVX0106]: `templates` is missing",
            "site.yaml:3:17: error[PVX0106]: `clusters.lab.auth` is missing",
            "site.yaml:3:17: error[PVX0106]: `clusters.lab.endpoints` is missing",
            "site.yaml:3:17: error[PVX0106]: `clusters.lab.tls` is missing",
        ],
    ),
    "a missing site": ({"site.yaml": ""}, ["site.yaml:1:1: error[PVX0106]: is empty | start with `pvenix init`"]),
    "a template in a vars file": (
        {"host_vars/a1.yaml": "machine: {cores: !vault 3}"},
        ["host_vars/a1.yaml:1:18: error[PVX0105]: the tag !vault means nothing to pvenix | remove the tag"],
    ),
    "invisible characters": (
        host('{proxmox: {spread: "a\\u202eb"}}'),
        ["hosts.yaml:4:35: error[PVX0105]: `machine.proxmox.spread`: must not hold control or invisible characters"],
    ),
    "a node that is a path": (
        host("{proxmox: {node: ../access}}"),
        [
            (
                "hosts.yaml:4:33: error[PVX0105]: `machine.proxmox.node`: '../access' is not a node name; "
                "a node name is one label, not an FQDN"
            )
        ],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_problem_is_shown_where_the_wrong_value_was_written(name: str, tmp_path: Path) -> None:
    files, expected = WRONG[name]
    assert problems(tmp_path, files) == expected


def test_problems_of_all_files_come_together(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        {
            "site.yaml": SITE.replace("vlan: 5", "vlan: 5000"),
            "hosts.yaml": "all: {hosts: {a1: , 1x: }}",
            "group_vars/all.yaml": "machine: [",
            "host_vars/a1.yaml": "machine: {cores: x}",
        },
    )
    assert [problem.partition(":")[0] for problem in found] == [
        "group_vars/all.yaml",
        "host_vars/a1.yaml",
        "hosts.yaml",
        "site.yaml",
    ]


def test_a_private_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n", encoding="utf-8")
    (found,) = problems(tmp_path, {"host_vars/a1.yaml": "machine: {bootstrap: {authorized_keys: [{file: id}]}}"})
    assert "id holds a private key; give the public key, id.pub" in found


SHAPES = ["- a\n", "3", "a", "all: 3", "all: {hosts: [a1]}", "all: {hosts: {a1: 3}}", "{", "all: {children: 3}"]
MACHINES = ["3", "[a]", "a", "{proxmox: 3}", "{network: {zone: [1]}}", "{roles: [{a: 1}]}", "{class: {}}", "{vars: 3}"]
SECTIONS = [
    f"{section}: {value}" for section in ("clusters", "zones", "roles", "classes") for value in ("3", "[a]", "{a: 3}")
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((name, text) for name in ("site.yaml", "hosts.yaml") for text in SHAPES),
        *((f"{kind}.yaml", f"machine: {text}") for kind in ("host_vars/a1", "group_vars/core") for text in MACHINES),
        *((name, text) for name in ("host_vars/a1.yaml", "group_vars/core.yaml") for text in ("- a", "3", "{")),
        *(("site.yaml", f"apiVersion: pvenix/v1\nkind: Site\n{text}\n") for text in SECTIONS),
    ],
)
def test_files_of_the_wrong_shape_give_findings_and_no_traceback(name: str, text: str, tmp_path: Path) -> None:
    assert any(problem.startswith(f"{name}:") for problem in problems(tmp_path, {name: text}))


BROKEN = "a: [1\n"


def test_a_hosts_file_that_cannot_be_read_makes_no_vars_file_a_stray_one(tmp_path: Path) -> None:
    files = {"hosts.yaml": BROKEN, "host_vars/a1.yaml": "machine: {cores: 2}\n", "group_vars/core.yaml": BROKEN}
    assert [found.partition(":")[0] for found in problems(tmp_path, files)] == ["group_vars/core.yaml", "hosts.yaml"]


@pytest.mark.parametrize("broken", ["host_vars/a1.yaml", "group_vars/all.yaml"])
def test_nothing_is_missed_of_a_host_of_which_half_cannot_be_read(tmp_path: Path, broken: str) -> None:
    """Its role asks for a device and memory, which the broken file may give it."""
    files = {**host("{roles: [ml]}"), broken: BROKEN}
    [found] = problems(tmp_path, files)
    assert found.startswith(f"{broken}:")
