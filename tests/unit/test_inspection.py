from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from pvenix.engine.audit import AuditLog
from pvenix.engine.trust import Pin
from pvenix.fleet.starter import copy_starter
from pvenix.lifecycle.edits import tracked_in
from pvenix.lifecycle.ignoring import counted, ignored_by, left_alone
from pvenix.lifecycle.inspecting import journal, units_in
from pvenix.model.drift import Edit
from pvenix.model.errors import InvalidInput, UsageError
from pvenix.wiring import Workspace

HOST = "dns01"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A starter fleet of a new user."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    copy_starter(tmp_path / "fleet")
    return Workspace.open(tmp_path / "fleet")


def test_files_that_git_names_are_told_apart_whatever_their_names_hold() -> None:
    zero = "0" * 40
    text = f":100644 100644 {zero} {zero} M\0nix/a b.nix\0:100644 000000 {zero} {zero} D\0x\ny\0:100644 120000 {zero} {zero} T\0l\0"
    found = tracked_in(text)
    assert [(one.path, one.edit, one.mode) for one in found] == [
        ("nix/a b.nix", Edit.CHANGED, "100644"),
        ("x\ny", Edit.DELETED, "000000"),
        ("l", Edit.CHANGED, "120000"),
    ]
    assert tracked_in("") == []


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("notes", "notes"),
        ("notes/", "notes"),
        ("nix/local/a/b", "nix/local"),
        ("nix/local/x", "nix/l*"),
        ("a/b.bak", "*.bak"),
    ],
)
def test_a_pattern_means_a_path_a_directory_or_what_it_matches(path: str, pattern: str) -> None:
    assert ignored_by(path, ("other", pattern)) == pattern


@pytest.mark.parametrize(("path", "pattern"), [("notes2", "notes"), ("nix/locale", "nix/local"), ("a", "b*")])
def test_a_pattern_means_nothing_else(path: str, pattern: str) -> None:
    assert ignored_by(path, (pattern,)) == ""


def test_a_renamed_file_counts_until_both_names_are_ignored_and_git_is_told_the_same() -> None:
    edits = (" M notes", "R  notes -> nix/x.nix", "?? tmp/")
    assert counted(edits, ("notes", "tmp")) == ("R  notes -> nix/x.nix",)
    assert counted(edits, ("notes", "tmp", "nix/x.nix")) == ()
    assert left_alone(()) == ()
    assert left_alone(("tmp",)) == ("--", ".", ":(exclude)tmp")


def test_units_are_read_from_columns_and_lines_that_are_none_are_left_out() -> None:
    text = (
        "a.service loaded active running The A  service\nsystemd-x\\x2d1.mount loaded failed failed\n\x1b[2J evil\nx\n"
    )
    assert [(unit.name, unit.active, unit.description) for unit in units_in(text)] == [
        ("a.service", "active", "The A  service"),
        ("systemd-x\\x2d1.mount", "failed", ""),
    ]


@pytest.mark.parametrize("unit", ["a b", "--file=/etc/shadow;", "x" * 300, "$(id)"])
def test_what_is_no_unit_never_reaches_a_command(unit: str) -> None:
    with pytest.raises(UsageError):
        journal(unit, lines=1)


def test_the_journal_is_asked_for_exactly_what_was_chosen() -> None:
    assert journal("a.service", "err", lines=5, follow=True)[-7:] == ("-n", "5", "-u", "a.service", "-p", "err", "-f")
    with pytest.raises(UsageError):
        journal("", "bad", lines=1)


def test_a_fingerprint_is_the_one_that_openssh_shows() -> None:
    raw = b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)
    expected = base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
    assert Pin(key=f"ssh-ed25519 {base64.b64encode(raw).decode()}").fingerprint == f"SHA256:{expected}"


def test_a_card_names_the_last_step_that_changed_what_a_host_runs(workspace: Workspace) -> None:
    assert workspace.host_card(HOST).deployed is None
    log = AuditLog(workspace.state_dir)
    workspace.state_dir.mkdir(parents=True, exist_ok=True)
    common: dict[str, str | int] = {"operator": "ana", "outcome": "changed", "count": 1}
    for number, (host, verb) in enumerate(((HOST, "rebuild"), (HOST, "snapshot"), ("docker01", "rebuild"))):
        log.append([{"at": f"2026-01-0{number + 1}", "run": f"r{number}", "host": host, "verb": verb, **common}])
    deployed = workspace.host_card(HOST).deployed
    assert deployed is not None
    assert (deployed.verb, deployed.by, deployed.run) == ("rebuild", "ana", "r0")


def test_a_path_is_ignored_once_and_what_is_none_changes_no_file(workspace: Workspace) -> None:
    file = workspace.root / f"inventory/host_vars/{HOST}.yaml"
    assert "notes" in workspace.ignore_drift(HOST, "notes")
    assert workspace.ignore_drift(HOST, "notes") == ""
    workspace.ignore_drift(HOST, "nix/local/*")
    assert workspace.fleet().host(HOST).machine.drift.ignore == ("notes", "nix/local/*")
    before = file.read_text()
    for wrong in ("/etc/passwd", "../x", ".git/config", ":x", ""):
        with pytest.raises(InvalidInput):
            workspace.ignore_drift(HOST, wrong)
    assert file.read_text() == before
    assert workspace.fleet().host("docker01").machine.drift.ignore == ()


@pytest.mark.parametrize(
    ("pattern", "code", "hint"),
    [
        ("*", "L501", "name the file or the directory that may differ"),
        ("*.nix", "L501", "name the file"),
        ("nix/", "L501", "name the file"),
        ("nix/{a,b}", "L502", "are all that a pattern has"),
    ],
)
def test_a_pattern_that_lint_would_find_is_refused_before_it_is_written(
    workspace: Workspace, pattern: str, code: str, hint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        workspace.ignore_drift(HOST, pattern)
    assert refused.value.what == f"{pattern} cannot be ignored"
    assert code in refused.value.why
    assert hint in refused.value.hint
    assert not (workspace.root / f"inventory/host_vars/{HOST}.yaml").exists()


@pytest.mark.parametrize("path", ["nix/common.nix~", "nix/local", "*~"])
def test_a_file_that_an_editor_left_behind_can_be_ignored(workspace: Workspace, path: str) -> None:
    assert path in workspace.ignore_drift(HOST, path)
