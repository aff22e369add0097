"""`pvenix host units|journal|cloudinit`: what a host says, made safe for a terminal and whole for a program."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.inspection import CloudInitKey, CloudInitLook, Unit, UnitList, UnitLook
from tests.unit.cli_fake import Cli

HOSTILE = "x\x1b]0;owned\x07\u202ey"
FAILED = Unit(name="unbound.service", load="loaded", active="failed", sub="failed", description=HOSTILE)
FINE = Unit(name="sshd.service", load="loaded", active="active", sub="running", description="SSH")


@pytest.fixture
def pvenix(tmp_path: Path) -> Cli:
    cli = Cli(tmp_path / "fleet")

    async def units(host: str) -> UnitList:
        return UnitList(units=(FAILED, FINE), more=2)

    async def unit(host: str, name: str) -> UnitLook:
        return UnitLook(name=name, status=f"{name} of {host}{HOSTILE}\n", journal="Started.\n")

    async def journal(host: str, **asked: object) -> AsyncIterator[tuple[str, ...]]:
        cli.workspace.asked.append((host, asked))
        yield ("one", "two")
        yield ("three",)
        if asked["follow"]:
            raise KeyboardInterrupt

    async def cloud_init(host: str) -> CloudInitLook:
        key = CloudInitKey(
            key="ciuser", value="somebody", wanted="tappaas", where="inventory/site.yaml:3:1", waiting=True
        )
        return CloudInitLook(keys=(key,), files={"user": f"user: {HOSTILE}\n"}, problem="no drive")

    cli.workspace.__dict__ |= {"units": units, "unit": unit, "journal": journal, "cloud_init": cloud_init}
    return cli


def test_units_are_listed_failed_ones_first_and_alone_when_that_is_asked(pvenix: Cli) -> None:
    text = pvenix("host", "units", "dns01").stdout
    assert [line.split()[0] for line in text.splitlines()] == ["UNIT", "unbound.service", "sshd.service"]
    found = pvenix.json("host", "units", "dns01", "--failed")
    assert ([unit["name"] for unit in found["units"]], found["host"], found["more"]) == (
        ["unbound.service"],
        "dns01",
        2,
    )


def test_a_unit_is_shown_with_the_end_of_its_journal(pvenix: Cli) -> None:
    text = pvenix("host", "units", "dns01", "unbound.service").stdout
    assert text.startswith("unbound.service of dns01")
    assert text.endswith("\n\nStarted.\n")
    assert pvenix.json("host", "units", "dns01", "unbound.service")["journal"] == "Started.\n"


def test_the_journal_is_printed_line_by_line_in_every_format(pvenix: Cli) -> None:
    assert pvenix("host", "journal", "dns01", "-n", "3", "-u", "a.service", "-p", "err").stdout == "one\ntwo\nthree\n"
    wanted = {"unit": "a.service", "priority": "err", "lines": 3, "follow": False}
    assert pvenix.workspace.asked[-1] == ("dns01", wanted)
    assert pvenix.json("host", "journal", "dns01")["lines"] == ["one", "two", "three"]
    lines = pvenix("-o", "jsonl", "host", "journal", "dns01").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [{"host": "dns01", "line": word} for word in ("one", "two", "three")]


def test_following_a_journal_ends_well_with_ctrl_c_and_is_no_document(pvenix: Cli) -> None:
    done = pvenix("host", "journal", "dns01", "-f")
    assert (done.exit_code, done.stdout) == (ExitCode.OK, "one\ntwo\nthree\n")
    refused = pvenix("-o", "json", "host", "journal", "dns01", "-f")
    assert (refused.exit_code, json.loads(refused.stdout)["hint"]) == (ExitCode.USAGE, "-o jsonl")


def test_cloud_init_says_what_the_inventory_wants_instead(pvenix: Cli) -> None:
    text = pvenix("host", "cloudinit", "dns01").stdout
    assert "the inventory wants tappaas (inventory/site.yaml:3:1); waits for the next cold start" in text
    assert "the files are not known: no drive" in text
    found = pvenix.json("host", "cloudinit", "dns01")
    assert (found["keys"][0]["wanted"], found["problem"]) == ("tappaas", "no drive")


@pytest.mark.parametrize("words", [("units", "dns01"), ("units", "dns01", "a.service"), ("cloudinit", "dns01")])
def test_nothing_that_a_host_says_reaches_the_terminal_as_a_control(pvenix: Cli, words: tuple[str, ...]) -> None:
    text = pvenix("host", *words).stdout
    assert "\x1b" not in text
    assert "<U+202E>" in text


def test_a_host_that_is_not_in_the_inventory_is_refused_with_the_nearest_name(pvenix: Cli) -> None:
    for words in (("units",), ("journal",), ("cloudinit",)):
        done = pvenix("host", *words, "dns02")
        assert done.exit_code == ExitCode.USAGE
        assert "dns01" in done.stderr
