"""Commands that read and edit the fleet's files, over a copy of the starter fleet."""

from __future__ import annotations

import difflib
import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pvenix.cli.main import cli
from pvenix.fleet.starter import copy_starter
from tests.unit.cli_fake import Cli


class Fleet:
    """A fleet on disk and the command line in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        copy_starter(root)

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["--fleet", str(self.root), *arguments])

    def text(self, name: str) -> str:
        return (self.root / "inventory" / name).read_text()

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / "inventory" / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path / "fleet")


def git(at: Path, *words: str) -> str:
    names = ("-c", "user.name=me", "-c", "user.email=me@here", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *names, *words], cwd=at, check=True, capture_output=True, text=True)
    return done.stdout


def test_a_pull_that_brings_an_added_host_does_not_stumble_over_the_line_that_added_it(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    git(fleet.root, "init", "--quiet")
    git(fleet.root, "add", "--all")
    git(fleet.root, "commit", "--quiet", "-m", "fleet")
    git(tmp_path, "clone", "--quiet", str(fleet.root), "clone")
    other = tmp_path / "clone"
    result = fleet("host", "add", "dns02", "--role", "base", "--group", "core", "--zone", "core13")
    assert (result.exit_code, "hosts.yaml is staged" in result.stderr) == (0, True)
    (other / "inventory" / "hosts.yaml").write_text(fleet.text("hosts.yaml"))
    git(other, "commit", "--quiet", "--all", "-m", "Register dns02")
    git(fleet.root, "pull", "--quiet", "--ff-only", str(other), "main")
    assert git(fleet.root, "status", "--porcelain") == ""


def test_a_host_is_added_where_there_is_no_git_at_all(fleet: Fleet) -> None:
    result = fleet("host", "add", "dns02", "--role", "base", "--group", "core", "--zone", "core13")
    assert (result.exit_code, "staged" in result.stderr) == (0, False)


def test_a_host_that_was_added_is_in_the_audit_log(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    fleet("host", "add", "dns02", "--role", "base", "--group", "core", "--zone", "core13")
    fleet("host", "edit", "dns02", "memory=8G")
    [added, edited] = json.loads(fleet("audit", "-o", "json").stdout)["audit"]
    assert (added["verb"], added["host"], added["about"]) == ("add-host", "dns02", "inventory/hosts.yaml")
    assert edited["verb"] == "edit-host"
    assert fleet("audit", "verify").exit_code == 0


def test_the_starter_fleet_is_valid(fleet: Fleet) -> None:
    result = fleet("validate")
    playbooks = len(list((fleet.root / "playbooks").glob("*.yaml")))
    assert (result.exit_code, result.output) == (0, f"6 hosts, {playbooks} playbooks: valid\n")


def test_every_typo_is_shown_with_its_place_and_the_nearest_word(fleet: Fleet) -> None:
    fleet.edit("hosts.yaml", "class: ci", "clas: ci")
    fleet.edit("site.yaml", "domain: internal ", "domian: internal ")
    playbook = fleet.root / "playbooks" / "onboard.yaml"
    playbook.write_text(playbook.read_text().replace("      clone:", "      cloen:", 1))
    result = fleet("validate")
    assert result.exit_code == 2
    assert "inventory/hosts.yaml:10:13: error[" in result.stdout
    assert "did you mean `class`?" in result.stdout
    assert "inventory/site.yaml:8:3: error[" in result.stdout
    assert "playbooks/onboard.yaml:" in result.stdout
    assert "did you mean `clone`?" in result.stdout
    assert "Traceback" not in result.output


def test_findings_as_json_carry_line_and_column(fleet: Fleet) -> None:
    fleet.edit("hosts.yaml", "class: ci", "clas: ci")
    document = json.loads(fleet("validate", "-o", "json").stdout)
    assert (document["schema"], document["valid"]) == ("pvenix/validate/v1", False)
    assert {"line": 10, "column": 13, "severity": "error"}.items() <= document["findings"][0].items()


@pytest.mark.parametrize("command", ["validate", "status", "inventory"])
def test_without_a_fleet_the_error_names_the_ways(command: str, tmp_path: Path) -> None:
    arguments = [command, "list"] if command == "inventory" else [command]
    result = CliRunner().invoke(cli, ["--fleet", str(tmp_path), *arguments])
    assert (result.exit_code, "pvenix init" in result.stderr) == (2, True)


def test_hosts_are_listed_by_pattern(fleet: Fleet) -> None:
    names = [line.split()[0] for line in fleet("inventory", "list", "core:!dns01").stdout.splitlines()[1:]]
    assert names == ["tappaas-cicd", "nix-cache01"]
    assert fleet("inventory", "list", "cores").exit_code == 2


def test_a_value_is_explained_with_its_place_and_what_it_beat(fleet: Fleet) -> None:
    lines = fleet("inventory", "explain", "dns01", "network.address").stdout.splitlines()
    assert lines[0] == "network.address = 10.69.13.5/24"
    assert lines[1].startswith("  from at inventory/hosts.yaml:")
    assert lines[2].startswith("  beat dhcp at inventory/site.yaml:")
    document = json.loads(fleet("inventory", "explain", "dns01", "network.address", "-o", "json").stdout)
    assert document["fields"][0]["beaten"][0]["layer"] == "site defaults"


def test_set_beats_every_file(fleet: Fleet) -> None:
    result = fleet("inventory", "explain", "dns01", "memory", "--set", "memory=9G")
    assert result.stdout.splitlines()[:2] == ["memory = 9G", "  from (--set)"]


def test_the_graph_is_ansible_s(fleet: Fleet) -> None:
    lines = fleet("inventory", "graph").stdout.splitlines()
    assert lines[:3] == ["@all:", "  |--@core:", "  |  |--tappaas-cicd"]
    assert "  |--@role_dns:" in lines
    assert fleet("inventory", "list", "--graph").stdout.splitlines() == lines


def test_the_export_is_a_dynamic_inventory(fleet: Fleet) -> None:
    document = json.loads(fleet("inventory", "list", "--ansible").stdout)
    assert document["_meta"]["hostvars"]["dns01"]["ansible_host"] == "10.69.13.5"
    assert document["role_nix_cache"] == {"hosts": ["nix-cache01"]}
    assert "core" in document["all"]["children"]


def test_the_merged_fields_of_one_host(fleet: Fleet) -> None:
    document = json.loads(fleet("inventory", "list", "--host", "dns01").stdout)
    assert document["machine"]["network"]["vlan"] == 13


def test_roles_are_listed_and_shown(fleet: Fleet) -> None:
    assert "dns        role-dns" in fleet("role", "list").stdout
    assert "nix/modules/role-dns.nix" in fleet("role", "show", "dns").stdout
    wrong = fleet("role", "show", "dsn")
    assert (wrong.exit_code, "did you mean `dns`?" in wrong.stderr) == (2, True)
    assert json.loads(fleet("role", "show", "dns", "-o", "json").stdout)["hosts"] == ["dns01"]


def test_a_host_is_added_without_touching_another_line(fleet: Fleet) -> None:
    before = fleet.text("hosts.yaml").splitlines()
    options = ("--role", "base", "--role", "dns", "--group", "core", "--zone", "core13", "--address", "10.69.13.6/24")
    result = fleet("host", "add", "dns02", *options, "memory=8G")
    assert result.exit_code == 0
    after = fleet.text("hosts.yaml").splitlines()
    assert not [line for line in difflib.ndiff(before, after) if line.startswith("- ")]
    machine = json.loads(fleet("host", "show", "dns02", "-o", "json").stdout)["machine"]
    assert (machine["roles"], machine["memory"], machine["network"]["zone"]) == (["base", "dns"], "8G", "core13")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dns01",), "pvenix host edit dns01"),
        (("dns02", "--group", "croe"), "did you mean `core`?"),
        (("dns02", "--role", "dsn"), "did you mean `dns`?"),
        (("dns02", "--zone", "core13", "--address", "10.69.13.5/24"), "dns01"),
        (("-x",), "No such option"),
        (("a/b",), "is not a host name"),
    ],
)
def test_a_host_that_does_not_fit_is_not_added(fleet: Fleet, arguments: tuple[str, ...], said: str) -> None:
    before = fleet.text("hosts.yaml")
    result = fleet("host", "add", *arguments)
    assert (result.exit_code, fleet.text("hosts.yaml")) == (2, before)
    assert said in result.stderr


def test_a_field_is_set_where_the_host_has_it(fleet: Fleet) -> None:
    fleet("host", "edit", "dns01", "network.address=10.69.13.9/24", "memory=8G", "tags+=public")
    assert "address: 10.69.13.9/24, dns: [9.9.9.9]" in fleet.text("hosts.yaml")
    assert fleet.text("host_vars/dns01.yaml") == "machine:\n  memory: 8G\n  tags+: [public]\n"
    assert fleet("host", "edit", "dns01", "memory=8G").stdout == "nothing to change\n"


def test_an_edit_that_makes_the_fleet_invalid_is_taken_back(fleet: Fleet) -> None:
    before = fleet.text("hosts.yaml")
    result = fleet("host", "edit", "dns01", "network.address=10.69.13.15/24", "corse=3")
    assert result.exit_code == 2
    assert "did you mean `cores`?" in result.stderr
    assert fleet.text("hosts.yaml") == before
    assert not (fleet.root / "inventory" / "host_vars" / "dns01.yaml").exists()


def test_a_host_is_shown_with_the_file_that_says_so(fleet: Fleet) -> None:
    shown = fleet("host", "show", "dns01").stdout
    assert "listed at inventory/hosts.yaml:13" in shown
    assert "network.zone" in shown
    assert fleet("host", "show", "dns09").exit_code == 2


def test_init_copies_the_starter_and_refuses_to_overwrite(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    assert CliRunner().invoke(cli, ["init", str(target)]).stdout == f"{target}\n"
    assert (target / "nix" / "flake.nix").is_file()
    again = CliRunner().invoke(cli, ["init", str(target)])
    assert (again.exit_code, "nothing was written" in again.stderr) == (2, True)
    assert CliRunner().invoke(cli, ["init", str(target), "--remote", "--lab"]).exit_code == 2


def test_a_remote_is_asked_of_the_workspace_and_keeps_a_fleet_that_is_there(tmp_path: Path) -> None:
    pvenix = Cli(tmp_path / "fleet")
    copy_starter(tmp_path / "mine")
    result = pvenix("init", str(tmp_path / "mine"), "--remote", "-o", "json")
    document = json.loads(result.stdout)
    assert (document["main"], document["changed"], document["written"]) == ("c" * 40, True, [])
    assert pvenix.workspace.asked == [("init_remote",)]
    assert pvenix.opened[0][0] == tmp_path / "mine"


def test_a_remote_that_is_as_it_should_be_is_said_to_be_so(tmp_path: Path) -> None:
    pvenix = Cli(tmp_path / "fleet")
    first = pvenix("init", str(tmp_path / "mine"), "--remote").stderr
    assert "cicd: sudo -n git init" in first
    assert "next: write the key down" in first
    pvenix.workspace.changes = False
    again = pvenix("init", str(tmp_path / "mine"), "--remote")
    assert again.stdout == f"{tmp_path / 'mine'}\n"
    assert "nothing to do: main is at cccccccccc" in again.stderr


def test_host_names_are_completed_from_the_inventory(fleet: Fleet) -> None:
    environment = {
        "COMP_WORDS": f"pvenix --fleet {fleet.root} rebuild d",
        "COMP_CWORD": "4",
        "_PVENIX_COMPLETE": "bash_complete",
    }
    result = CliRunner(env=environment).invoke(cli, [], prog_name="pvenix")
    assert result.stdout.split() == ["plain,dns01", "plain,docker01"]
