"""What makes a repository on a guest: the forms of the first seed work, count as changes, and others are refused."""

from __future__ import annotations

import shutil

import pytest

from pvenix_lab.site.core import Site
from pvenix_lab.site.guest.guest import Guest
from tests.lab.guest_support import root, run, run_git

BARE = "/srv/git/second.git"
INIT = ("git", "init", "--quiet", "--bare", "--initial-branch=main", BARE)
IN_BARE = ("git", f"--git-dir={BARE}")


async def test_a_bare_repository_is_made_and_takes_over_a_history(builder: Guest, site: Site) -> None:
    head = (await root(builder, "git", "-C", "/etc/nixos", "rev-parse", "HEAD")).out.strip()
    before = site.counters.guest_mutations
    for words in (
        INIT,
        (*IN_BARE, "config", "receive.fsckObjects", "true"),
        (*IN_BARE, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "/etc/nixos", "HEAD"),
        ("chown", "-R", "git:", BARE),
        (*IN_BARE, "update-ref", "refs/heads/main", head, "0" * 40),
    ):
        ran = await root(builder, *words)
        assert (ran.status, ran.err) == (0, ""), words
    assert site.counters.guest_mutations == before + 5
    assert run_git(builder.root / BARE.lstrip("/"), "log", "--format=%s", "main") == "starter fleet"


async def test_plain_files_are_committed_by_the_one_who_is_named(builder: Guest) -> None:
    shutil.rmtree(builder.root / "etc/nixos/.git")
    assert (await run(builder, "git", "-C", "/etc/nixos", "rev-parse", "HEAD")).status == 128
    who = ("-c", "user.name=somebody", "-c", "user.email=a@b")
    for words in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        (*who, "commit", "--quiet", "-m", "One"),
    ):
        assert (await root(builder, "git", "-C", "/etc/nixos", *words)).status == 0
    assert run_git(builder.root / "etc/nixos", "log", "--format=%an %s") == "somebody One"


@pytest.mark.parametrize(
    "words",
    [
        ("init", "--quiet", "--template=/tmp", "--initial-branch=main"),
        ("config", "core.hooksPath", "/tmp"),
        ("config", "core.sshCommand", "id"),
        ("config", "filter.x.clean", "id"),
        ("rebase", "--exec", "id", "HEAD"),
        ("clone", "-c", "core.sshCommand=id", "/etc/nixos", "/etc/x"),
        ("-c", "core.fsmonitor=id", "status"),
    ],
    ids=" ".join,
)
async def test_what_would_run_a_program_of_the_machine_is_refused(builder: Guest, words: tuple[str, ...]) -> None:
    ran = await root(builder, "git", *words)
    assert ran.status != 0
    assert ran.err


async def test_only_root_makes_one(builder: Guest) -> None:
    refused = await run(builder, *INIT)
    assert (refused.status, "Permission denied" in refused.err) == (255, True)
    assert not (builder.root / BARE.lstrip("/")).exists()


async def test_owners_are_known_users_and_given_by_root(builder: Guest) -> None:
    assert (await root(builder, "chown", "-R", "git:git", "/etc/nixos")).status == 0
    assert (await root(builder, "chown", "nobody", "/etc/nixos")).err == "chown: invalid user: 'nobody'\n"
    assert (await root(builder, "chown", "git:", "/none")).status == 1
    assert "not permitted" in (await run(builder, "chown", "git:", "/etc/nixos")).err


async def test_the_git_user_is_there_with_its_home(builder: Guest) -> None:
    assert (await run(builder, "getent", "passwd", "git")).status == 2
    (builder.root / "srv/git").mkdir(parents=True)
    assert (await run(builder, "getent", "passwd", "git")).out.split(":")[5] == "/srv/git"
    assert (await run(builder, "getent", "passwd", "nobody")).status == 2
