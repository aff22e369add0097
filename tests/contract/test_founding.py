"""The fleet's repository is made on a host: over a guest of the lab, where the real git does the work."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from pvenix.engine.ports import CommandResult, End, GuestSession, Target
from pvenix.lifecycle.founding import DEFAULT_PATH, SERVE, Founded, Founding, found
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.state import looking_at
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure
from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.guest.firstboot import HOST_KEY
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.whole import new_guest, whole_site
from tests.contract.memory_guest import MemoryGuest
from tests.contract.repo_worlds import git
from tests.lab.guest_support import Prepared, vm_of
from tests.sim.ports import Machines

FILES = Path(__file__).parents[2] / "nix" / "files"
KEYS = "srv/git/.ssh/authorized_keys"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOperator"
OTHER = 'restrict,command="x guest:a1" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther a1'
WANTED = Founding(
    path="/srv/git/second.git", branch="main", operator_key=f"{KEY} me@here",
    hook=(FILES / "fleet-update-hook").read_text(), serve=(FILES / "fleet-git-serve").read_text(),
)  # fmt: skip


@dataclass
class Counting:
    """A session that notes what it is asked to change, and dies after some of that."""

    inner: GuestSession
    dies_after: int = 1000
    writes: list[tuple[str, ...]] = field(default_factory=list)

    async def run(self, argv: Sequence[str], **rest: Any) -> CommandResult:
        done = await self.inner.run(argv, **rest)
        if rest.get("on_output") is None:
            return done
        self.writes.append(tuple(argv))
        return replace(done, end=End.LOST) if len(self.writes) >= self.dies_after else done


@dataclass
class World:
    """One guest, seen from both sides."""

    guest: MemoryGuest
    target: Target
    machine: Guest

    @property
    def bare(self) -> Path:
        return self.machine.root / WANTED.path.lstrip("/")

    @property
    def configuration(self) -> Path:
        return self.machine.root / "etc/nixos"

    @property
    def keys(self) -> list[str]:
        return (self.machine.root / KEYS).read_text().splitlines()

    async def found(self, wanted: Founding = WANTED, *, dies_after: int = 1000) -> tuple[Founded, Counting]:
        """What `found` says, and the session that it used."""
        session = Counting(await self.guest.session(self.target), dies_after)
        remote = Remote(session=cast("GuestSession", session), step=looking_at("cicd"))
        return await found(remote, wanted), session


@pytest.fixture
async def world(tmp_path: Path, prepared_lab: Callable[[], Prepared]) -> AsyncIterator[World]:
    """A host with the git user, its home, somebody else's key, and the fleet in /etc/nixos."""
    prepared = prepared_lab()
    async with whole_site(root=tmp_path / "lab", time_scale=0) as site:
        clone_disk(site, prepared.disk, site.guest_root(200))
        machine = new_guest(site, vm_of("cicd"), site.guest_root(200))
        site.guests[200] = machine
        machine.boot_now()
        shutil.copytree(prepared.fleet, machine.root / "etc/nixos", symlinks=True, dirs_exist_ok=True)
        machine.tree.put(f"/{KEYS}", OTHER + "\n", mode=0o600)
        target = Target(
            host="cicd", address="10.69.13.5", port=22, user="tappaas", key_file="unused",
            host_key=machine.tree.read_text(f"{HOST_KEY}.pub"),
        )  # fmt: skip
        yield World(MemoryGuest(Machines(site).find), target, machine)
    assert site.defects == []


def head(world: World) -> str:
    return git("rev-parse", "HEAD", cwd=world.configuration)


async def test_the_history_of_etc_nixos_is_the_new_main(world: World) -> None:
    founded, _ = await world.found()
    assert founded == Founded(tip=head(world), changed=True)
    assert git("log", "--format=%s", "main", cwd=world.bare) == "starter fleet"
    assert git("symbolic-ref", "HEAD", cwd=world.bare) == "refs/heads/main"
    hook = world.bare / "hooks/update"
    assert (hook.read_text(), hook.stat().st_mode & 0o777) == (WANTED.hook, 0o755)
    assert git("status", "--porcelain", cwd=world.configuration) == ""


async def test_the_operators_key_opens_this_repository_and_other_keys_stay(world: World) -> None:
    await world.found()
    assert world.keys == [OTHER, f'restrict,command="{SERVE} operator {WANTED.path}" {KEY} operator']
    assert (world.machine.root / KEYS).stat().st_mode & 0o777 == 0o600


async def test_everything_is_handed_to_the_git_user_before_main_exists(world: World) -> None:
    _, session = await world.found()
    owned = session.writes.index(("chown", "-R", "git:", WANTED.path))
    branch = next(n for n, words in enumerate(session.writes) if "update-ref" in words)
    assert owned < branch
    assert [words[-1] for words in session.writes[owned:branch] if words[0] == "dd"] == []


async def test_the_second_time_writes_nothing(world: World) -> None:
    first, _ = await world.found()
    again, session = await world.found()
    assert (again.tip, again.changed, session.writes) == (first.tip, False, [])


@pytest.mark.parametrize(
    ("plain", "commands"),
    [pytest.param(False, 100, id="history", marks=pytest.mark.slow), pytest.param(True, 6, id="plain files")],
)
async def test_an_interruption_after_any_command_is_repaired_by_the_next_time(
    world: World, plain: bool, commands: int
) -> None:
    if plain:
        shutil.rmtree(world.configuration / ".git")
    before = shutil.copytree(world.configuration, world.machine.root.parent / "kept", symlinks=True)
    for dies_after in range(1, commands):  # those of plain files come first, and only they differ
        shutil.rmtree(world.bare, ignore_errors=True)
        shutil.rmtree(world.configuration)
        shutil.copytree(before, world.configuration, symlinks=True)
        (world.machine.root / KEYS).write_text(OTHER + "\n")
        try:
            await world.found(dies_after=dies_after)
        except OutcomeUnknown:
            pass
        else:
            break
        founded, _ = await world.found()
        assert founded.tip == head(world) == git("rev-parse", "main", cwd=world.bare)
        assert (world.bare / "hooks/update").read_text() == WANTED.hook
        assert [line.split()[-1] for line in world.keys] == ["a1", "operator"]
    assert dies_after >= min(commands - 1, 10)


async def test_plain_files_become_the_first_commit(world: World) -> None:
    shutil.rmtree(world.configuration / ".git")
    founded, _ = await world.found()
    assert git("log", "--format=%s", founded.tip, cwd=world.bare) == "Initial commit of NixOS config"
    assert "nix/flake.nix" in git("ls-tree", "-r", "--name-only", "main", cwd=world.bare).split()


async def test_without_etc_nixos_the_repository_is_empty(world: World) -> None:
    shutil.rmtree(world.configuration)
    assert (await world.found())[0] == Founded(tip="", changed=True)
    assert git("for-each-ref", cwd=world.bare) == ""


async def test_edits_that_are_in_no_commit_are_not_left_behind(world: World) -> None:
    (world.configuration / "nix/flake.nix").write_text("edited\n")
    with pytest.raises(RemoteFailure) as caught:
        await world.found()
    assert (caught.value.code, "nix/flake.nix" in caught.value.why) == ("PVX0721", True)
    assert not world.bare.exists()
    assert world.keys == [OTHER]


async def test_a_repository_with_a_main_branch_keeps_it(world: World) -> None:
    git("init", "--quiet", "--bare", "--initial-branch=main", str(world.bare), cwd=world.machine.root)
    (world.bare / "hooks").mkdir(exist_ok=True)
    git("fetch", "--quiet", str(world.configuration), "HEAD:refs/heads/main", cwd=world.bare)
    (world.configuration / "nix/flake.nix").write_text("edited\n")
    founded, session = await world.found()
    assert (founded.tip, founded.changed) == (head(world), True)
    assert not any("update-ref" in words or "init" in words for words in session.writes)
    assert (world.bare / "hooks/update").read_text() == WANTED.hook


async def test_an_older_hook_of_ours_is_replaced_and_a_foreign_one_refused(world: World) -> None:
    await world.found()
    hook = world.bare / "hooks/update"
    hook.write_text(WANTED.hook.replace("set -u", "set -eu"))
    assert (await world.found())[0].changed
    assert hook.read_text() == WANTED.hook
    hook.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(Refused) as caught:
        await world.found()
    assert (caught.value.code, hook.read_text()) == ("PVX0723", "#!/bin/sh\nexit 0\n")


@pytest.mark.parametrize("command", [f"{SERVE} operator", f"{SERVE} guest:a1 {WANTED.path}", ""])
async def test_a_key_that_opens_something_else_is_refused_before_anything_is_made(world: World, command: str) -> None:
    line = f'restrict,command="{command}" {KEY} me' if command else f"{KEY} me"
    (world.machine.root / KEYS).write_text(line + "\n")
    with pytest.raises(Refused) as caught:
        await world.found()
    assert (caught.value.code, world.bare.exists()) == ("PVX0722", False)


async def test_a_host_without_the_git_user_is_told_how_to_get_one(world: World) -> None:
    shutil.rmtree(world.machine.root / "srv/git")
    with pytest.raises(RemoteFailure, match="no user git"):
        await world.found()


async def test_the_default_repository_needs_no_path_on_the_keys_line(world: World) -> None:
    await world.found(replace(WANTED, path=DEFAULT_PATH))
    assert world.keys[-1] == f'restrict,command="{SERVE} operator" {KEY} operator'
    assert f"repository=${{2:-{DEFAULT_PATH}}}" in WANTED.serve


async def test_a_host_without_the_forced_command_gets_it_beside_the_repository(world: World) -> None:
    world.machine.tree.real(SERVE).unlink()
    await world.found()
    placed = world.machine.root / "srv/git/fleet-git-serve"
    assert (placed.read_text(), placed.stat().st_mode & 0o777) == (WANTED.serve, 0o755)
    assert world.keys[-1] == f'restrict,command="/srv/git/fleet-git-serve operator {WANTED.path}" {KEY} operator'
