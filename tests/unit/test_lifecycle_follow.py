"""What systemd's, Nix's and nixos-version's words mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from pvenix.lifecycle.activation.follow import UnitEnd, _Tail, judge, properties_in
from pvenix.lifecycle.build import out_path
from pvenix.lifecycle.facts import revision_in, units_in
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.state import looking_at
from pvenix.model.errors import RemoteFailure


def unit(load: str, active: str, sub: str = "", result: str = "success") -> dict[str, str]:
    return {"LoadState": load, "ActiveState": active, "SubState": sub, "Result": result, "ExecMainStatus": "0"}


@pytest.mark.parametrize(
    ("properties", "end"),
    [
        (unit("loaded", "activating", "start"), None),
        (unit("loaded", "active", "running"), None),
        (unit("loaded", "active", "start"), None),
        (unit("loaded", "deactivating", "stop-sigterm"), None),
        (unit("loaded", "reloading", "reload"), None),
        (unit("loaded", "active", "exited"), UnitEnd.OK),
        (unit("loaded", "failed", "failed", "exit-code"), UnitEnd.FAILED),
        (unit("loaded", "failed", "failed", "timeout"), UnitEnd.FAILED),
        (unit("loaded", "inactive", "dead"), UnitEnd.GONE),
        (unit("loaded", "inactive", "dead") | {"ConditionTimestampMonotonic": "0"}, None),
        (unit("loaded", "inactive", "dead") | {"ConditionTimestampMonotonic": "71"}, UnitEnd.GONE),
        (unit("not-found", "inactive", "dead") | {"ConditionTimestampMonotonic": "0"}, UnitEnd.GONE),
        (unit("loaded", "inactive", "dead", "exec-condition"), UnitEnd.GONE),
        (unit("not-found", "inactive", "dead"), UnitEnd.GONE),
        (unit("masked", "inactive", "dead"), UnitEnd.GONE),
        ({}, UnitEnd.GONE),
    ],
)
def test_only_a_loaded_unit_that_exited_well_is_ok(properties: dict[str, str], end: UnitEnd | None) -> None:
    assert judge(properties) is end


def test_a_unit_that_is_not_there_reports_success_and_proves_nothing() -> None:
    """Measured with systemd 252: `systemctl show` of an unknown unit prints Result=success and ExecMainStatus=0."""
    text = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nResult=success\nExecMainStatus=0\n"
    assert judge(properties_in(text)) is UnitEnd.GONE


def test_properties_keep_what_stands_behind_the_first_equals_sign() -> None:
    assert properties_in("A=b=c\n\nnoise\nD=\n") == {"A": "b=c", "D": ""}


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        ('{"configurationRevision":"' + "a" * 40 + '","nixosVersion":"25.05"}', "a" * 40),
        ('{"nixosVersion":"25.05"}', ""),
        ('{"configurationRevision":null}', ""),
        ('{"configurationRevision":7}', ""),
        ("[]", ""),
        ('"x"', ""),
        ("", ""),
        ("nixos-version: command not found", ""),
        ("{", ""),
    ],
)
def test_a_system_names_its_commit_or_none(text: str, revision: str) -> None:
    assert revision_in(text) == revision


def test_failed_units_are_the_first_words() -> None:
    text = "nginx.service loaded failed failed A web server\ndnsmasq.service loaded failed failed DNS\n\n"
    assert units_in(text) == ("nginx.service", "dnsmasq.service")
    assert units_in("") == ()


PATH = "/nix/store/" + "0" * 32 + "-nixos-system-dns01-25.05"


def test_a_build_names_its_result() -> None:
    assert out_path('[{"drvPath":"/nix/store/x.drv","outputs":{"out":"' + PATH + '"}}]\n') == PATH


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", "[{}]", '[{"outputs":{}}]', '[{"outputs":{"out":"/etc/passwd"}}]', "warning: x"]
)
def test_a_build_that_names_none_has_failed(text: str) -> None:
    with pytest.raises(RemoteFailure, match="named no result"):
        out_path(text)


class LogSession:
    """A session that shows a log from a byte on, `piece` bytes at a time, and dies after some pieces."""

    def __init__(self, log: bytes, pieces: int) -> None:
        self._log, self._pieces = log, pieces
        self.alive = True

    @asynccontextmanager
    async def stream(self, argv: Sequence[str], **_: Any) -> AsyncIterator[AsyncIterator[str]]:
        async def chunks() -> AsyncIterator[str]:
            offset = int(argv[2]) - 1
            while offset < len(self._log) and self.alive:
                yield self._log[offset : offset + 4].decode("utf-8", "surrogateescape")
                offset += 4
                self._pieces -= 1
                self.alive = self._pieces > 0

        yield chunks()


async def test_output_that_is_not_utf_8_is_followed_through_a_cut_without_loss_and_without_repetition() -> None:
    log = b"caf\xe9 \xff\xfe ok\n" * 4
    seen: list[str] = []
    step = replace(looking_at("dns01"), output=seen.append)
    offset = 0
    for pieces in (3, 5, 99):
        remote = Remote(session=cast("Any", LogSession(log, pieces)), step=step)
        async with _Tail(remote, "attempt", offset) as tail:
            await asyncio.sleep(0)
        offset = tail.offset
    assert "".join(seen).encode("utf-8", "surrogateescape") == log
    assert offset == len(log)
