"""The one host key that ssh may accept, while several commands read it and another one writes it."""

from __future__ import annotations

from pathlib import Path

from pvenix.adapters.git.pin import HostPin


def pin(cache: Path, key: str) -> None:
    HostPin(cache / "fleet.known_hosts", key).write()


def pinned(cache: Path) -> Path:
    [file] = cache.glob("*.known_hosts")
    return file


def test_a_key_that_is_pinned_already_is_not_written_again(tmp_path: Path) -> None:
    pin(tmp_path, "ssh-ed25519 AAAA1 comment")
    before = pinned(tmp_path).stat()
    pin(tmp_path, "ssh-ed25519 AAAA1")
    after = pinned(tmp_path).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert pinned(tmp_path).read_text() == "pvenix-git ssh-ed25519 AAAA1\n"


def test_who_reads_the_old_key_while_a_new_one_is_pinned_sees_all_of_it(tmp_path: Path) -> None:
    pin(tmp_path, "ssh-ed25519 AAAA1")
    with pinned(tmp_path).open() as reading:
        pin(tmp_path, "ssh-ed25519 AAAA2")
        assert reading.read() == "pvenix-git ssh-ed25519 AAAA1\n"
    assert pinned(tmp_path).read_text() == "pvenix-git ssh-ed25519 AAAA2\n"
    assert [path.name for path in tmp_path.iterdir()] == [pinned(tmp_path).name]
