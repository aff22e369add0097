"""The check of one value, in the words and the order of the real validator (proxmox.md a3, a10; pve-common JSONSchema.pm)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pvenix_lab.site.pve import schema
from pvenix_lab.site.pve.errors import ParameterError
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.formats import check_format
from pvenix_lab.site.pve.schema import check, find, methods
from pvenix_lab.site.pve.values import UNKNOWN, check_value

NET = methods(Flavour.PVE_8_4)["PUT", "/nodes/{node}/qemu/{vmid}/config"].properties["net[n]"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("boolean", "on", 1),
        ("boolean", "No", 0),
        ("integer", "-7", -7),
        ("number", "1.5e3", 1500.0),
        ("string", "", ""),
    ],
)
def test_a_value_gets_its_type(kind: str, text: str, value: object) -> None:
    assert check_value({"type": kind}, text, "x") == (value, {})


@pytest.mark.parametrize(
    ("rules", "text", "fault"),
    [
        ({"type": "integer"}, "1.0", "type check ('integer') failed - got '1.0'"),
        ({"type": "number"}, "1,5", "type check ('number') failed - got '1,5'"),
        ({"type": "boolean"}, "2", "type check ('boolean') failed - got '2'"),
        ({"format": "pve-vmid", "minimum": 500}, "99", "invalid format - value does not look like a valid VM ID\n"),
        ({"pattern": "a+", "maxLength": 1}, "aab", "value does not match the regex pattern"),
        ({"pattern": "a+", "maxLength": 1}, "aaa", "value may only be 1 characters long"),
        ({"minLength": 2, "enum": ["ab"]}, "a", "value must be at least 2 characters long"),
        ({"type": "integer", "maximum": 5, "enum": [1]}, "6", "value must have a maximum value of 5"),
        ({"type": "integer", "minimum": 5}, "4", "value must have a minimum value of 5"),
        ({"enum": ["a", "b"]}, "c", "value 'c' does not have a value in the enumeration 'a, b'"),
        ({"pattern": "a"}, "a\n", "value does not match the regex pattern"),
    ],
)
def test_the_first_fault_in_the_validators_order_is_named(rules: dict[str, Any], text: str, fault: str) -> None:
    assert check_value({"type": "string"} | rules, text, "x")[1] == {"x": fault}


def test_every_faulty_key_of_a_property_string_is_named_with_the_parameter_before_it() -> None:
    _, faults = check_value(NET, "virtio=BC:24:11:00:00:01,tag=5000,mtu=x", "net0")
    assert faults["net0"].splitlines() == [
        "invalid format - format error",
        "net0.mtu: type check ('integer') failed - got 'x'",
        "net0.tag: value must have a maximum value of 4094",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("virtio,e1000", "duplicate key in comma-separated list property: model"),
        ("virtio,tag=", "missing key in comma-separated list property"),
        ("bridge=lan", "net0.model: property is missing and it is not optional"),
        ("virtio,colour=red", f"colour: {UNKNOWN}"),
    ],
)
def test_a_property_string_that_cannot_be_read_is_refused(text: str, fault: str) -> None:
    assert fault in check_value(NET, text, "net0")[1]["net0"]


def test_an_alias_stands_for_two_keys() -> None:
    assert check_value(NET, "virtio=BC:24:11:00:00:01,bridge=lan", "net0")[1] == {}
    assert "unicast MAC" in check_value(NET, "e1000=zz", "net0")[1]["net0"]


def test_an_array_is_checked_item_by_item_and_a_single_text_is_one_item() -> None:
    rules = {"type": "array", "items": {"type": "integer"}}
    assert check_value(rules, "7", "x") == (["7"], {})
    assert check_value(rules, ["7", "y"], "x")[1] == {"x[1]": "type check ('integer') failed - got 'y'"}


def test_a_missing_companion_is_named_together_with_every_other_fault() -> None:
    properties: dict[str, dict[str, Any]] = {
        "path": {"type": "string", "optional": 1, "requires": "privs"},
        "privs": {"type": "string", "optional": 1},
        "userid": {"type": "string"},
    }
    with pytest.raises(ParameterError) as caught:
        check(properties, {"path": "/", "odd": "1"})
    assert caught.value.errors == {
        "odd": UNKNOWN,
        "privs": "missing property - 'path' requires this property",
        "userid": "property is missing and it is not optional",
    }


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("pve-userid", ["root@pam", "a.b@pve"], ["root", "a b@pam", "a:b@pam", "x" * 62 + "@pam"]),
        ("pve-tokenid", ["root@pam!ci"], ["root@pam", "root@pam!c"]),
        ("CIDR", ["10.0.0.1/24", "fe80::1/64"], ["10.0.0.1", "10.0.0.1/7", "10.0.0.1/33"]),
        ("address", ["10.0.0.1", "dns.example.org"], ["a_b", ""]),
        ("storage-pair-list", ["tanka1:tankb1", "1", "tanka1"], ["1x", ":"]),
        ("pve-hotplug-features", ["0", "1", "disk,network"], ["disc"]),
        ("email-opt", ["", "a@b.org"], ["a@b@c", "ab"]),
        ("pve-replication-job-id", ["100-0"], ["100", "10-0"]),
        ("pve-volume-id-or-qm-path", ["none", "/dev/sda", "local:1"], ["nothing"]),
    ],
)
def test_further_named_formats(name: str, good: list[str], bad: list[str]) -> None:
    assert [value for value in good if check_format(name, value) is not None] == []
    assert [value for value in bad if check_format(name, value) is None] == []


@pytest.mark.parametrize(
    ("path", "pattern", "params"),
    [
        ("/nodes/n/qemu/100/agent/ping", "/nodes/{node}/qemu/{vmid}/agent/ping", {"node": "n", "vmid": "100"}),
        ("/nodes/n/qemu/{vmid}/agent/ping", "/nodes/{node}/qemu/{vmid}/agent/ping", {"node": "n", "vmid": "{vmid}"}),
        (
            "/nodes/n/storage/s/content/s:iso/a/b.iso",
            "/nodes/{node}/storage/{storage}/content/{volume}",
            {"node": "n", "storage": "s", "volume": "s:iso/a/b.iso"},
        ),
        ("/cluster/backup/a/included_volumes", "/cluster/backup/{id}/included_volumes", {"id": "a"}),
    ],
)
def test_a_path_is_found_with_its_parameters(path: str, pattern: str, params: dict[str, str]) -> None:
    match = next(found for name in ("GET", "POST") if (found := find(name, path)))
    assert (match.method.pattern, match.uri_params) == (pattern, params)


@pytest.mark.parametrize("path", ["", "/", "/nodes//qemu", "/nodes/n/qemu/100/nothing", "/versions"])
def test_a_path_that_is_not_there_is_not_found(path: str) -> None:
    assert find("GET", path) is None


def test_every_pattern_of_both_schemas_compiles_and_every_default_key_is_unique() -> None:
    for flavour in Flavour:
        for method in methods(flavour).values():
            for name, rules in method.properties.items():
                check_value(rules, "x", name)
                keys = rules.get("format")
                if isinstance(keys, dict):
                    assert sum(bool(key.get("default_key")) for key in keys.values()) <= 1, (method.pattern, name)


def test_the_schema_is_loaded_and_searched_without_looking_at_all_of_it() -> None:
    schema._load.cache_clear()
    schema._schema.cache_clear()
    started = time.process_time()
    find("GET", "/version")
    loading = time.process_time() - started
    started = time.process_time()
    for _ in range(1000):
        find("GET", "/nodes/tappaas1/qemu/100/agent/get-osinfo")
    searching = (time.process_time() - started) / 1000
    assert loading < 3
    assert searching < 0.02
    assert len(schema._schema(Flavour.PVE_8_4)._known) == 2
