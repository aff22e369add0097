"""Who may push what: the scripts of nix/files, run by real git over real repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from pvenix.fleet.starter import starter

FILES = starter() / "nix" / "files"
NONE = "0" * 40
IDENTITY = {
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}


class Push(NamedTuple):
    """One ref of a push; old and new are names of the fixture's commits, or `none`."""

    pusher: str | None
    ref: str
    old: str
    new: str


class Bare(NamedTuple):
    """A bare repository with three commits: base <- next, and other beside next."""

    path: Path
    base: str
    next: str
    other: str


def git(*argv: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs git; never raises for its exit status."""
    return subprocess.run(
        ["git", *argv], cwd=cwd, env=os.environ | IDENTITY | env, capture_output=True, text=True, check=False
    )


def commit(bare: Path, *parents: str) -> str:
    """A commit of the empty tree."""
    tree = git("hash-object", "-t", "tree", "-w", "/dev/null", cwd=bare).stdout.strip()
    argv = [word for parent in parents for word in ("-p", parent)]
    return git("commit-tree", tree, "-m", f"after {parents}", *argv, cwd=bare).stdout.strip()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    path = tmp_path_factory.mktemp("bare")
    git("init", "--quiet", "--bare", "--initial-branch=main", ".", cwd=path)
    (path / "hooks" / "update").symlink_to(FILES / "fleet-update-hook")
    base = commit(path)
    git("update-ref", "refs/heads/main", base, cwd=path)
    return Bare(path, base, commit(path, base), commit(path))


def oid(bare: Bare, name: str) -> str:
    """The object id that a name of a push means."""
    return NONE if name == "none" else str(getattr(bare, name))


def update(bare: Bare, push: Push) -> subprocess.CompletedProcess[str]:
    """Calls the hook as git does."""
    env = os.environ | ({} if push.pusher is None else {"PVENIX_PUSHER": push.pusher})
    argv = [str(FILES / "fleet-update-hook"), push.ref, oid(bare, push.old), oid(bare, push.new)]
    return subprocess.run(argv, cwd=bare.path, env=env, capture_output=True, text=True, check=False)


REG = "refs/heads/registration/"
HOST63 = "h" * 63

ALLOWED = [
    Push("operator", "refs/heads/main", "none", "base"),
    Push("operator", "refs/heads/main", "base", "next"),
    Push("operator", "refs/heads/topic/raise-memory", "none", "next"),
    Push("operator", "refs/heads/topic/raise-memory", "next", "other"),
    Push("operator", "refs/heads/topic/raise-memory", "next", "none"),
    Push("operator", f"{REG}dns01", "next", "none"),
    Push("operator", f"{REG}{HOST63}", "none", "next"),
    Push("operator", "refs/tags/v1", "none", "base"),
    Push("operator", "refs/notes/review", "none", "base"),
    Push("operator", "refs/notes/review", "base", "next"),
    Push("guest:dns01", f"{REG}dns01", "none", "base"),
    Push("guest:dns01", f"{REG}dns01", "base", "next"),
    Push("guest:tappaas-vllm", f"{REG}tappaas-vllm", "none", "next"),
]

REFUSED = [
    (Push("operator", "refs/heads/main", "next", "base"), "would lose commits"),
    (Push("operator", "refs/heads/main", "next", "other"), "would lose commits"),
    (Push("operator", "refs/heads/main", "base", "none"), "never deleted"),
    (Push("operator", f"{REG}Dns01", "none", "base"), "host name"),
    (Push("operator", f"{REG}-dns", "none", "base"), "host name"),
    (Push("operator", f"{REG}dns-", "none", "base"), "host name"),
    (Push("operator", f"{REG}a/b", "none", "base"), "host name"),
    (Push("operator", f"{REG}{HOST63}h", "none", "base"), "host name"),
    (Push("operator", "refs/tags/v1", "base", "next"), "never moved"),
    (Push("operator", "refs/notes/review", "next", "none"), "never deleted"),
    (Push("operator", "refs/notes/review", "next", "other"), "would lose commits"),
    (Push("operator", "refs/pull/1/head", "none", "base"), "neither a branch"),
    (Push("guest:dns01", "refs/notes/pvenix-review", "none", "base"), "registration/dns01 only"),
    (Push("guest:dns01", "refs/heads/main", "base", "next"), "registration/dns01 only"),
    (Push("guest:dns01", f"{REG}docker01", "none", "base"), "registration/dns01 only"),
    (Push("guest:dns01", f"{REG}dns01x", "none", "base"), "registration/dns01 only"),
    (Push("guest:dns01", f"{REG}dns01", "base", "none"), "may not delete"),
    (Push("guest:dns01", f"{REG}dns01", "next", "other"), "would lose commits"),
    (Push("guest:dns01", "refs/heads/topic", "none", "base"), "registration/dns01 only"),
    (Push("guest:dns01", "refs/tags/v1", "none", "base"), "registration/dns01 only"),
    (Push("guest:*", f"{REG}dns01", "none", "base"), "no valid host name"),
    (Push("guest:a/../dns01", f"{REG}dns01", "none", "base"), "no valid host name"),
    (Push("guest:", f"{REG}", "none", "base"), "no valid host name"),
    (Push("Operator", "refs/heads/topic", "none", "base"), "no rights"),
    (Push("", "refs/heads/topic", "none", "base"), "PVENIX_PUSHER is not set"),
    (Push(None, "refs/heads/topic", "none", "base"), "PVENIX_PUSHER is not set"),
]


@pytest.mark.parametrize("push", ALLOWED)
def test_a_push_within_ones_rights_is_let_through_in_silence(bare: Bare, push: Push) -> None:
    done = update(bare, push)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("push", "why"), REFUSED)
def test_any_other_push_is_refused_with_one_line_that_says_why(bare: Bare, push: Push, why: str) -> None:
    done = update(bare, push)
    assert done.returncode == 1
    assert done.stderr.startswith("fleet: refused: ")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


def test_git_enforces_the_rights_per_branch_of_one_push(bare: Bare, tmp_path: Path) -> None:
    git("clone", "--quiet", str(bare.path), "work", cwd=tmp_path)
    work = tmp_path / "work"
    git("commit", "--quiet", "--allow-empty", "-m", "Register dns01", cwd=work)
    refs = ["HEAD:refs/heads/registration/dns01", "HEAD:refs/heads/main"]
    pushed = git("push", "origin", *refs, cwd=work, PVENIX_PUSHER="guest:dns01")
    assert pushed.returncode != 0
    assert "remote: fleet: refused: dns01 may push registration/dns01 only, not main" in pushed.stderr
    assert (
        git("rev-parse", "refs/heads/registration/dns01", cwd=bare.path).stdout
        == git("rev-parse", "HEAD", cwd=work).stdout
    )
    assert git("rev-parse", "refs/heads/main", cwd=bare.path).stdout.strip() == bare.base


def serve(bare: Bare, pusher: str, command: str | None) -> subprocess.CompletedProcess[bytes]:
    """Runs the forced command as sshd would, with nothing to read."""
    env = os.environ | ({} if command is None else {"SSH_ORIGINAL_COMMAND": command})
    argv = [str(FILES / "fleet-git-serve"), pusher, str(bare.path)]
    return subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def test_the_forced_command_serves_git_for_the_one_repository(bare: Bare) -> None:
    done = serve(bare, "guest:dns01", f"git-upload-pack '{bare.path}'")
    assert bare.base.encode() in done.stdout


@pytest.mark.parametrize(
    "command", [None, "id", "git-upload-pack '/etc'", "git-receive-pack '{repo}'; id", "git-shell"]
)
def test_the_forced_command_serves_nothing_else(bare: Bare, command: str | None) -> None:
    done = serve(bare, "operator", command and command.format(repo=bare.path))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"fleet: refused: ")


@pytest.mark.parametrize("pusher", ["", "guest:", "root"])
def test_the_forced_command_needs_an_owner_of_the_key(bare: Bare, pusher: str) -> None:
    done = serve(bare, pusher, f"git-upload-pack '{bare.path}'")
    assert (done.returncode, done.stdout) == (1, b"")


class FirstBoot(NamedTuple):
    """A guest at its first boot: a state directory, a generator on PATH, and a repository that knows it as `dns02`."""

    state: Path
    bare: Path
    path: str

    def run(self, host: str = "dns02") -> subprocess.CompletedProcess[str]:
        """Runs the script as the unit does."""
        argv = [str(FILES / "fleet-first-boot"), str(self.bare), "main", str(self.state), host]
        env = os.environ | {"PATH": self.path, "PVENIX_PUSHER": f"guest:{host}"}
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)

    def tip(self, branch: str) -> str:
        """The commit at the tip of a branch, empty where there is none."""
        return git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", cwd=self.bare).stdout.strip()


@pytest.fixture
def first_boot(tmp_path: Path) -> FirstBoot:
    bare, tools, state = tmp_path / "bare", tmp_path / "bin", tmp_path / "state"
    for directory in (bare, tools, state):
        directory.mkdir()
    git("init", "--quiet", "--bare", "--initial-branch=main", ".", cwd=bare)
    (bare / "hooks" / "update").symlink_to(FILES / "fleet-update-hook")
    git("update-ref", "refs/heads/main", commit(bare), cwd=bare)
    generator = tools / "nixos-generate-config"
    generator.write_text('#!/bin/sh\n[ "$*" = --show-hardware-config ] && echo "{ }"\n')
    generator.chmod(0o755)
    return FirstBoot(state, bare, f"{tools}:{os.environ['PATH']}")


def test_a_new_guest_pushes_its_registration_once(first_boot: FirstBoot) -> None:
    done = first_boot.run()
    assert (done.returncode, done.stdout) == (0, "pushed registration/dns02\n"), done.stderr
    tip = first_boot.tip("registration/dns02")
    files = git("diff-tree", "-r", "--root", "--name-only", "--no-commit-id", tip, cwd=first_boot.bare).stdout.split()
    assert files == ["nix/hardware/dns02-hw.nix", "nix/hosts/dns02.nix"]
    assert 'networking.hostName = "dns02";' in git("show", f"{tip}:nix/hosts/dns02.nix", cwd=first_boot.bare).stdout
    assert (first_boot.state / "registered").exists()

    again = first_boot.run()
    assert (again.returncode, again.stdout) == (0, "registration/dns02 is there already and waits for review\n")
    assert first_boot.tip("registration/dns02") == tip


def test_a_guest_that_main_knows_pushes_nothing(first_boot: FirstBoot) -> None:
    first_boot.run()
    git("update-ref", "refs/heads/main", first_boot.tip("registration/dns02"), cwd=first_boot.bare)
    git("update-ref", "-d", "refs/heads/registration/dns02", cwd=first_boot.bare)
    assert first_boot.run().stdout == "dns02 is registered already\n"
    assert first_boot.tip("registration/dns02") == ""


def test_a_guest_whose_key_is_not_authorised_fails_and_is_not_marked_as_registered(first_boot: FirstBoot) -> None:
    (first_boot.bare / "hooks" / "update").unlink()
    (first_boot.bare / "hooks" / "update").write_text("#!/bin/sh\nexit 1\n")
    (first_boot.bare / "hooks" / "update").chmod(0o755)
    assert first_boot.run().returncode != 0
    assert not (first_boot.state / "registered").exists()


@pytest.mark.parametrize("host", ["nixos", "localhost", "Dns02", "-x", "../dns02"])
def test_a_guest_without_a_name_of_the_fleet_pushes_nothing(first_boot: FirstBoot, host: str) -> None:
    assert first_boot.run(host).returncode == 1
    assert not (first_boot.state / "registration").exists()
