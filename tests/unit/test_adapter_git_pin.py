"""The one host key that ssh may accept, while several commands read it and another one writes it."""

from __future__ import annotations

from pathlib import Path

from pvenix.adapters.git.repo import GitRepo


def repo(cache: Path, key: str) -> GitRepo:
    return GitRepo(
        url="ssh://git@git.example:22/fleet.git", branch="main", cache_dir=cache, author="a <a@b>", host_key=key
    )


def pinned(cache: Path) -> Path:
    [file] = cache.glob("*.known_hosts")
    return file


def test_a_key_that_is_pinned_already_is_not_written_again(tmp_path: Path) -> None:
    repo(tmp_path, "ssh-ed25519 AAAA1 comment")._pin()
    before = pinned(tmp_path).stat()
    repo(tmp_path, "ssh-ed25519 AAAA1")._pin()
    after = pinned(tmp_path).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert pinned(tmp_path).read_text() == "pvenix-git ssh-ed25519 AAAA1\n"


def test_who_reads_the_old_key_while_a_new_one_is_pinned_sees_all_of_it(tmp_path: Path) -> None:
    repo(tmp_path, "ssh-ed25519 AAAA1")._pin()
    with pinned(tmp_path).open() as reading:
        repo(tmp_path, "ssh-ed25519 AAAA2")._pin()
        assert reading.read() == "pvenix-git ssh-ed25519 AAAA1\n"
    assert pinned(tmp_path).read_text() == "pvenix-git ssh-ed25519 AAAA2\n"
    assert [path.name for path in tmp_path.iterdir()] == [pinned(tmp_path).name]
