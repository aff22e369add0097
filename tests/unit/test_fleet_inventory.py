"""hosts.yaml, group_vars and host_vars as Ansible reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pvenix.fleet import ranges
from pvenix.fleet.inventory import load_inventory
from pvenix.fleet.layers import merge
from pvenix.fleet.members import Inventory
from pvenix.model.errors import UsageError


def inventory(root: Path, hosts: str, files: Mapping[str, str] | None = None) -> Inventory:
    for name, text in {"hosts.yaml": hosts, **(files or {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return load_inventory(root / "hosts.yaml", root)


def said(found: Inventory) -> list[str]:
    return [str(finding).replace("\n  hint: ", " | ") for finding in found.findings]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("web01", "web01"),
        ("gpu[01:03]", "gpu01 gpu02 gpu03"),
        ("gpu[8:10]x", "gpu8x gpu9x gpu10x"),
        ("n[a:c]", "na nb nc"),
        ("n[0:4:2]", "n0 n2 n4"),
        ("r[1:2]n[a:b]", "r1na r1nb r2na r2nb"),
    ],
)
def test_a_range_stands_for_its_names_with_both_ends(pattern: str, names: str) -> None:
    assert ranges.expand(pattern) == names.split()


@pytest.mark.parametrize("pattern", ["g[3:1]", "g[1:b]", "g[01:010]", "g[0:99999]", "g[0:999]x[0:999]", "g[a:Z]"])
def test_a_range_that_is_none_or_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        ranges.expand(pattern)


def test_groups_nest_and_a_host_may_be_in_several(tmp_path: Path) -> None:
    found = inventory(
        tmp_path,
        """
all:
  hosts: {loner: }
  children:
    prod: {children: {web: , db: }}
    web: {hosts: {"w[1:2]": }}
    db: {hosts: {d1: , w2: }}
other: {hosts: {o1: }}
""",
    )
    assert said(found) == []
    assert list(found.hosts) == ["loner", "w1", "w2", "d1", "o1"]
    assert found.members("prod") == ["w1", "w2", "d1"]
    assert found.groups_of("w2") == ("all", "prod", "db", "web")
    assert found.groups_of("loner") == ("all",)
    assert found.groups_of("o1") == ("all", "other")


def test_deeper_groups_win_then_priority_then_name_and_files_beat_inline(tmp_path: Path) -> None:
    found = inventory(
        tmp_path,
        """
all:
  vars: {machine: {a: all, b: all, c: all, d: all, e: all}}
  children:
    x: {vars: {machine: {b: x, c: x, d: x}}, children: {y: {hosts: {h: }, vars: {machine: {c: y}}}}}
    z: {vars: {ansible_group_priority: 5, machine: {b: z}}, hosts: {h: }}
    zz: {vars: {machine: {b: zz}}, hosts: {h: }}
""",
        {"group_vars/all.yaml": "machine: {d: file-all}", "group_vars/x.yml": "machine: {e: file-x}"},
    )
    assert said(found) == []
    merged = merge(found.group_layers(found.groups_of("h"))).plain()
    assert merged == {"a": "all", "b": "z", "c": "y", "d": "file-all", "e": "file-x"}


def test_vars_may_be_a_folder_of_files(tmp_path: Path) -> None:
    found = inventory(
        tmp_path,
        "all: {hosts: {h: }}",
        {"host_vars/h/1.yaml": "machine: {a: 1}", "host_vars/h/2.yml": "machine: {a: 2}"},
    )
    assert merge(found.hosts["h"].files).plain() == {"a": 2}


def test_a_file_encrypted_for_ansible_belongs_to_the_user(tmp_path: Path) -> None:
    found = inventory(tmp_path, "all: {hosts: {h: }}", {"host_vars/h.yaml": "$ANSIBLE_VAULT;1.1;AES256\n3132\n"})
    assert said(found) == []


@pytest.mark.parametrize(
    ("hosts", "problem"),
    [
        ("- a", "hosts.yaml:1:1: error[PVX0105]: must be a map of groups | start with `all:`"),
        ("all: 3", "hosts.yaml:1:6: error[PVX0105]: group `all` must be a map | of hosts, children, vars"),
        ("all: {host: }", "hosts.yaml:1:7: error[PVX0104]: unknown key `host` in a group | did you mean `hosts`?"),
        (
            "all: {hosts: [a]}",
            "hosts.yaml:1:14: error[PVX0105]: `hosts` must be a map | each name is a key, with a colon after it",
        ),
        (
            "all: {hosts: {a: 3}}",
            "hosts.yaml:1:18: error[PVX0105]: variables must be a map | such as `machine: {…}`",
        ),
        (
            "all: {hosts: {a: {machine: x}}}",
            "hosts.yaml:1:28: error[PVX0105]: `machine` must be a map | such as {class: small}",
        ),
        (
            "all: {hosts: {a_b: }}",
            (
                "hosts.yaml:1:15: error[PVX0114]: 'a_b' is not a host name | "
                "use letters, digits and inner hyphens, at most 63"
            ),
        ),
        (
            "all: {children: {a b: }}",
            "hosts.yaml:1:18: error[PVX0114]: 'a b' is not a group name | use letters, digits and _",
        ),
        (
            "all: {children: {role_x: }}",
            (
                "hosts.yaml:1:18: error[PVX0114]: group `role_x`: names with role_ are taken | "
                "give the hosts the role; the group then exists"
            ),
        ),
        (
            "all: {hosts: {Web: , web: }}",
            "hosts.yaml:1:22: error[PVX0109]: host `web` differs from another only in case | `Web` is at hosts.yaml:1",
        ),
        (
            "all: {children: {x: {children: {y: }}, y: {children: {x: }}}}",
            "hosts.yaml:1:33: error[PVX0108]: groups contain themselves: x -> y -> x | take one of them out",
        ),
        (
            "all: {hosts: {a: {machin: {}}}}",
            "hosts.yaml:1:19: warning[PVX0104]: `machin` is not read by pvenix | did you mean `machine`?",
        ),
        (
            "all: {hosts: {web: }, children: {web: }}",
            "hosts.yaml:1:15: warning[PVX0114]: `web` is a host and a group | rename the group",
        ),
    ],
)
def test_what_is_wrong_in_hosts_yaml_is_said_at_its_place(hosts: str, problem: str, tmp_path: Path) -> None:
    assert said(inventory(tmp_path, hosts)) == [problem]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("host_vars/web1.yaml", "there is no host `web1` | did you mean `web01`?"),
        ("group_vars/cor.yaml", "there is no group `cor` | did you mean `core`?"),
        ("group_vars/role_dns.yaml", "there is no group `role_dns` | what a role sets stands in site.yaml"),
    ],
)
def test_a_vars_file_for_nobody_is_a_warning(name: str, problem: str, tmp_path: Path) -> None:
    (found,) = said(inventory(tmp_path, "all: {children: {core: {hosts: {web01: }}}}", {name: ""}))
    assert found.startswith(f"{name}:1:1: warning[PVX0113]: {problem}")


@pytest.mark.parametrize(
    "name",
    [
        "-oProxyCommand=x",
        "../a",
        "a%2f",
        "$(id)",
        "[@click=app.x()]",
        "{{a}}",
        "${a}",
        "a" * 64,
        "a.lock",
        "@{",
        "\u0440\u0430ge",
        "a b",
        "1a",
        "a-",
        "a\u202eb",
    ],
)
def test_a_hostile_host_name_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    found = inventory(tmp_path, f"all:\n  hosts:\n    '{name}':\n")
    assert [(finding.code, finding.line, finding.column) for finding in found.findings] == [("PVX0114", 3, 5)]
    assert found.hosts == {}


def test_a_long_chain_of_groups_is_no_problem(tmp_path: Path) -> None:
    chain = "".join(f"g{n}: {{children: {{g{n + 1}: }}}}\n" for n in range(1500))
    found = inventory(tmp_path, f"{chain}g1500: {{hosts: {{h: }}}}\n")
    assert said(found) == []
    assert found.groups_of("h")[-1] == "g1500"
