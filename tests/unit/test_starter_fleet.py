"""The starter fleet is data that people copy: it must agree with itself, parse, and keep the seeds' faults out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import tree_sitter_nix
from ruamel.yaml import YAML
from tree_sitter import Language, Node, Parser

from pvenix.fleet.starter import starter
from pvenix.model.verbs import ONBOARDING, REPROVISIONING, VERBS

ROOT = starter()
NIX = ROOT / "nix"
NIX_FILES = sorted(NIX.rglob("*.nix"))
STANDING = ("dns01", "docker01", "nix-cache01", "tappaas-cicd")
REGISTER_THEMSELVES = ("tappaas-litellm", "tappaas-vllm")

HOST_FILE = """\
{{
  imports = [
    ../configuration.nix
    ../hardware/{host}-hw.nix
{modules}
  ];

  networking.hostName = "{host}";
}}
"""


def load(path: str) -> Any:
    """One YAML file of the repository, as plain values."""
    return YAML(typ="safe").load((ROOT / path).read_text())


def machines() -> dict[str, Mapping[str, Any]]:
    """Every host of the inventory with its inline `machine`."""
    groups = load("inventory/hosts.yaml")["all"]["children"]
    return {host: data["machine"] for group in groups.values() for host, data in group["hosts"].items()}


def modules_of(roles: Sequence[str]) -> list[str]:
    """The modules that these roles name, in order."""
    known = load("inventory/site.yaml")["roles"]
    return [module for role in roles for module in known[role]["modules"]]


def nix_errors(source: bytes) -> list[str]:
    """Where the source is not Nix, as `line: text`."""
    tree = Parser(Language(tree_sitter_nix.language())).parse(source)
    return [f"{node.start_point.row + 1}: {node.text!r}" for node in walk(tree.root_node) if broken(node)]


def broken(node: Node) -> bool:
    """Whether the parser gave up here or made something up."""
    return node.is_error or node.is_missing


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def code(path: Path) -> str:
    """A Nix file without its comments."""
    tree = Parser(Language(tree_sitter_nix.language())).parse(path.read_bytes())
    source = path.read_bytes()
    comments = [(node.start_byte, node.end_byte) for node in walk(tree.root_node) if node.type == "comment"]
    for start, end in reversed(comments):
        source = source[:start] + source[end:]
    return source.decode()


@pytest.mark.parametrize("path", NIX_FILES, ids=lambda path: str(path.relative_to(NIX)))
def test_every_nix_file_parses(path: Path) -> None:
    assert nix_errors(path.read_bytes()) == []


def test_a_broken_nix_file_would_be_noticed() -> None:
    assert nix_errors(b"{ imports = [ ./a.nix ; }") != []


def test_every_role_of_a_host_is_defined_and_every_role_has_its_modules() -> None:
    roles = load("inventory/site.yaml")["roles"]
    used = {role for machine in machines().values() for role in machine["roles"]}
    assert used == set(roles)
    assert [m for m in modules_of(list(roles)) if not (NIX / "modules" / f"{m}.nix").is_file()] == []


@pytest.mark.parametrize("host", STANDING)
def test_a_standing_host_file_is_what_register_makes_of_its_roles(host: str) -> None:
    modules = "\n".join(f"    ../modules/{module}.nix" for module in modules_of(machines()[host]["roles"]))
    assert (NIX / "hosts" / f"{host}.nix").read_text() == HOST_FILE.format(host=host, modules=modules)
    assert (NIX / "hardware" / f"{host}-hw.nix").is_file()


def test_only_standing_hosts_have_files_the_others_get_theirs_by_registration() -> None:
    assert sorted(machines()) == sorted([*STANDING, *REGISTER_THEMSELVES])
    assert sorted(path.stem for path in (NIX / "hosts").iterdir()) == sorted(STANDING)
    assert sorted(path.stem for path in (NIX / "hardware").iterdir()) == sorted(f"{host}-hw" for host in STANDING)


def test_every_import_of_a_nix_file_exists() -> None:
    """A flake sees tracked files only, and a missing one is found at the first build otherwise."""
    missing = [
        f"{path.name}: {target}"
        for path in NIX_FILES
        for target in re.findall(r"(?<![\w/.])(\.{1,2}/[\w./-]+)", code(path))
        if not (path.parent / target).exists()
    ]
    assert missing == []


def test_no_nix_file_imports_from_the_machine_it_is_built_on() -> None:
    assert [path.name for path in NIX_FILES if re.search(r"(?<![\w\"])/etc/nixos", code(path))] == []


def test_group_names_are_good_for_ansible_and_never_a_host_name() -> None:
    groups = load("inventory/hosts.yaml")["all"]["children"]
    assert [name for name in groups if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in machines()] == []
    files = {path.stem for path in (ROOT / "inventory/group_vars").iterdir()}
    assert files <= {"all", *groups}
    assert {path.stem for path in (ROOT / "inventory/host_vars").iterdir()} <= set(machines())


def test_the_nix_side_and_the_inventory_name_the_same_repository() -> None:
    site = (NIX / "site.nix").read_text()
    declared = load("inventory/site.yaml")["repository"]
    assert f'url = "{declared["url"]}";' in site
    assert f'branch = "{declared["branch"]}";' in site


@pytest.mark.parametrize("name", ["onboard", "rebuild-all", "rollback", "retire", "reprovision", "template-refresh"])
def test_a_playbook_calls_verbs_that_exist_with_arguments_that_they_take(name: str) -> None:
    words = {"name", "tags", "throttle", "run_once"}
    for play in load(f"playbooks/{name}.yaml"):
        for task in play["tasks"]:
            (verb,) = set(task) - words
            assert verb in VERBS
            assert set(task[verb] or {}) <= set(VERBS[verb].args)


def test_onboarding_does_every_verb_in_order() -> None:
    (play,) = load("playbooks/onboard.yaml")
    assert tuple(verb for task in play["tasks"] for verb in task if verb in VERBS) == ONBOARDING


def test_reprovisioning_destroys_and_then_onboards() -> None:
    (play,) = load("playbooks/reprovision.yaml")
    assert tuple(verb for task in play["tasks"] for verb in task if verb in VERBS) == REPROVISIONING


def test_the_inventory_refers_to_secrets_and_holds_none() -> None:
    for path in (ROOT / "inventory").rglob("*.yaml"):
        text = path.read_text()
        assert not re.search(r"PRIVATE KEY|AGE-SECRET-KEY|[\w.-]+@\w+![\w-]+=[0-9a-f-]{36}", text), path


@pytest.mark.parametrize(
    "fault",
    [
        r"\bpip\b",
        r"nix-env",
        r"hardware\.opengl",
        r"driSupport",
        r"(?m)^  graphics\b",
        r"python3\d+Packages\.vllm",
        r"/home/tappaas",
        r"model_providers",
        r"\bdummy\b",
        r"allowUnfree = true",
    ],
)
def test_a_fault_of_the_seed_modules_does_not_come_back(fault: str) -> None:
    assert [path.name for path in NIX_FILES if re.search(fault, code(path))] == []


def test_the_gpu_role_installs_the_driver_and_the_gateway_takes_its_secret_by_path() -> None:
    assert 'services.xserver.videoDrivers = [ "nvidia" ];' in code(NIX / "modules/role-vllm.nix")
    litellm = code(NIX / "modules/role-litellm.nix")
    assert "environmentFile = secret;" in litellm
    assert 'master_key = "os.environ/LITELLM_MASTER_KEY"' in litellm


def test_services_that_listen_open_just_the_ports_their_role_declares() -> None:
    roles = load("inventory/site.yaml")["roles"]
    for role in ("dns", "nix-cache"):
        opened = re.findall(r"allowedTCPPorts = \[ ([\d ]*)\]", code(NIX / f"modules/role-{role}.nix"))
        assert [int(port) for ports in opened for port in ports.split()] == roles[role]["ports"]["tcp"]
