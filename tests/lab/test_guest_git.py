"""The real git on a guest's tree: commits arrive by bundle, edits are put aside, nothing outside the tree is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix_lab.site.guest.guest import Guest
from tests.lab.guest_support import Prepared, commit, root, run, run_git

GIT = ("git", "-C", "/etc/nixos")


def new_bundle(prepared: Prepared, tmp_path: Path) -> tuple[str, bytes]:
    """A commit on top of the fleet's main, and the bundle that carries it."""
    work = tmp_path / "work"
    run_git(tmp_path, "clone", "--quiet", str(prepared.fleet), str(work))
    (work / "README").write_text("new\n")
    head = commit(work, "new")
    run_git(work, "bundle", "create", "--quiet", str(tmp_path / "b"), f"{prepared.commit}..main")
    return head, (tmp_path / "b").read_bytes()


async def test_a_commit_arrives_by_bundle_and_is_checked_out(
    builder: Guest, prepared: Prepared, tmp_path: Path
) -> None:
    head, bundle = new_bundle(prepared, tmp_path)
    await root(builder, "mkdir", "-p", "/var/lib/pvenix/a")
    await root(builder, "dd", "of=/var/lib/pvenix/a/fleet.bundle", "status=none", stdin=bundle)
    assert (await root(builder, *GIT, "bundle", "verify", "/var/lib/pvenix/a/fleet.bundle")).status == 0
    refspec = "+refs/heads/main:refs/remotes/origin/main"
    fetched = await root(builder, *GIT, "fetch", "--quiet", "/var/lib/pvenix/a/fleet.bundle", refspec)
    assert (fetched.status, fetched.err) == (0, "")
    assert (await root(builder, *GIT, "checkout", "--quiet", "--detach", head)).status == 0
    assert (await root(builder, *GIT, "rev-parse", "HEAD")).out == f"{head}\n"
    assert (builder.root / "etc/nixos/README").read_text() == "new\n"


async def test_local_edits_are_put_aside_with_their_untracked_files(builder: Guest) -> None:
    (builder.root / "etc/nixos/nix/hosts/dns01.nix").write_text("{ }\n")
    (builder.root / "etc/nixos/mine").write_text("x")
    assert (await root(builder, *GIT, "status", "--porcelain")).out == " M nix/hosts/dns01.nix\n?? mine\n"
    stashed = await root(builder, *GIT, "stash", "push", "--include-untracked", "-m", "pvenix-a")
    assert stashed.status == 0
    assert (await root(builder, *GIT, "status", "--porcelain")).out == ""
    assert "pvenix-a" in (await root(builder, *GIT, "stash", "list")).out


@pytest.mark.parametrize("words", [("checkout", "--quiet", "HEAD"), ("status", "--porcelain"), ("rev-parse", "HEAD")])
async def test_the_checkout_of_root_is_not_even_read_by_somebody_else(builder: Guest, words: tuple[str, ...]) -> None:
    refused = await run(builder, *GIT, *words)
    assert (refused.status, refused.out) == (128, "")
    assert refused.err.startswith("fatal: detected dubious ownership in repository at '/etc/nixos'\n")


@pytest.mark.parametrize(
    "words",
    [
        ("fetch", "--upload-pack=touch /tmp/x", "."),
        ("fetch", "ext::sh -c id", "main"),
        ("log", "--output=/tmp/x"),
        ("diff", "--ext-diff"),
        ("log", "--", "../../../x"),
    ],
)
async def test_what_would_leave_the_tree_or_run_a_program_is_refused(builder: Guest, words: tuple[str, ...]) -> None:
    assert (await root(builder, *GIT, *words)).status == 128
    assert not builder.tree.exists("/tmp/x")


async def test_hooks_of_the_checkout_do_not_run(builder: Guest, prepared: Prepared) -> None:
    hook = builder.root / "etc/nixos/.git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {builder.root}/ran\n")
    hook.chmod(0o755)
    await root(builder, *GIT, "checkout", "--quiet", "--detach", prepared.commit)
    assert not (builder.root / "ran").exists()


async def test_messages_do_not_show_the_labs_own_directory(builder: Guest) -> None:
    ran = await root(builder, *GIT, "fetch", "/var/lib/none.bundle", "main")
    assert (ran.status, str(builder.root) in ran.err) == (128, False)
    assert "'/var/lib/none.bundle' does not appear to be a git repository" in ran.err


async def test_unknown_subcommands_do_not_exist(builder: Guest) -> None:
    ran = await root(builder, *GIT, "pusch", "origin", "main")
    assert (ran.status, ran.err) == (1, "git: 'pusch' is not a git command. See 'git --help'.\n")
