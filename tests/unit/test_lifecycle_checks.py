"""What is looked at in a registration branch before a person may approve it."""

from __future__ import annotations

import pytest

from pvenix.engine.ports import FileChange
from pvenix.fleet.edit import add_host
from pvenix.fleet.starter import starter
from pvenix.lifecycle.checks import file_diff, run_checks
from pvenix.model.review import Kind, Verdict, kind_of
from tests.unit.lifecycle_support import change, fleet, host

HARDWARE = (starter() / "nix/hardware/dns01-hw.nix").read_text()
FLEET = fleet(host("web1"), host("dns01", proxmox={"vmid": 200}))
GOOD = (
    change("nix/hosts/web1.nix", "{ imports = [ ../configuration.nix ]; }\n"),
    change("nix/hardware/web1-hw.nix", HARDWARE),
    change("inventory/host_vars/web1.yaml", "machine:\n  proxmox:\n    vmid: 201\n"),
    change("inventory/trust/web1", "ssh-ed25519 AAAA web1\n"),
)
NAMES = {
    "scope": "only the host's own files",
    "plain": "plain text files",
    "visible": "no invisible characters",
    "secrets": "no secrets",
    "syntax": "Nix syntax",
    "hardware": "hardware file is the generator's",
    "clash": "no clash of VM ids",
}


def verdicts(*changes: FileChange) -> dict[str, Verdict]:
    """What the checks say of a branch; of two changes of one path the later one counts."""
    branch = tuple({one.path: one for one in changes}.values())
    return {check.name: check.verdict for check in run_checks(FLEET, "web1", branch)}


def test_a_registration_as_pvenix_writes_it_passes_every_check() -> None:
    assert verdicts(*GOOD) == dict.fromkeys(NAMES.values(), Verdict.PASS)


LISTING = "all:\n  hosts:\n    dns01:\n      machine: {roles: [dns]}\n"


def listing(text: str) -> FileChange:
    """A branch's hosts.yaml against the one on main."""
    return FileChange(path="inventory/hosts.yaml", old=LISTING, new=text)


def test_a_host_may_list_itself_and_leave_every_other_entry_as_it_is() -> None:
    own = LISTING + "    web1:\n      machine: {roles: [docker]}\n"
    assert verdicts(*GOOD, listing(own))[NAMES["scope"]] is Verdict.PASS


@pytest.mark.parametrize(
    ("main", "group"),
    [
        ("all:\n  children:\n    core:\n      hosts:\n        dns01:\n", "all"),
        ("all:\n  children:\n    web:\n    core:\n      hosts:\n        dns01:\n", "web"),
        ("all:\n  children:\n    web: {}\n", "web"),
    ],
    ids=["the top", "a bare group", "an empty group"],
)
def test_the_first_host_of_a_group_may_list_itself(main: str, group: str) -> None:
    branch = FileChange(path="inventory/hosts.yaml", old=main, new=add_host(main, group, "web1", {"roles": ["docker"]}))
    assert verdicts(*GOOD, branch)[NAMES["scope"]] is Verdict.PASS


@pytest.mark.parametrize(
    "text",
    [
        LISTING.replace("[dns]", "[docker]"),
        LISTING.replace("[dns]", "[docker]") + "    web1: {}\n",
        LISTING + "  vars:\n    machine: {bootstrap: {user: root}}\n",
        "all:\n  hosts:\n    web1: {}\n",
        "all: [",
    ],
    ids=[
        "another host's role",
        "another's role beside its own entry",
        "variables of all",
        "another host gone",
        "no YAML",
    ],
)
def test_a_host_that_changes_anything_else_of_the_listing_fails(text: str) -> None:
    assert verdicts(*GOOD, listing(text))[NAMES["scope"]] is Verdict.FAIL


BAD = {
    "another host's file": ("scope", change("nix/hosts/dns01.nix")),
    "another host's variables": ("scope", change("inventory/host_vars/dns01.yaml")),
    "another host's key": ("scope", change("inventory/trust/dns01")),
    "the flake": ("scope", change("nix/flake.nix", "{ }")),
    "the site": ("scope", change("inventory/site.yaml")),
    "a name that only begins like its own": ("scope", change("nix/hosts/web1.nix.bak")),
    "a path with a way out": ("scope", change("nix/hosts/../hosts/dns01.nix")),
    "a deleted file of another host": ("scope", change("nix/hosts/dns01.nix", None)),
    "a symbolic link": ("plain", change("inventory/trust/web1", "/etc/passwd", mode="120000")),
    "a submodule": ("plain", change("inventory/trust/web1", None, mode="160000")),
    "an executable file": ("plain", change("inventory/trust/web1", mode="100755")),
    "a binary file": ("plain", change("inventory/trust/web1", binary=True)),
    "a huge file": ("plain", change("inventory/trust/web1", "x" * 300_000)),
    "a right-to-left override": ("visible", change("nix/hosts/web1.nix", "{ } # \u202e")),
    "a zero width space": ("visible", change("nix/hosts/web1.nix", "{ a\u200b = 1; }")),
    "an escape sequence": ("visible", change("nix/hosts/web1.nix", "{ } # \x1b[2J")),
    "a carriage return": ("visible", change("nix/hosts/web1.nix", "{ } # a\rb")),
    "an Arabic letter mark": ("visible", change("nix/hosts/web1.nix", "{ } # \u061c")),
    "a line separator": ("visible", change("nix/hosts/web1.nix", "{ } # \u2028 evil = 1;")),
    "a Hangul filler": ("visible", change("nix/hosts/web1.nix", "{ } # \u3164")),
    "a tag character": ("visible", change("nix/hosts/web1.nix", "{ } # \U000e0041")),
    "a private key": ("secrets", change("nix/hosts/web1.nix", '"-----BEGIN OPENSSH PRIVATE KEY-----"')),
    "an age identity": ("secrets", change("nix/hosts/web1.nix", '"AGE-SECRET-KEY-1' + "Q" * 58 + '"')),
    "an API token": (
        "secrets",
        change("inventory/host_vars/web1.yaml", "x: root@pam!t=0a1b2c3d-0000-4000-8000-0123456789ab"),
    ),
    "broken Nix": ("syntax", change("nix/hosts/web1.nix", "{ imports = [ ; }")),
    "another host's VM id behind a comment": (
        "clash",
        change("inventory/host_vars/web1.yaml", "# vmid: 201\nmachine: {'proxmox': {\"vmid\": 200}}"),
    ),
    "another host's VM id": ("clash", change("inventory/host_vars/web1.yaml", "machine: {proxmox: {vmid: 200}}")),
}


@pytest.mark.parametrize(("which", "bad"), BAD.values(), ids=list(BAD))
def test_what_must_not_be_merged_fails_its_check(which: str, bad: FileChange) -> None:
    assert verdicts(*GOOD, bad)[NAMES[which]] is Verdict.FAIL


def test_a_hardware_file_of_another_making_is_for_a_person_to_decide() -> None:
    text = HARDWARE.replace("swapDevices = [ ];", 'boot.kernelParams = [ "quiet" ];')
    found = verdicts(change("nix/hardware/web1-hw.nix", text))
    assert found[NAMES["hardware"]] is Verdict.WARN
    assert Verdict.FAIL not in found.values()


def test_a_failed_check_says_where() -> None:
    broken = change("nix/hosts/web1.nix", "{\n  a = 1;\n  imports = [ ; }\n")
    [check] = [check for check in run_checks(FLEET, "web1", (broken,)) if check.verdict is Verdict.FAIL]
    assert "nix/hosts/web1.nix:3" in check.detail


def test_a_diff_counts_lines_and_writes_out_what_hides() -> None:
    diff = file_diff("web1", change("nix/hosts/web1.nix", "a\nb\u202e\n", old="a\nc\n"))
    assert (diff.kind, diff.added, diff.removed) == ("host", 1, 1)
    assert "<U+202E>" in diff.unified
    assert "\u202e" not in diff.unified


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("nix/hosts/web1.nix", "host"),
        ("nix/hardware/web1-hw.nix", "hardware"),
        ("inventory/trust/web1", "trust"),
        ("inventory/hosts.yaml", "inventory"),
        ("nix/hosts/dns01.nix", "other"),
    ],
)
def test_a_diff_names_the_kind_of_its_file(path: str, kind: str) -> None:
    assert file_diff("web1", change(path)).kind == kind


def test_a_binary_file_is_not_shown() -> None:
    assert file_diff("web1", change("x", "\x00", binary=True)).unified == "(binary)"


def edited(*changes: FileChange) -> dict[str, tuple[Verdict, str]]:
    """What the checks say of a branch with what was edited on web1."""
    found = run_checks(FLEET, "web1", changes, kind=kind_of("edits/web1"))
    return {check.name: (check.verdict, check.detail) for check in found if check.verdict is not Verdict.PASS}


def test_adopted_edits_of_the_hosts_own_files_pass_every_check() -> None:
    assert kind_of("edits/web1") is Kind.EDITS
    assert edited(change("nix/hosts/web1.nix", "{ }\n"), change("inventory/host_vars/web1.yaml", "a: 1\n")) == {}


def test_adopted_edits_of_what_other_hosts_are_made_of_are_for_a_person_to_decide() -> None:
    assert edited(change("nix/hosts/web1.nix", "{ }\n"), change("nix/common.nix", "{ }\n")) == {
        "only the host's own files": (Verdict.WARN, "not this host's alone: nix/common.nix")
    }


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nix/hosts/dns01.nix", "it is dns01's own"),
        ("nix/hardware/dns01-hw.nix", "it is dns01's own"),
        ("inventory/host_vars/dns01.yaml", "it is dns01's own"),
        ("inventory/trust/dns01", "it is dns01's own"),
        ("inventory/trust/web1", "it is the operators' alone"),
        ("inventory/hosts.yaml", "it is the operators' alone"),
        ("playbooks/site.yaml", "it is the operators' alone"),
        (".github/workflows/ci.yml", "it is the operators' alone"),
    ],
)
def test_a_branch_of_edits_changes_no_other_hosts_files_and_nothing_that_a_guest_has_no_business_with(
    path: str, why: str
) -> None:
    name = "only the host's own files"
    assert edited(change(path, "a: 1\n"))[name] == (Verdict.FAIL, f"also changes {path}: {why}")


def test_a_changed_hardware_file_among_edits_is_said_and_a_deleted_one_refused() -> None:
    name, path = "hardware file as it was", "nix/hardware/web1-hw.nix"
    verdict, why = edited(change(path, HARDWARE))[name]
    assert verdict is Verdict.WARN
    assert why.endswith("all of the generator's making")
    odd = HARDWARE.replace("swapDevices = [ ];", 'boot.kernelParams = [ "quiet" ];')
    assert "boot.kernelParams" in edited(change(path, odd))[name][1]
    assert edited(change(path, None, old=HARDWARE))[name][0] is Verdict.FAIL


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("name", ["nix/a\n+++ b", "nix/a\x1b[2J", "nix/a\u202e.nix", "nix/a\udcff"])
def test_a_file_whose_name_has_invisible_characters_is_refused_in_every_kind_of_branch(kind: Kind, name: str) -> None:
    found = {check.name: check for check in run_checks(FLEET, "web1", (change(name, "x\n"),), kind=kind)}
    assert found["plain text files"].verdict is Verdict.FAIL
    assert all(check.detail.isprintable() for check in found.values())
    gone = {check.name: check for check in run_checks(FLEET, "web1", (change(name, None, old="x\n"),), kind=kind)}
    assert gone["plain text files"].verdict is Verdict.PASS, "such a file may be deleted"


def test_lines_that_look_like_a_header_are_counted_as_what_they_are() -> None:
    diff = file_diff("web1", change("q.sql", "++ b\n", old="-- a\n"))
    assert (diff.added, diff.removed) == (1, 1)
