"""Machine claims, as they are committed for Crossplane, are hosts of the fleet."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from pvenix.cli.main import cli
from pvenix.fleet.edit import EditRefused, set_claim
from pvenix.fleet.load import Fleet, load_fleet
from pvenix.fleet.scalars import render
from pvenix.fleet.stamp import stamp
from pvenix.fleet.yaml import parse
from pvenix.model.errors import InvalidInput
from tests.unit.fleet_files import write
from tests.unit.test_fleet_mutations import mutated

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBub3k0nFgJ4tXy0vb6p8mPzZ3o7n0S8a1c2d3e4f5g6 ops"
CLAIM = f"""\
apiVersion: infra.example.org/v1alpha1
kind: Machine
metadata:
  name: dns01
  namespace: infra-machines
  labels: {{role: web, tier: core, example.org/env: prod}}
spec:
  class: gpu             # the size
  hostname: dns01
  network:
    ip: 10.0.0.53
    cidr: 24
    gateway: 10.0.0.1
    dns: [10.0.0.1, 9.9.9.9]
  proxmox:
    node: pve2
    storage: fast
    vlan: 13
    bridge: vmbr1
  image: nixos
  nix:
    flakeRef: git+https://git.example.org/homelab#dns01
  bootstrap:
    adminUser: ops
    sshAuthorizedKeys: ["{KEY}"]
  tags: [dns, internal]
  role: base
  compositionRef: {{name: xmachines.infra.example.org}}
"""
DHCP = """\
apiVersion: infra.example.org/v1alpha1
kind: XMachine
metadata: {name: docker01}
spec: {class: small, network: {dhcp: true}, role: [base], claimRef: {name: docker01}}
"""


def claim(spec: str, name: str = "c1") -> str:
    return f"apiVersion: a/v1\nkind: Machine\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def load(root: Path, text: str = f"{CLAIM}---\n{DHCP}", **files: str) -> Fleet:
    return load_fleet(write(root, {"claims/all.yaml": text, **files}))


def problems(root: Path, text: str, **files: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        load(root, text, **files)
    return [
        str(finding).replace("\n  hint: ", " | ").removeprefix("inventory/claims/") for finding in caught.value.findings
    ]


def test_a_claim_is_a_host_with_every_field_that_it_gives(tmp_path: Path) -> None:
    host = load(tmp_path).host("dns01")
    machine = host.machine
    assert (machine.size_class, machine.cores, machine.template) == ("gpu", 8, "nixos")
    assert (machine.network.address, machine.network.gateway) == ("10.0.0.53/24", "10.0.0.1")
    assert (machine.network.bridge, machine.network.vlan) == ("vmbr1", 13)
    assert machine.network.dns == ("10.0.0.1", "9.9.9.9")
    assert (machine.proxmox.node, machine.proxmox.pin, machine.proxmox.storage) == ("pve2", True, "fast")
    assert machine.nix.flake == "git+https://git.example.org/homelab#dns01"
    assert (machine.bootstrap.user, [key.line for key in machine.bootstrap.authorized_keys]) == ("ops", [KEY])
    assert (machine.tags, machine.roles) == (("dns", "internal"), ("base", "web"))
    assert (host.groups, host.file, host.line) == (
        ("core", "env_prod", "role_base", "role_web"),
        "inventory/claims/all.yaml",
        9,
    )


def test_several_documents_of_one_file_are_several_hosts(tmp_path: Path) -> None:
    fleet = load(tmp_path)
    assert list(fleet.hosts) == ["a1", "a2", "dns01", "docker01"]
    assert (fleet.host("docker01").machine.network.address, fleet.host("docker01").line) == ("dhcp", 32)
    assert fleet.select("core:&role_web") == ("dns01",)


def test_claims_are_read_from_where_crossplane_keeps_them(tmp_path: Path) -> None:
    folder = tmp_path / "crossplane" / "claims" / "core"
    folder.mkdir(parents=True)
    (folder / "dns01.yaml").write_text(CLAIM)
    fleet = load_fleet(write(tmp_path, {}))
    assert fleet.host("dns01").file == "crossplane/claims/core/dns01.yaml"
    before = stamp(tmp_path)
    (folder / "dns02.yml").write_text(CLAIM.replace("dns01", "dns02").replace("10.0.0.53", "10.0.0.54"))
    assert stamp(tmp_path) != before


def test_what_a_claim_says_is_a_layer_below_host_vars(tmp_path: Path) -> None:
    fleet = load(tmp_path, **{"host_vars/dns01.yaml": "machine: {proxmox: {vmid: 210, storage: slow}}"})
    explained = {each.field: each for each in fleet.explain("dns01")}
    assert fleet.host("dns01").machine.proxmox.vmid == 210
    storage = explained["proxmox.storage"]
    assert [(one.layer, one.line) for one in (*storage.origins, *storage.beaten)] == [
        ("host_vars", 1),
        ("claim", 17),
        ("cluster lab", 10),
    ]
    address = explained["network.address"].origins[0]
    assert (address.file, address.line, address.column) == ("inventory/claims/all.yaml", 11, 9)


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("{ip: 10.0.0.9/24}", "10.0.0.9/24"),
        ("{ip: 10.0.0.9/24, cidr: /24}", "10.0.0.9/24"),
        ("{ip: 10.0.0.9, cidr: /24, dhcp: false}", "10.0.0.9/24"),
        ("{ip: 10.0.0.9, cidr: 10.0.0.0/24}", "10.0.0.9/24"),
        ("{ip: 'fd00::9', cidr: 'fd00::/64'}", "fd00::9/64"),
        ("{dhcp: true}", "dhcp"),
        ("{}", "dhcp"),
        ("{ip: null}", "dhcp"),
    ],
)
def test_an_address_may_be_written_in_every_way_that_claims_have(tmp_path: Path, network: str, address: str) -> None:
    assert load(tmp_path, claim(f"{{network: {network}}}")).host("c1").machine.network.address == address


def test_tags_may_be_labels(tmp_path: Path) -> None:
    host = load(tmp_path, claim("{tags: [role=web, tier=core, lan, zone=mgmt], labels: {shift: night}}")).host("c1")
    assert (host.roles, host.machine.tags, host.machine.network.zone) == (("web",), ("lan",), "mgmt")
    assert host.groups == ("core", "shift_night", "role_web")


def test_the_keys_of_a_secret_stand_in_a_file_of_its_name(tmp_path: Path) -> None:
    reference = claim("{bootstrap: {sshAuthorizedKeys: {secretRef: {name: ops-keys, key: authorized_keys}}}}")
    assert problems(tmp_path, reference) == [
        (
            "all.yaml:4:58: error[PVX0100]: the secret `ops-keys` is not read here | "
            "put its keys into inventory/keys/ops-keys.pub"
        )
    ]
    keys = tmp_path / "inventory" / "keys"
    keys.mkdir()
    (keys / "ops-keys.pub").write_text(f"{KEY}\n")
    assert load(tmp_path, reference).authorized_keys("c1") == (KEY,)


WRONG = {
    "an unknown key names the nearest": (
        claim("{clas: small, proxmox: {storge: tank}, roles: [base], nix: {lock: x}}"),
        [
            "all.yaml:4:8: error[PVX0104]: unknown key `spec.clas` | did you mean `class`?",
            "all.yaml:4:31: error[PVX0104]: unknown key `spec.proxmox.storge` | did you mean `storage`?",
            "all.yaml:4:46: error[PVX0104]: unknown key `spec.roles` | did you mean `role`? It takes a list too",
            (
                "all.yaml:4:67: error[PVX0104]: unknown key `spec.nix.lock` | flake.lock in nix/ pins what the flake "
                "takes; leave it out"
            ),
        ],
    ),
    "a value is judged where the claim has it": (
        claim("{class: smal, image: nixs, role: bse, network: {gateway: x}, proxmox: {vlan: '13'}}"),
        [
            "all.yaml:4:15: error[PVX0107]: there is no class `smal` in site.yaml | did you mean `small`?",
            "all.yaml:4:28: error[PVX0107]: there is no template `nixs` in site.yaml | did you mean `nixos`?",
            "all.yaml:4:40: error[PVX0107]: there is no role `bse` in site.yaml | did you mean `base`?",
            "all.yaml:4:64: error[PVX0105]: `machine.network.gateway`: 'x' is not an IP address",
            "all.yaml:4:84: error[PVX0105]: `machine.network.vlan`: must be a whole number",
        ],
    ),
    "an address without its network": (
        claim("{network: {ip: 10.0.0.9}}"),
        [
            "all.yaml:4:22: error[PVX0106]: `spec.network.cidr` is missing | write `cidr: 24`, or `ip: 10.0.0.9/24`",
        ],
    ),
    "an address outside its network": (
        claim("{network: {ip: 10.0.1.9, cidr: 10.0.0.0/24}}"),
        [("all.yaml:4:22: error[PVX0110]: 10.0.1.9 is outside 10.0.0.0/24 | `cidr` is at inventory/claims/all.yaml:4")],
    ),
    "an address and DHCP": (
        claim("{network: {ip: 10.0.0.9/24, dhcp: true}}"),
        ["all.yaml:4:22: error[PVX0105]: `spec.network` has both `ip` and `dhcp: true` | remove one of them"],
    ),
    "neither an address nor DHCP": (
        claim("{network: {dhcp: false}}"),
        [("all.yaml:4:24: error[PVX0106]: `dhcp: false` needs an `ip` | add `ip` and `cidr`, or write `dhcp: true`")],
    ),
    "a kind that is meant": (
        claim("{}").replace("Machine", "Machin"),
        ["all.yaml:2:7: error[PVX0105]: unknown kind `Machin` | did you mean `Machine`?"],
    ),
    "a claim without a spec and a name": (
        "apiVersion: a/v1\nkind: Machine\nmetadata: {}\n",
        [
            "all.yaml:1:1: error[PVX0106]: `spec` is missing",
            "all.yaml:3:11: error[PVX0106]: `metadata.name` is missing",
        ],
    ),
    "the name of a host of hosts.yaml": (
        claim("{}", name="a1"),
        [
            (
                "all.yaml:3:18: error[PVX0109]: host `a1` is there already | "
                "`a1` is at inventory/hosts.yaml:5; keep one of them"
            )
        ],
    ),
    "the name of another claim": (
        f"{claim('{}')}---\n{claim('{hostname: c1}', name='c2')}",
        [
            (
                "all.yaml:9:18: error[PVX0109]: host `c1` is there already | "
                "`c1` is at inventory/claims/all.yaml:3; keep one of them"
            )
        ],
    ),
    "a name that differs from another in case only": (
        claim("{}", name="A1"),
        [
            (
                "all.yaml:3:18: error[PVX0109]: host `A1` differs from another only in case | "
                "`a1` is at inventory/hosts.yaml:5"
            )
        ],
    ),
    "a document that is not YAML": (
        f"{claim('{}')}---\nkind: [\n",
        [
            (
                "all.yaml:7:1: error[PVX0101]: did not find expected node content | "
                "check indentation, quotes and brackets on this line and the one above"
            )
        ],
    ),
    "a label that cannot be a group": (
        claim("{labels: {tier: all core}}"),
        ["all.yaml:4:23: error[PVX0114]: 'all core' is not a group name | use letters, digits and _"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_problem_is_shown_where_the_claim_has_it(name: str, tmp_path: Path) -> None:
    text, expected = WRONG[name]
    assert sorted(problems(tmp_path, text)) == sorted(expected)


def test_other_kinds_beside_claims_are_named_and_left_alone(tmp_path: Path) -> None:
    fleet = load(tmp_path, f"{DHCP}---\nkind: Namespace\nmetadata: {{name: infra}}\n")
    assert [(finding.what, finding.warning) for finding in fleet.findings] == [("`Namespace` is no machine", True)]


def test_a_claim_that_is_gone_leaves_no_order_to_destroy(tmp_path: Path) -> None:
    load(tmp_path)
    fleet = load(tmp_path, CLAIM)
    assert list(fleet.hosts) == ["a1", "a2", "dns01"]
    assert all(host.machine.state.managed for host in fleet.hosts.values())


@settings(max_examples=60, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_a_mutated_claim_loads_or_gives_findings(random: Random, tmp_path_factory: pytest.TempPathFactory) -> None:
    tree = parse(CLAIM, "x")
    assert tree
    value = tree.plain()
    for _ in range(random.choice((1, 2, 4))):
        value = mutated(value, random)
    root = tmp_path_factory.mktemp("fleet")
    with contextlib.suppress(InvalidInput):
        load(root, render(value))


def test_an_edit_changes_one_value_of_one_claim() -> None:
    text = f"{DHCP}---\n{CLAIM}"
    assert set_claim(text, "dns01", ("class",), "small") == text.replace("class: gpu ", "class: small ")
    assert set_claim(text, "docker01", ("proxmox", "node"), "pve9") == text.replace(
        "claimRef: {name: docker01}}", "claimRef: {name: docker01}, proxmox: {node: pve9}}"
    )
    assert set_claim(text, "dns01", ("network", "vlan"), 14) == text.replace("vlan: 13", "vlan: 14")


@pytest.mark.parametrize("field", [("network", "address"), ("tags",), ("tags+",), ("memory",), ("proxmox", "pin")])
def test_what_a_claim_says_in_other_words_is_edited_by_hand(field: tuple[str, ...]) -> None:
    with pytest.raises(EditRefused):
        set_claim(CLAIM, "dns01", field, "x")


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--fleet", str(root), *arguments])


def test_the_command_line_edits_the_claim_and_writes_the_rest_beside_it(tmp_path: Path) -> None:
    load(tmp_path)
    result = run(tmp_path, "host", "edit", "dns01", "class=small", "memory=6G")
    assert result.exit_code == 0
    assert "-  class: gpu             # the size" in result.stdout
    assert "+  class: small             # the size" in result.stdout
    assert "+++ b/inventory/host_vars/dns01.yaml" in result.stdout
    machine = load_fleet(tmp_path).host("dns01").machine
    assert (machine.size_class, machine.memory_mib) == ("small", 6144)
    refused = run(tmp_path, "host", "edit", "dns01", "network.address=10.0.0.54/24")
    assert (refused.exit_code, "edit the claim by hand" in refused.stderr) == (2, True)


def test_ansible_is_given_the_claimed_hosts(tmp_path: Path) -> None:
    load(tmp_path)
    document = json.loads(run(tmp_path, "inventory", "list", "--ansible").stdout)
    assert document["_meta"]["hostvars"]["dns01"]["ansible_host"] == "10.0.0.53"
    assert document["_meta"]["hostvars"]["dns01"]["machine"]["proxmox"]["node"] == "pve2"
    assert "dns01" in document["core"]["hosts"]
    assert document["env_prod"]["hosts"] == ["dns01"]
    assert {"core", "env_prod"} <= set(document["all"]["children"])
    assert "docker01" in document["role_base"]["hosts"]
