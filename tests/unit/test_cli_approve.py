"""What the command line does with a run that waits for a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.model.approval import Asked
from pvenix.model.outcome import Status
from tests.unit.cli_fake import Cli

SYSTEM = "/nix/store/aaaa-nixos-system"


def waits(host: str) -> Asked:
    return Asked(host=host, step="0.0.rebuild", subject=f"{SYSTEM}-{host}", commit="c" * 40, risks=("reboots: kernel",))


@pytest.fixture
def pvenix(tmp_path: Path) -> Cli:
    """A run of two hosts that wait, and of one that is through."""
    cli = Cli(tmp_path / "fleet")
    cli("rebuild", "all")
    cli.workspace.asked.clear()
    cli.workspace.waits = (waits("dns01"), waits("web01"))
    return cli


def asked(pvenix: Cli) -> list[tuple[object, ...]]:
    return [(each[0], *each[2:]) for each in pvenix.workspace.asked]


def test_an_approval_names_what_it_is_for_and_goes_on_with_those_hosts_only(pvenix: Cli) -> None:
    result = pvenix("approve", "last", "-m", "agreed")
    assert result.exit_code == 0, result.output
    assert f"of exactly {SYSTEM}-dns01, built from cccccccccc" in result.stdout
    assert asked(pvenix) == [
        ("decide", ("dns01", "web01"), "approved", "agreed"),
        ("execute", True, ("dns01", "web01")),
    ]


def test_a_pattern_leaves_the_others_waiting(pvenix: Cli) -> None:
    pvenix("approve", "last", "-l", "role_dns")
    assert asked(pvenix) == [("decide", ("dns01",), "approved", ""), ("execute", True, ("dns01",))]
    assert [each.host for each in pvenix.workspace.waits] == ["web01"]


def test_a_rejection_is_kept_and_the_run_told(pvenix: Cli) -> None:
    pvenix.workspace.ends = {"web01": Status.CANCELLED}
    result = pvenix("approve", "last", "-l", "web01", "--reject", "-m", "not now")
    assert result.exit_code == 0, "it ended as it was asked to"
    assert asked(pvenix)[0] == ("decide", ("web01",), "rejected", "not now")
    assert "rejected" in result.stdout


def test_now_is_kept_beside_the_approval(pvenix: Cli) -> None:
    pvenix("approve", "last", "-l", "dns01", "--now")
    assert asked(pvenix)[:2] == [("decide", ("dns01",), "approved", ""), ("allow_now", ("dns01",))]


@pytest.mark.parametrize(
    "words",
    [
        ("rebuild", "dns01"),
        ("rollback", "dns01", "--to", "1", "--yes"),
        ("reprovision", "dns01", "--confirm", "dns01"),
        ("generations", "gc", "dns01"),
    ],
)
def test_now_is_kept_whatever_starts_the_run(pvenix: Cli, words: tuple[str, ...]) -> None:
    pvenix(*words)
    assert "allow_now" not in [each[0] for each in pvenix.workspace.asked]
    pvenix(*words, "--now")
    assert ("allow_now", ("",)) in asked(pvenix)


def test_check_shows_what_waits_and_decides_nothing(pvenix: Cli) -> None:
    result = pvenix("approve", "last", "-C")
    assert (result.exit_code, pvenix.workspace.asked) == (10, [])
    assert "reboots: kernel" in result.stdout
    document = pvenix.json("approve", "last", "-C")
    assert [each["host"] for each in document["asked"]] == ["dns01", "web01"]


def test_nothing_that_waits_is_said_and_is_no_error(pvenix: Cli) -> None:
    pvenix.workspace.waits = ()
    result = pvenix("approve", "last")
    assert (result.exit_code, pvenix.workspace.asked) == (0, [])
    assert "waits for an approval" in result.stderr


def test_a_host_that_does_not_wait_is_an_error_that_names_those_that_do(pvenix: Cli) -> None:
    result = pvenix("approve", "last", "-l", "docker01")
    assert (result.exit_code, pvenix.workspace.asked) == (2, [])
    assert "there waits: dns01, web01" in result.stderr


def test_without_a_terminal_nobody_is_asked_and_the_run_waits(pvenix: Cli) -> None:
    pvenix.workspace.ends = {"dns01": Status.WAITING}
    pvenix("rebuild", "dns01")
    assert [each[0] for each in pvenix.workspace.asked] == ["plan_verb", "execute"]


def test_yes_approves_what_is_shown_once(pvenix: Cli) -> None:
    pvenix("rebuild", "all", "--yes")
    assert asked(pvenix)[2:] == [
        ("decide", ("dns01", "web01"), "approved", "--yes"),
        ("execute", True, ("dns01", "web01")),
    ]


def test_yes_does_not_go_round_for_ever(pvenix: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose system is built anew at each try comes back with another question."""
    monkeypatch.setattr(pvenix.workspace, "decide", lambda *_args: None)
    pvenix("rebuild", "all", "--yes")
    assert [each[0] for each in pvenix.workspace.asked].count("execute") == 2


def test_a_document_is_one_document(pvenix: Cli) -> None:
    """With JSON nothing is asked, also with --yes: the run's document stays the only one."""
    assert pvenix.json("rebuild", "all", "--yes")["schema"] == "pvenix/run-result/v1"
    assert "decide" not in [each[0] for each in pvenix.workspace.asked]
