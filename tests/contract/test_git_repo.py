"""What only the git adapter can get wrong: other people's settings and names, odd files, cut pushes, leftovers."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pvenix.adapters.git.objects import TEXT_LIMIT
from pvenix.adapters.git.repo import GitRepo
from pvenix.model.errors import LocalResource, Refused, RemoteFailure, Unreachable
from tests.contract.repo_worlds import AUTHOR, BASE, git, seed_bare


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    seed_bare(tmp_path / "fleet.git", BASE)
    return tmp_path / "fleet.git"


@pytest.fixture
async def repo(bare: Path, tmp_path: Path) -> AsyncIterator[GitRepo]:
    repo = GitRepo(url=str(bare), branch="main", cache_dir=tmp_path / "cache", author=AUTHOR)
    yield repo
    await repo.close()


def mirror_of(tmp_path: Path) -> Path:
    return next((tmp_path / "cache").glob("*.git"))


def fake_git(folder: Path, script: str) -> None:
    """A `git` that comes first on PATH and may call the real one as $GIT."""
    folder.mkdir()
    path = folder / "git"
    path.write_text(f"#!/bin/sh\nGIT={shutil.which('git')}\n{script}\n")
    path.chmod(0o755)


def run_everywhere(folder: Path, command: str, remote: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name `command` in every setting, hook and variable by which git starts a program; the file with the settings."""
    settings = folder / "gitconfig"
    settings.write_text(
        f"[core]\n fsmonitor = {command}\n sshCommand = {command}\n pager = {command}\n hooksPath = {folder}/hooks\n"
        f" editor = {command}\n[diff]\n external = {command}\n[credential]\n helper = !{command}\n"
        f'[url "ext::{command} "]\n insteadOf = {remote}\n[commit]\n gpgSign = true\n[gpg]\n program = {command}\n'
        f'[filter "x"]\n clean = {command}\n smudge = {command}\n[uploadpack]\n packObjectsHook = {command}\n'
    )  # fmt: skip
    (folder / "hooks").mkdir()
    for name in ("pre-commit", "pre-push", "post-commit", "reference-transaction", "post-checkout", "pre-auto-gc"):
        hook = folder / "hooks" / name
        hook.write_text(f"#!/bin/sh\n{command}\n")
        hook.chmod(0o755)
    for name, value in {
        "GIT_CONFIG_GLOBAL": str(settings), "GIT_SSH_COMMAND": command, "GIT_EXTERNAL_DIFF": command,
        "GIT_DIR": "/nonexistent", "GIT_WORK_TREE": "/", "GIT_INDEX_FILE": "/nonexistent/index", "GIT_PAGER": command,
        "GIT_OBJECT_DIRECTORY": "/nonexistent", "GIT_ASKPASS": command, "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": command, "GIT_NAMESPACE": "elsewhere",
        "GIT_EDITOR": command,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return settings


async def test_settings_and_hooks_of_others_run_nothing(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = tmp_path / "executed"
    settings = run_everywhere(tmp_path, f"touch {witness}", bare, monkeypatch)
    home = Path.home() / ".gitconfig"
    home.write_text(settings.read_text())
    repo = GitRepo(url=str(bare), branch="main", cache_dir=tmp_path / "cache", author=AUTHOR)
    try:
        main = await repo.fetch()
        attributes = {".gitattributes": "* filter=x diff=x\n", "a": "1"}
        topic = await repo.commit("topic", main, attributes, message="x")
        await repo.commit("main", main, {"b": "1"}, message="y")
        await repo.merge(topic, into="main", message="m")
        await repo.diff("main", topic)
        assert await repo.read("main", "a") == "1"
        assert await repo.log("main", path="a")
        await repo.branches()
        await repo.add_note("reviews", topic, "x")
        await repo.bundle(topic, have=main)
    finally:
        home.unlink()
        await repo.close()
    assert not witness.exists()


async def test_hooks_in_the_mirror_do_not_run(repo: GitRepo, tmp_path: Path) -> None:
    main = await repo.fetch()
    hooks = mirror_of(tmp_path) / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-push", "reference-transaction", "update"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/executed\nexit 1\n")
        (hooks / name).chmod(0o755)
    await repo.commit("topic", main, {"a": "1"}, message="x")
    await repo.fetch()
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("path", ["-x", "--exec=id", "a b", "é.nix", "a\nb", "\u202ex", "*", ":(top)x", "a;b", '"q"'])
async def test_odd_file_names_are_only_names(repo: GitRepo, path: str) -> None:
    main = await repo.fetch()
    topic = await repo.commit("topic", main, {path: "1"}, message="-m --amend")
    assert await repo.read(topic, path) == "1"
    assert path in await repo.files(topic)
    assert [change.path for change in await repo.diff(main, topic)] == [path]
    assert len(await repo.log(topic, path=path)) == 1
    assert len((await repo.branches())[0].paths) == 1


async def test_modes_links_and_binaries_are_told_in_a_diff(repo: GitRepo, bare: Path) -> None:
    main = await repo.fetch()
    git(
        "fast-import", "--quiet", cwd=bare,
        stdin=b"commit refs/heads/odd\ncommitter A <a@b> 1750000001 +0000\ndata 1\nx\nfrom refs/heads/main\n"
        b"M 100755 inline run\ndata 2\nok\n"
        b"M 120000 inline link\ndata 11\n/etc/passwd\n"
        b"M 160000 " + main.encode() + b" sub\n"
        b"M 100644 inline bin\ndata 3\na\0b\n"
        b"M 100644 inline latin\ndata 1\n\xe9\n"
        b"M 100644 inline big\ndata " + str(TEXT_LIMIT + 1).encode() + b"\n" + b"x" * (TEXT_LIMIT + 1) + b"\n",
    )  # fmt: skip
    await repo.fetch()
    odd = {change.path: (change.mode, change.binary, change.new) for change in await repo.diff("main", "odd")}
    assert odd == {
        "run": ("100755", False, "ok"),
        "link": ("120000", False, "/etc/passwd"),
        "sub": ("160000", False, f"Subproject commit {main}\n"),
        "bin": ("100644", True, ""),
        "latin": ("100644", False, "\ufffd"),
        "big": ("100644", True, ""),
    }
    assert await repo.read("odd", "link") is None
    assert await repo.read("odd", "sub") is None
    tip = await repo.tip("odd")
    assert tip
    again = await repo.commit("odd", tip, {"run": "new", "link": "text"}, message="x")
    after = {change.path: (change.old, change.new, change.mode) for change in await repo.diff(tip, again)}
    assert after == {"run": ("ok", "new", "100755"), "link": ("/etc/passwd", "text", "100644")}


async def test_histories_without_a_common_commit_do_not_merge_and_are_listed(repo: GitRepo, bare: Path) -> None:
    await repo.fetch()
    git(
        "fast-import", "--quiet", cwd=bare,
        stdin=b"commit refs/heads/alone\ncommitter A <a@b> 1750000001 +0000\ndata 1\nx\nM 100644 inline f\ndata 1\ny\n",
    )  # fmt: skip
    await repo.fetch()
    (alone,) = await repo.branches()
    assert (alone.ahead, alone.behind, alone.paths, alone.mergeable) == (1, 1, ("f",), False)
    assert [change.path for change in await repo.diff("main", "alone")] == ["f"]


async def test_ahead_and_behind_are_what_git_says_in_a_tangled_history(repo: GitRepo, bare: Path) -> None:
    main = await repo.fetch()
    for number in range(6):
        base = await repo.tip("main") if number % 2 else main
        assert base
        await repo.commit(f"t{number}", base, {f"f{number}": "1"}, message=f"{number}")
        tip = await repo.tip(f"t{number}")
        assert tip
        if number in (1, 2, 4):
            await repo.merge(tip, into="main", message=f"m{number}")
        if number in (3, 5):
            moved = await repo.tip("main")
            assert moved
            await repo.merge(moved, into=f"t{number}", message="back")
            await repo.merge(tip, into=f"t{number - 1}", message="across")
    await repo.fetch()
    for branch in await repo.branches():
        counted = git("rev-list", "--left-right", "--count", f"main...{branch.name}", cwd=bare).split()
        assert [str(branch.behind), str(branch.ahead)] == counted, branch.name
        paths = git("diff", "--name-only", f"main...{branch.name}", cwd=bare).split()
        assert list(branch.paths) == paths, branch.name


async def test_text_of_a_commit_cannot_move_a_cursor(repo: GitRepo) -> None:
    main = await repo.fetch()
    await repo.commit("topic", main, {"a": "1"}, message="\x1b[2Jred \x1b]0;t\x07\u202e")
    (branch,) = await repo.branches()
    assert branch.tip.subject == "red <U+202E>"
    assert (await repo.log("topic", limit=1))[0].subject == "red <U+202E>"


async def test_a_push_that_was_cut_after_it_was_done_is_done(repo: GitRepo, tmp_path: Path) -> None:
    main = await repo.fetch()
    script = (
        'case " $* " in *" push "*) "$GIT" "$@" >/dev/null 2>&1; echo "the remote end hung up" >&2; exit 128;; esac'
    )
    fake_git(tmp_path / "bin", f'{script}\nexec "$GIT" "$@"')
    repo._git.env["PATH"] = f"{tmp_path}/bin:{os.environ['PATH']}"
    commit = await repo.commit("topic", main, {"a": "1"}, message="x")
    assert await repo.tip("topic") == commit


async def test_a_push_that_was_cut_before_it_was_done_changed_nothing(repo: GitRepo, tmp_path: Path) -> None:
    main = await repo.fetch()
    script = 'case " $* " in *" push "*) echo "Connection closed by remote host" >&2; exit 128;; esac'
    fake_git(tmp_path / "bin", f'{script}\nexec "$GIT" "$@"')
    repo._git.env["PATH"] = f"{tmp_path}/bin:{os.environ['PATH']}"
    with pytest.raises(Unreachable, match="Connection closed"):
        await repo.commit("topic", main, {"a": "1"}, message="x")
    assert await repo.tip("topic") is None


def ended(pid: int) -> bool:
    """True when the process is gone or only its entry is left; waits a little."""
    for _ in range(200):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().split()[2] == "Z":
            return True
        time.sleep(0.001)
    return False


async def test_a_command_that_is_cut_off_leaves_no_process(repo: GitRepo, tmp_path: Path) -> None:
    await repo.fetch()
    fake_git(tmp_path / "bin", f"sleep 30 & echo $! > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; wait")
    repo._git.env["PATH"] = f"{tmp_path}/bin:{os.environ['PATH']}"
    with pytest.raises(TimeoutError):
        await repo._git.run("version", timeout_s=2)
    assert ended(int((tmp_path / "pid").read_text()))


async def test_a_missing_git_says_so(repo: GitRepo) -> None:
    repo._git.env["PATH"] = "/nonexistent"
    with pytest.raises(LocalResource, match="git"):
        await repo.fetch()


async def test_what_a_killed_git_left_in_the_mirror_is_no_obstacle(repo: GitRepo, bare: Path, tmp_path: Path) -> None:
    main = await repo.fetch()
    mirror = mirror_of(tmp_path)
    for name in ("packed-refs.lock", "config.lock", "refs/heads/main.lock"):
        (mirror / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror / name).write_text("")
    git("update-ref", "refs/heads/topic", main, cwd=bare)
    git(
        "update-ref",
        "refs/heads/main",
        git("commit-tree", "-p", main, "-m", "x", f"{main}^{{tree}}", cwd=bare),
        cwd=bare,
    )
    assert await repo.fetch() != main
    assert await repo.tip("topic") == main


async def test_two_processes_share_one_mirror(repo: GitRepo, bare: Path, tmp_path: Path) -> None:
    other = GitRepo(url=str(bare), branch="main", cache_dir=tmp_path / "cache", author=AUTHOR)
    async with asyncio.TaskGroup() as group:
        for user in (repo, other) * 3:
            group.create_task(user.fetch())
    assert await repo.main() == await other.main()
    await other.close()


async def test_a_branch_that_is_gone_on_the_remote_is_gone_here(repo: GitRepo, bare: Path) -> None:
    main = await repo.fetch()
    await repo.commit("topic", main, {"a": "1"}, message="x")
    git("update-ref", "-d", "refs/heads/topic", cwd=bare)
    await repo.fetch()
    assert await repo.tip("topic") is None


async def test_an_empty_or_missing_repository_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty.git").mkdir()
    git("init", "--quiet", "--bare", ".", cwd=tmp_path / "empty.git")
    for name, code in (("empty.git", "PVX0710"), ("none.git", "PVX0714")):
        repo = GitRepo(url=str(tmp_path / name), branch="main", cache_dir=tmp_path / "cache", author=AUTHOR)
        with pytest.raises(RemoteFailure) as problem:
            await repo.main()
        assert (problem.value.code, bool(problem.value.hint)) == (code, True)
        await repo.close()


async def test_a_cache_that_cannot_be_written_says_so(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    repo = GitRepo(url=str(bare), branch="main", cache_dir=tmp_path / "file" / "cache", author=AUTHOR)
    with pytest.raises(LocalResource):
        await repo.fetch()


async def test_over_ssh_nothing_starts_without_a_pinned_key(tmp_path: Path) -> None:
    repo = GitRepo(url="ssh://git@127.0.0.1:1/x.git", branch="main", cache_dir=tmp_path / "cache", author=AUTHOR)
    with pytest.raises(Refused) as refusal:
        await repo.fetch()
    assert refusal.value.code == "PVX0711"


async def test_a_damaged_object_is_not_taken(repo: GitRepo, bare: Path) -> None:
    main = await repo.fetch()
    tree = git("mktree", "--missing", cwd=bare, stdin=b"")
    bad = git(
        "hash-object", "-w", "-t", "commit", "--literally", "--stdin", cwd=bare,
        stdin=f"tree {tree}\nparent {main}\nauthor x\ncommitter y\n\nz\n".encode(),
    )  # fmt: skip
    git("update-ref", "refs/heads/bad", bad, cwd=bare)
    with pytest.raises((RemoteFailure, Unreachable)):
        await repo.fetch()
    assert await repo.main() == main


async def test_a_file_that_a_guest_made_huge_is_refused_and_not_read(repo: GitRepo) -> None:
    main = await repo.fetch()
    tip = await repo.commit("registration/x", main, {"huge": "x" * ((1 << 24) + 1)}, message="x")
    with pytest.raises(RemoteFailure, match="too large"):
        await repo.read(tip, "huge")
