"""The fleet as a whole: layers, explanations, selections."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pvenix.fleet.load import Fleet, load_fleet
from pvenix.fleet.root import find_root
from pvenix.fleet.stamp import stamp
from pvenix.fleet.starter import starter
from pvenix.model.errors import InvalidInput, UsageError
from pvenix.model.host import State
from pvenix.model.secretref import SecretRef
from pvenix.model.site import HealthKind, OnFailure
from pvenix.model.update import Strategy
from tests.unit.fleet_files import SITE, write

ROOT = starter()


def load(root: Path, **files: str) -> Fleet:
    return load_fleet(write(root, {name.replace("__", "/") + ".yaml": text for name, text in files.items()}))


def test_the_starter_fleet_is_valid_and_without_warnings() -> None:
    fleet = load_fleet(ROOT)
    assert fleet.findings == ()
    assert len(fleet.hosts) >= 6
    assert fleet.host("tappaas-cicd").machine.controller


def test_layers_are_merged_from_the_site_up_to_the_host(tmp_path: Path) -> None:
    fleet = load(
        tmp_path,
        hosts="all: {children: {core: {vars: {machine: {cores: 3, tags+: [inline]}}, hosts: {a1: {machine: "
        "{roles: [base, web], network: {zone: mgmt, address: 10.0.0.9/24}}}}}}}",
        group_vars__core="machine: {cores: 4, tags+: [core]}",
        host_vars__a1="machine: {proxmox: {vmid: 210}, update: {strategy: boot}}",
    )
    machine = fleet.host("a1").machine
    assert (machine.cores, machine.memory_mib, machine.disk_mib) == (4, 6144, 20480)
    assert machine.tags == ("web", "inline", "core")
    assert (machine.proxmox.vmid, machine.proxmox.storage, machine.proxmox.onboot) == (210, "tank", True)
    assert (machine.network.bridge, machine.network.vlan, machine.network.gateway) == ("lan", 5, "10.0.0.1")
    assert machine.update.strategy is Strategy.BOOT
    assert (machine.cluster, machine.template, machine.size_class) == ("lab", "nixos", "small")
    assert fleet.host("a1").groups == ("core", "role_base", "role_web")
    assert fleet.host("a1").fqdn == "a1.mgmt.internal"


def test_null_takes_a_field_back_to_the_built_in_value(tmp_path: Path) -> None:
    fleet = load(
        tmp_path, group_vars__all="machine: {proxmox: {pool: x}}", host_vars__a1="machine: {proxmox: {pool: null}}"
    )
    assert (fleet.host("a1").machine.proxmox.pool, fleet.host("a2").machine.proxmox.pool) == ("", "x")


def test_a_list_of_cards_is_the_first_one_and_further_ones(tmp_path: Path) -> None:
    fleet = load(
        tmp_path,
        hosts="all: {hosts: {a1: {machine: {network: [{zone: mgmt, address: 10.0.0.9/24}, {zone: mgmt, vlan: 7}]}}}}",
    )
    machine = fleet.host("a1").machine
    assert [(card.bridge, card.vlan, card.address) for card in machine.cards] == [
        ("lan", 5, "10.0.0.9/24"),
        ("lan", 7, "dhcp"),
    ]
    assert (machine.network.gateway, machine.nics[0].gateway) == ("10.0.0.1", "")


def test_cards_are_added_to_a_list_beside_them(tmp_path: Path) -> None:
    fleet = load(tmp_path, host_vars__a1="machine: {nics+: [{bridge: dmz}], network: [{bridge: lan}, {bridge: wan}]}")
    assert [card.bridge for card in fleet.host("a1").machine.cards] == ["lan", "wan", "dmz"]


def test_a_list_of_one_card_takes_away_the_further_ones_of_a_group(tmp_path: Path) -> None:
    fleet = load(
        tmp_path,
        group_vars__core="machine: {nics: [{bridge: dmz}]}",
        host_vars__a1="machine: {network: [{mtu: 1400}]}",
    )
    assert fleet.host("a1").machine.nics == ()
    assert [card.bridge for card in fleet.host("a2").machine.nics] == ["dmz"]


def test_a_host_knows_what_its_files_declare(tmp_path: Path) -> None:
    declared = load(tmp_path, host_vars__a1="machine: {proxmox: {pool: x}}").host("a1").declared
    assert {"cores", "proxmox.pool", "proxmox.storage"} <= declared
    assert not {"proxmox.onboot", "proxmox.protect", "network.address"} & declared


def test_a_field_is_found_where_it_is_written(tmp_path: Path) -> None:
    fleet = load(tmp_path, host_vars__a1="machine:\n  proxmox: {disks: [{slot: scsi1, size: 4G}]}\n")

    def place(*path: str | int) -> tuple[str, int, int]:
        node = fleet.place("a1", *path)
        return node.file, node.line, node.column

    assert place("proxmox", "disks", 0, "size") == ("inventory/host_vars/a1.yaml", 2, 41)
    assert place("proxmox", "disks", 0, "storage") == ("inventory/host_vars/a1.yaml", 2, 21)
    assert place("network", "address") == ("inventory/hosts.yaml", 5, 9)


def test_several_ranges_of_vm_ids_are_used_one_after_the_other(tmp_path: Path) -> None:
    several = SITE.replace("range: [200, 499], step: 10", "range: [[200, 210], [600, 605]], step: 5")
    policy = load(tmp_path, site=several).site.clusters["lab"].vmid
    assert list(policy.ids()) == [200, 205, 210, 600, 605]
    assert policy.allows(604)
    assert not policy.allows(300)


def test_nulls_in_a_map_leave_no_map_that_nobody_wrote(tmp_path: Path) -> None:
    fleet = load(tmp_path, host_vars__a1="machine: {hardware: {cpu: null}, backup: {}}")
    assert all(one.origins for one in fleet.explain("a1"))
    assert [one.field for one in fleet.explain("a1") if one.field.startswith(("hardware", "backup"))] == ["backup"]


def test_a_class_gives_sizes_and_display(tmp_path: Path) -> None:
    machine = load(tmp_path, host_vars__a1="machine: {class: gpu, cores: 6}").host("a1").machine
    assert (machine.cores, machine.memory_mib, machine.hardware.display) == (6, 32768, "none")


def test_overrides_beat_every_layer_and_are_read_as_yaml(tmp_path: Path) -> None:
    write(tmp_path, {"host_vars/a1.yaml": "machine: {cores: 6}"})
    fleet = load_fleet(tmp_path, overrides={"machine.cores": "7", "proxmox.node": "pve1", "roles": "[web]"})
    machine = fleet.host("a1").machine
    assert (machine.cores, machine.proxmox.node, machine.roles) == (7, "pve1", ("web",))
    assert fleet.explain("a1", "cores")[0].origins[0].layer == "--set"


def test_a_wrong_override_is_a_finding_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, {})
    with pytest.raises(InvalidInput) as caught:
        load_fleet(tmp_path, overrides={"cors": "7"})
    assert str(caught.value.findings[0]).startswith("--set cors=7: error[PVX0104]: unknown key `machine.cors`")


def test_another_inventory_is_read_with_its_own_vars_and_the_fleets_site(tmp_path: Path) -> None:
    write(tmp_path, {"lab/hosts.yaml": "all: {hosts: {z9: }}", "lab/host_vars/z9.yaml": "machine: {cores: 5}"})
    fleet = load_fleet(tmp_path, inventory=tmp_path / "inventory" / "lab")
    assert fleet.host("z9").machine.cores == 5
    assert fleet.site.name == "test"


def test_explain_names_the_value_its_place_and_what_it_beat(tmp_path: Path) -> None:
    fleet = load(tmp_path, group_vars__core="machine:\n  cores: 4\n", host_vars__a1="machine:\n\n  cores: 6\n")
    (cores,) = fleet.explain("a1", "cores")
    (origin,) = cores.origins
    assert (cores.value, origin.layer, origin.file, origin.line) == (6, "host_vars", "inventory/host_vars/a1.yaml", 3)
    assert [(beaten.layer, beaten.value) for beaten in cores.beaten] == [
        ("group_vars core", 4),
        ("class small", 2),
        ("built-in", 2),
    ]


def test_explain_shows_every_layer_that_a_list_was_appended_from(tmp_path: Path) -> None:
    fleet = load(tmp_path, group_vars__all="machine: {tags: [x]}", group_vars__core="machine: {tags+: [y]}")
    (tags,) = fleet.explain("a1", "machine.tags")
    assert tags.value == ["x", "y"]
    assert [(origin.layer, origin.appended) for origin in tags.origins] == [
        ("group_vars core", True),
        ("group_vars all", False),
    ]


def test_explain_of_a_map_gives_all_fields_below_it(tmp_path: Path) -> None:
    fields = [one.field for one in load(tmp_path).explain("a1", "proxmox")]
    assert fields == ["proxmox.node", "proxmox.onboot", "proxmox.storage"]


def test_explain_of_a_field_that_nothing_sets_gives_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path).explain("a1", "core")
    assert caught.value.hint == "did you mean `cores`?"


def test_health_checks_are_those_of_the_roles_each_once(tmp_path: Path) -> None:
    fleet = load(tmp_path, host_vars__a1="machine: {roles: [base, web], update: {health: [{command: [a, b]}]}}")
    checks = fleet.health("a1")
    assert [check.kind for check in checks] == [HealthKind.SYSTEMD, HealthKind.TCP, HealthKind.COMMAND]
    assert (checks[0].within_s, checks[1].within_s, checks[2].argv) == (60, 120, ("a", "b"))


def test_patterns_leave_tombstones_out_unless_they_are_named(tmp_path: Path) -> None:
    fleet = load(tmp_path, host_vars__a2="machine: {state: absent}")
    assert fleet.host("a2").machine.state is State.ABSENT
    assert fleet.select("all") == fleet.select("core") == fleet.select("a*") == ("a1",)
    assert fleet.select("a2") == ("a2",)
    assert fleet.groups["core"] == ("a1", "a2")


def test_a_host_that_does_not_exist_is_a_usage_error_with_the_nearest(tmp_path: Path) -> None:
    fleet = load(tmp_path, hosts="all: {hosts: {web01: }}")
    with pytest.raises(UsageError) as caught:
        fleet.host("web1")
    assert caught.value.hint == "did you mean `web01`?"


def test_the_users_own_fields_and_variables_are_left_alone(tmp_path: Path) -> None:
    fleet = load(
        tmp_path, host_vars__a1="ansible_user: x\nroles: 3\nmachine: {x-rack: 7, vars: {port: 1}}\nv: !vault abc\n"
    )
    machine = fleet.host("a1").machine
    assert (dict(machine.extra), dict(machine.vars)) == ({"x-rack": 7}, {"port": 1})


def test_paths_are_relative_to_the_fleet_or_to_the_home(tmp_path: Path) -> None:
    site = SITE.replace("system: true", "ca: trust/ca.pem") + "access: {key: {file: ~/k}}\n"
    fleet = load(tmp_path, site=site)
    assert fleet.site.clusters["lab"].tls.ca == tmp_path / "trust/ca.pem"
    assert fleet.site.access.key == Path("~/k").expanduser()


def test_secrets_are_kept_as_references(tmp_path: Path) -> None:
    fleet = load(tmp_path, host_vars__a1="machine: {secrets: {a: {env: A}, b: {command: [pass, b]}, c: {file: c.txt}}}")
    assert fleet.host("a1").machine.secrets == {
        "a": SecretRef(env="A"),
        "b": SecretRef(command=("pass", "b")),
        "c": SecretRef(file=tmp_path / "c.txt"),
    }


def test_authorized_keys_are_read_from_their_files(tmp_path: Path) -> None:
    line = "ssh-ed25519 " + "A" * 68
    (tmp_path / "k.pub").write_text(f"{line} one\n# comment\n\n{line} two\n", encoding="utf-8")
    fleet = load(tmp_path, host_vars__a1=f"machine: {{bootstrap: {{authorized_keys: [{{file: k.pub}}, {line} two]}}}}")
    assert fleet.authorized_keys("a1") == (f"{line} one", f"{line} two")
    (tmp_path / "k.pub").unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        fleet.authorized_keys("a1")


@pytest.mark.parametrize(
    ("role", "host", "counts"),
    [
        ("", "", OnFailure.ROLLBACK),
        ("", "keep", OnFailure.KEEP),
        ("keep", "", OnFailure.KEEP),
        ("rollback", "keep", OnFailure.ROLLBACK),
        ("strict", "keep", OnFailure.STRICT),
        ("keep", "strict", OnFailure.STRICT),
    ],
)
def test_of_what_a_host_and_its_roles_say_of_failures_the_strictest_counts(
    tmp_path: Path, role: str, host: str, counts: OnFailure
) -> None:
    site = SITE.replace("ml: {", f"ml: {{on_failure: {role}, " if role else "ml: {")
    update = f", update: {{on_failure: {host}}}" if host else ""
    fleet = load(tmp_path, site=site, host_vars__a1=f"machine: {{roles: [base, ml]{update}}}")
    assert fleet.on_failure("a1") is counts


def test_what_a_role_needs_and_the_host_lacks_is_a_warning(tmp_path: Path) -> None:
    fleet = load(tmp_path, host_vars__a1="machine: {roles: [ml]}")
    assert [finding.what for finding in fleet.findings] == [
        "role `ml` needs 1 mapped PCI device(s), the host has 0",
        "role `ml` needs 16384 MiB of memory, the host has less",
    ]
    assert all(finding.warning for finding in fleet.findings)


def test_the_root_is_found_from_below(tmp_path: Path) -> None:
    write(tmp_path, {})
    below = tmp_path / "nix" / "hosts"
    below.mkdir(parents=True)
    assert find_root(below) == tmp_path
    assert find_root(tmp_path.parent) is None


def test_the_stamp_changes_with_every_file_of_the_inventory(tmp_path: Path) -> None:
    write(tmp_path, {"host_vars/a1.yaml": ""})
    first = stamp(tmp_path)
    assert stamp(tmp_path) == first
    (tmp_path / "inventory/host_vars/a1.yaml").write_text("machine: {}", encoding="utf-8")
    second = stamp(tmp_path)
    assert second != first
    (tmp_path / "inventory/host_vars/a2.yaml").write_text("", encoding="utf-8")
    assert stamp(tmp_path) != second


def test_importing_the_loader_loads_neither_pydantic_nor_the_yaml_parser() -> None:
    code = "import sys, pvenix.fleet.load, pvenix.fleet.playbook, pvenix.fleet.edit; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "ruamel.yaml", "_ruamel_yaml"} & set(loaded)
