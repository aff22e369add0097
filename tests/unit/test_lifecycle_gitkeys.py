"""Letting a guest's own Git key in and out: its one line is added, replaced or taken away, and no other is ever lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pvenix.engine.ports import CommandResult, End
from pvenix.lifecycle import gitkeys
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, RemoteFailure
from pvenix.model.names import NodeName, Vmid
from tests.unit.lifecycle_support import config, host

HOME = "/srv/git"
KEYS = f"{HOME}/.ssh/authorized_keys"
KEY = f"ssh-ed25519 {'A' * 68}"
URL = "ssh://git@10.69.13.5/srv/git/tappaas-nixos-config.git"
OPERATOR = 'restrict,command="/bin/fleet-git-serve operator" ssh-ed25519 BBBB operator\n'


class Server:
    """The files of the host that keeps the repository, behind one session."""

    def __init__(self, text: str | None, cat: CommandResult | None = None) -> None:
        self.files = {} if text is None else {KEYS: text}
        self._cat = cat
        self.meanwhile: Callable[[], None] = lambda: None
        """What another operator does between our look and our write."""

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", **_: Any) -> CommandResult:
        match list(argv):
            case ["test", "-e", path]:
                return ended(int(path not in self.files))
            case ["cat", path]:
                return self._cat or ended(0, self.files[path])
            case ["getent", "passwd", user]:
                return ended(0, f"{user}:x:990:990::{HOME}:/bin/sh\n")
            case ["touch", path]:
                self.files.setdefault(path, "")
            case ["flock", "-w", _, folder, *locked] if KEYS.startswith(f"{folder}/"):
                self.meanwhile()
                self._change(locked, stdin.decode())
            case ["dd" | "sed", *_]:
                raise AssertionError(f"the keys are changed without their lock: {argv}")
        return ended(0)

    def _change(self, words: list[str], text: str) -> None:
        match words:
            case ["dd", target, "oflag=append", "conv=notrunc", *_]:
                self.files[target.removeprefix("of=")] += text
            case ["sed", "-i", "-e", script, path]:
                pattern = re.compile(script.removeprefix("\\%").removesuffix("%d"))
                lines = self.files[path].splitlines(keepends=True)
                self.files[path] = "".join(line for line in lines if not pattern.search(line.rstrip("\n")))
            case _:
                raise AssertionError(words)


def ended(status: int, out: str = "", end: End = End.EXITED) -> CommandResult:
    return CommandResult(argv=("x",), end=end, exit_status=status, stdout=out, stderr="", seconds=0)


def world_of(server: Server, name: str, url: str) -> World:
    async def agent_read_file(*_: object) -> str:
        return f"{KEY} root@{name}\n"

    async def same(*_: object, **__: object) -> Any:
        return server

    controller = host("cicd", controller=True)
    world = SimpleNamespace(
        fleet=SimpleNamespace(
            hosts={"cicd": controller}, site=SimpleNamespace(repository=SimpleNamespace(url=url), domain="internal")
        ),
        pve=SimpleNamespace(agent_read_file=agent_read_file),
        trust=SimpleNamespace(get=lambda _name: object()),
        ways=SimpleNamespace(session=same),
    )
    return cast("World", world)


async def let_in(server: Server, name: str = "dns01", url: str = URL) -> str:
    found = Found(node=NodeName("n1"), vmid=Vmid(200), config=config())
    return await gitkeys.let_in(world_of(server, name, url), looking_at(name), found)


async def shut_out(server: Server, name: str = "dns01") -> str:
    return await gitkeys.shut_out(world_of(server, name, URL), looking_at(name))


async def test_the_first_key_of_all_makes_the_file() -> None:
    server = Server(None)
    assert await let_in(server) == ""
    assert server.files[KEYS].endswith(f"{KEY} dns01\n")


async def test_a_key_is_added_once_and_replaces_the_guest_s_older_one() -> None:
    older = f'restrict,command="/bin/fleet-git-serve guest:dns01" ssh-ed25519 {"C" * 68} dns01\n'
    server = Server(OPERATOR + older)
    await let_in(server)
    await let_in(server)
    lines = server.files[KEYS].splitlines()
    assert lines[0] == OPERATOR.strip()
    assert [KEY in line for line in lines] == [False, True]


async def test_a_key_that_somebody_else_lets_in_at_the_same_time_stays() -> None:
    server = Server(OPERATOR)
    other = f'restrict,command="/bin/fleet-git-serve guest:web01" {KEY} web01\n'

    def let_another_in() -> None:
        server.files[KEYS] += other

    server.meanwhile = let_another_in
    assert await let_in(server) == ""
    assert server.files[KEYS].startswith(OPERATOR + other)
    assert server.files[KEYS].endswith(f"{KEY} dns01\n")


async def test_a_key_opens_the_repository_that_the_site_names() -> None:
    server = Server(OPERATOR)
    assert await let_in(server, url="ssh://git@10.69.13.5/srv/git/second.git") == ""
    assert f'fleet-git-serve guest:dns01 /srv/git/second.git" {KEY} dns01' in server.files[KEYS]


async def test_a_repository_that_no_host_serves_lets_nobody_in() -> None:
    server = Server(OPERATOR)
    assert "no host of the inventory keeps /srv/fleet.git" in await let_in(server, url="/srv/fleet.git")
    assert server.files == {KEYS: OPERATOR}


@pytest.mark.parametrize("name", ["operator", "dns0"])
async def test_a_host_that_is_called_like_the_end_of_another_line_takes_nobody_s_key_away(name: str) -> None:
    other = f'restrict,command="/bin/fleet-git-serve guest:dns01" {KEY} dns01\n'
    server = Server(OPERATOR + other)
    await let_in(server, name)
    assert server.files[KEYS].startswith(OPERATOR + other)


@pytest.mark.parametrize(
    ("cat", "error"),
    [
        (ended(1), RemoteFailure),
        (ended(-1, "half of", End.SIGNALLED), RemoteFailure),
        (ended(-1, "half of", End.LOST), OutcomeUnknown),
        (ended(0, "x" * (1 << 20)), RemoteFailure),
    ],
    ids=["failed", "killed", "cut", "longer than is kept"],
)
async def test_keys_that_were_not_read_whole_are_not_written_anew(cat: CommandResult, error: type[Exception]) -> None:
    server = Server(OPERATOR, cat)
    with pytest.raises(error):
        await let_in(server)
    assert server.files == {KEYS: OPERATOR}


async def test_a_key_is_taken_away_and_no_other_is() -> None:
    server = Server(OPERATOR)
    for name in ("dns01", "dns0", "dns011"):
        await let_in(server, name)
    assert await shut_out(server, "dns01") == ""
    assert [line.split()[-1] for line in server.files[KEYS].splitlines()] == ["operator", "dns0", "dns011"]
    before = server.files[KEYS]
    server.meanwhile = lambda: pytest.fail("nothing was to be changed")
    assert await shut_out(server, "dns01") == ""
    assert server.files[KEYS] == before


@pytest.mark.parametrize("act", [shut_out, let_in], ids=["taken away", "replaced"])
async def test_a_key_that_is_let_in_while_another_goes_stays(act: Callable[[Server], Any]) -> None:
    """What goes was read before the other one came: the file must not be written as it was read."""
    older = f'restrict,command="/bin/fleet-git-serve guest:dns01" ssh-ed25519 {"C" * 68} dns01\n'
    other = f'restrict,command="/bin/fleet-git-serve guest:web01" {KEY} web01\n'
    server = Server(OPERATOR + older)

    def let_another_in() -> None:
        if other not in server.files[KEYS]:
            server.files[KEYS] += other

    server.meanwhile = let_another_in
    await act(server)
    assert server.files[KEYS].startswith(OPERATOR + other)
    assert older not in server.files[KEYS]
