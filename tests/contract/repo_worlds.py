"""Every implementation of Repo: two people with a repository each, on one remote, and what can happen to that remote."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from pvenix.adapters.git.repo import GitRepo
from pvenix.engine.ports import Repo
from pvenix_lab.site.guest.firstboot import HOST_KEY
from tests.contract.guest_worlds import MakePrepared
from tests.contract.memory_repo import Loss, MemoryRemote, MemoryRepo
from tests.contract.openssh import SSHD, running_sshd
from tests.contract.ssh_server import key_pair, public_line
from tests.lab.ssh_support import BARE, network
from tests.sim.ports import Calls
from tests.sim.records import counted_repo

BASE: Final = {"nix/flake.nix": "{ }\n", "inventory/hosts.yaml": "all:\n  hosts:\n", "README": "x\n"}
AUTHOR: Final = "Op <op@example.org>"
RIGHTS: Final = Path(__file__).parents[2] / "nix/files/fleet-update-hook"
"""The fleet's own hook: who may move which branch."""
_KILLERS: Final = {
    Loss.BEFORE: ("pre-receive", ""),
    Loss.AFTER: ("reference-transaction", '[ "$1" = committed ] || exit 0\n'),
}
"""The hooks of git-receive-pack that run before and after its references are written, and before it reports."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a world is made from."""

    folder: Path
    prepared: MakePrepared


@dataclass(kw_only=True)
class RepoWorld:
    """Two people with a repository each, on one remote."""

    repo: Repo
    other: Repo
    newcomer: Repo
    """Of a third one, who has not fetched anything yet."""
    folder: Path
    break_remote: Callable[[], None]
    """From now on nobody reaches the remote."""
    forbid: Callable[[str], None]
    """The remote lets nobody move this reference."""
    lose: Callable[[Loss], None]
    """The next push is cut."""
    guest: Repo | None = None
    """As the key of the guest dns01 sees it, where the remote knows keys."""


Make = Callable[[Needs], AbstractAsyncContextManager[RepoWorld]]


def git(*args: str, cwd: Path, stdin: bytes = b"") -> str:
    """Plain git, as somebody else would use it."""
    env = {
        "PATH": os.environ["PATH"], "HOME": str(cwd), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Op", "GIT_AUTHOR_EMAIL": "op@example.org",
        "GIT_COMMITTER_NAME": "Op", "GIT_COMMITTER_EMAIL": "op@example.org",
    }  # fmt: skip
    done = subprocess.run(["git", *args], cwd=cwd, env=env, input=stdin, check=True, capture_output=True)
    return done.stdout.decode().strip()


def seed_bare(bare: Path, files: Mapping[str, str]) -> None:
    """A bare repository with one commit on main."""
    bare.mkdir(parents=True)
    git("init", "--quiet", "--bare", "--initial-branch=main", ".", cwd=bare)
    stream = "commit refs/heads/main\ncommitter Op <op@example.org> 1750000000 +0000\ndata 5\nseed\n"
    for path, text in files.items():
        stream += f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n"
    git("fast-import", "--quiet", cwd=bare, stdin=stream.encode())


# --- in memory ---


def _of_memory(needs: Needs, see: Callable[[MemoryRepo], Repo]) -> RepoWorld:
    remote = MemoryRemote()
    files = {path: ("100644", text.encode()) for path, text in BASE.items()}
    remote.refs["refs/heads/main"] = remote.store(files, [], AUTHOR, "seed")

    def break_remote() -> None:
        remote.reachable = False

    def forbid(ref: str) -> None:
        remote.refuse = lambda pushed: "fleet: refused: not you" if pushed == ref else None

    def lose(how: Loss) -> None:
        remote.loss = how

    repos = [see(MemoryRepo(remote)) for _ in range(3)]
    return RepoWorld(
        repo=repos[0], other=repos[1], newcomer=repos[2], folder=needs.folder, break_remote=break_remote,
        forbid=forbid, lose=lose,
    )  # fmt: skip


@asynccontextmanager
async def in_memory(needs: Needs) -> AsyncIterator[RepoWorld]:
    """MemoryRepo."""
    yield _of_memory(needs, lambda repo: repo)


@asynccontextmanager
async def simulated(needs: Needs) -> AsyncIterator[RepoWorld]:
    """The same as a simulated process sees it."""
    yield _of_memory(needs, lambda repo: counted_repo(repo, Calls()))


# --- git ---


def _hook(bare: Path, name: str, script: str) -> None:
    """Put a hook into place; one that is there already runs after it."""
    hook = bare / "hooks" / name
    if hook.exists():
        hook.rename(hook.with_suffix(".next"))
        script += f'exec "{hook.with_suffix(".next")}" "$@"\n'
    hook.write_text(f"#!/bin/sh\n{script}")
    hook.chmod(0o755)


def _of_git(
    needs: Needs, bare: Path, connect: Callable[[Path], GitRepo], break_remote: Callable[[], None]
) -> RepoWorld:
    def forbid(ref: str) -> None:
        _hook(bare, "update", f'if [ "$1" = "{ref}" ]; then echo "fleet: refused: not you" >&2; exit 1; fi\n')

    def lose(how: Loss) -> None:
        name, when = _KILLERS[how]
        _hook(bare, name, f'{when}rm -f "$0"\nkill -9 $PPID\nexit 1\n')

    repos = [connect(needs.folder / "caches" / name) for name in "abc"]
    return RepoWorld(
        repo=repos[0], other=repos[1], newcomer=repos[2], folder=needs.folder, break_remote=break_remote,
        forbid=forbid, lose=lose,
    )  # fmt: skip


async def _close(world: RepoWorld) -> None:
    for repo in (world.repo, world.other, world.newcomer, world.guest):
        if repo is not None:
            await repo.close()


@asynccontextmanager
async def local_git(needs: Needs) -> AsyncIterator[RepoWorld]:
    """The git adapter and a bare repository in a directory."""
    bare = needs.folder / "fleet.git"
    seed_bare(bare, BASE)

    def break_remote() -> None:
        bare.rename(bare.with_name("gone"))

    def connect(cache: Path) -> GitRepo:
        return GitRepo(url=str(bare), branch="main", cache_dir=cache, author=AUTHOR)

    world = _of_git(needs, bare, connect, break_remote)
    yield world
    await _close(world)


@asynccontextmanager
async def lab_git(needs: Needs) -> AsyncIterator[RepoWorld]:
    """The git adapter over ssh against the lab's CI/CD host, where keys have rights."""
    async with network(needs.folder, needs.prepared()) as net:
        bare = net.jump.tree.real(BARE)
        shutil.rmtree(bare)
        seed_bare(bare, BASE)
        _hook(bare, "update", RIGHTS.read_text())
        host_key = net.jump.tree.read_text(f"{HOST_KEY}.pub").strip()

        def connect(cache: Path, key: Path) -> GitRepo:
            return GitRepo(
                url=net.url, branch="main", cache_dir=cache, author=AUTHOR, key_file=key, host_key=host_key
            )  # fmt: skip

        world = _of_git(needs, bare, lambda cache: connect(cache, net.key), lambda: net.face._close(130))
        world.guest = connect(needs.folder / "caches/guest", net.guest.tree.real("/var/lib/fleet/id_ed25519"))
        yield world
        await _close(world)


@asynccontextmanager
async def openssh_git(needs: Needs) -> AsyncIterator[RepoWorld]:
    """The git adapter over ssh against OpenSSH's server, with the keys' rights as the fleet gives them."""
    if SSHD is None:
        pytest.skip("no sshd on this machine")
    bare = needs.folder / "fleet.git"
    seed_bare(bare, BASE)
    _hook(bare, "update", RIGHTS.read_text())
    async with running_sshd(needs.folder / "sshd") as sshd:
        target = sshd.target
        url = f"ssh://{target.user}@{target.address}:{target.port}{bare}"
        for name, pusher in (("operator", "operator"), ("dns01", "guest:dns01")):
            public = public_line(key_pair(needs.folder / name))
            shell = 'git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"'
            sshd.authorise(f'command="env PVENIX_PUSHER={pusher} {shell}",restrict {public}')

        def connect(cache: Path, key: str) -> GitRepo:
            return GitRepo(
                url=url, branch="main", cache_dir=cache, author=AUTHOR, key_file=needs.folder / key,
                host_key=target.host_key,
            )  # fmt: skip

        world = _of_git(needs, bare, lambda cache: connect(cache, "operator"), sshd.process.kill)
        world.guest = connect(needs.folder / "caches/guest", "dns01")
        yield world
        await _close(world)


NEAR: Final[dict[str, Make]] = {"memory": in_memory, "simulation": simulated, "git": local_git}
OVER_SSH: Final[dict[str, Make]] = {"git, lab": lab_git, "git, openssh": openssh_git}


def repo_params(makers: Mapping[str, Make], *, quick: bool) -> list[object]:
    """The worlds as parameters of a fixture; those over SSH are for the long lane unless the rules are `quick`."""
    return [pytest.param(make, id=name, marks=_marks(make, quick=quick)) for name, make in makers.items()]


def _marks(make: Make, *, quick: bool) -> list[pytest.MarkDecorator]:
    real = [pytest.mark.real] if make is openssh_git else []
    return real if quick or make in NEAR.values() else [*real, pytest.mark.slow]
