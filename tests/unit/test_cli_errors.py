"""How errors are told: code, evidence, hint, exit code; never a traceback unless asked."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pvenix.cli.main import cli
from pvenix.cli.prompts import confirm
from pvenix.cli.settings import Settings
from pvenix.model.errors import ExitCode, InvalidInput, RemoteFailure, UsageError
from pvenix.model.findings import Finding
from tests.unit.cli_fake import Cli


@pytest.fixture
def pvenix(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "fleet")


def finding(line: int) -> Finding:
    return Finding(
        file="inventory/hosts.yaml",
        line=line,
        column=5,
        code="PVX0101",
        what="no field `corse`",
        hint="did you mean `cores`?",
    )


def test_an_error_shows_why_evidence_and_hint(pvenix: Cli) -> None:
    pvenix.workspace.failure = RemoteFailure(
        "clone failed", why="no space", evidence=["tanka1 full\x1b[2J"], hint="pvenix status"
    )
    result = pvenix("clone", "dns01")
    assert result.exit_code == 1
    assert result.stderr.endswith("error[PVX0010]: clone failed\n  no space\n  | tanka1 full\n\nhint: pvenix status\n")


def test_every_finding_is_shown_in_the_order_of_the_file_with_a_count(pvenix: Cli) -> None:
    pvenix.workspace.failure = InvalidInput([finding(9), finding(3)])
    result = pvenix("clone", "dns01")
    assert result.exit_code == 2
    places = [line.split(": ")[0] for line in result.stderr.splitlines() if line.startswith("inventory/")]
    assert places == ["inventory/hosts.yaml:3:5", "inventory/hosts.yaml:9:5"]
    assert "2 problems in the fleet's files" in result.stderr


def test_with_json_stdout_holds_nothing_but_the_error(pvenix: Cli) -> None:
    pvenix.workspace.failure = InvalidInput([finding(3)])
    document = json.loads(pvenix("clone", "dns01", "-o", "json").stdout)
    assert (document["schema"], document["exit_code"]) == ("pvenix/error/v1", 2)
    assert document["findings"][0]["column"] == 5


def test_a_closed_input_is_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match=r"cannot ask: go on\?"):
        confirm(Settings(), "go on?")


def test_a_full_disk_is_no_bug(pvenix: Cli, tmp_path: Path) -> None:
    pvenix.workspace.failure = OSError(errno.ENOSPC, "No space left on device")
    result = pvenix("clone", "dns01", XDG_STATE_HOME=str(tmp_path))
    assert result.exit_code == ExitCode.LOCAL
    assert "No space left on device" in result.stderr
    assert "bug" not in result.stderr


def test_a_bug_leaves_a_file_and_no_traceback(pvenix: Cli, tmp_path: Path) -> None:
    pvenix.workspace.failure = ZeroDivisionError("oh")
    result = pvenix("clone", "dns01", XDG_STATE_HOME=str(tmp_path))
    assert result.exit_code == 1
    assert "this is a bug in pvenix: ZeroDivisionError: oh" in result.stderr
    assert "Traceback" not in result.output
    [crash] = (tmp_path / "pvenix" / "crashes").iterdir()
    assert "ZeroDivisionError: oh" in crash.read_text()
    assert crash.stat().st_mode & 0o077 == 0


def test_debug_shows_the_traceback(pvenix: Cli) -> None:
    pvenix.workspace.failure = RemoteFailure("clone failed")
    assert "Traceback" in pvenix("clone", "dns01", "--debug").stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "coloured"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        ((), {"CLICOLOR_FORCE": "1"}, True),
        ((), {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False),
        (("--color", "never"), {"CLICOLOR_FORCE": "1"}, False),
        ((), {"PVENIX_COLOR": "always"}, True),
    ],
)
def test_colour_is_asked_for_by_flag_then_environment_then_terminal(
    pvenix: Cli, arguments: tuple[str, ...], environment: dict[str, str], coloured: bool
) -> None:
    result = pvenix("status", *arguments, **environment)
    assert ("\x1b[32min sync" in result.stdout) == coloured


def test_global_options_may_stand_before_the_command(pvenix: Cli) -> None:
    assert pvenix("-o", "json", "status").stdout.startswith('{"schema": "pvenix/status/v1"')
    assert pvenix("status", PVENIX_OUTPUT="json").stdout.startswith('{"schema"')
    assert pvenix("status", "-o", "text", PVENIX_OUTPUT="json").stdout.startswith("HOST")


def test_a_current_directory_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    result = CliRunner().invoke(cli, ["validate"])
    assert result.exit_code == 2
    assert result.stderr == "error[PVX0002]: the current directory has been removed\n\nhint: cd to one that exists\n"
