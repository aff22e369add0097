"""A guest's files answer alike in memory and on disk, and go from one to the other unseen."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix_lab.site.guest.memfiles import MemoryFiles
from pvenix_lab.site.guest.memnodes import Dir, load
from pvenix_lab.site.guest.vfs import VirtualRoot
from pvenix_lab.site.memorydisks import MemoryDisks

SHM = Path("/dev/shm")
NAMES = ("a", "b", "c")
PATHS = st.lists(st.sampled_from((*NAMES, "..")), max_size=4).map(lambda parts: "/" + "/".join(parts))
TEXTS = st.one_of(PATHS, st.lists(st.sampled_from((*NAMES, "..")), min_size=1, max_size=3).map("/".join))
DATA = st.binary(max_size=3)
ACTS = st.one_of(
    st.tuples(st.just("write"), PATHS, DATA),
    st.tuples(st.just("append"), PATHS, DATA),
    st.tuples(st.just("put"), PATHS, DATA),
    st.tuples(st.just("mkdir"), PATHS),
    st.tuples(st.just("symlink"), TEXTS, PATHS),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("remove"), PATHS),
    st.tuples(st.just("chmod"), PATHS, st.sampled_from((0o700, 0o755, 0o600, 0o644))),
    st.tuples(st.just("set_time"), PATHS, st.integers(1, 10**9)),
)
QUESTIONS: tuple[Callable[[VirtualRoot, str], object], ...] = (
    lambda tree, path: tree.resolve(path),
    lambda tree, path: tree.resolve(path, follow_last=False),
    lambda tree, path: tree.exists(path),
    lambda tree, path: tree.exists(path, follow_last=False),
    lambda tree, path: tree.is_dir(path),
    lambda tree, path: tree.readlink(path),
    lambda tree, path: tree.read(path),
    lambda tree, path: tree.read(path, offset=1),
    lambda tree, path: tree.read_text(path),
    lambda tree, path: tree.listdir(path),
    lambda tree, path: tree.check_read(path, 1000),
    lambda tree, path: status(tree, path, follow_last=True),
    lambda tree, path: status(tree, path, follow_last=False),
)


def status(tree: VirtualRoot, path: str, *, follow_last: bool) -> tuple[int, int]:
    """Kind, mode and size; the size of a directory and the mode of a link are the machine's own."""
    seen = tree.stat(path, follow_last=follow_last)
    kind = stat.S_IFMT(seen.st_mode)
    if kind == stat.S_IFLNK:
        return kind, seen.st_size
    return seen.st_mode, seen.st_size if kind == stat.S_IFREG else 0


def answer(question: Callable[..., object], *words: Any) -> object:
    try:
        return question(*words)
    except OSError as error:
        return type(error)


def in_memory(root: Path) -> VirtualRoot:
    return VirtualRoot(root, MemoryFiles(Dir(mode=0o700), lambda: 0.0))


def act(tree: VirtualRoot, name: str, *words: Any) -> object:
    places = words if name == "rename" else words[-1:] if name == "symlink" else words[:1]
    if any(answer(tree.resolve, place) == "/" for place in places):
        return None  # the lab never removes or replaces a whole disk through its tree
    if name == "append":
        return answer(lambda: tree.write(*words, append=True))
    return answer(getattr(tree, name), *words)


@given(st.lists(ACTS, max_size=12), PATHS)
def test_a_tree_in_memory_answers_like_one_of_real_files(acts: list[tuple[Any, ...]], path: str) -> None:
    root = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
    try:
        real, memory = VirtualRoot(root / "real"), in_memory(root / "memory")
        real.root.mkdir(mode=0o700)
        for one in acts:
            assert act(real, *one) == act(memory, *one), one
        for number, question in enumerate(QUESTIONS):
            assert answer(question, real, path) == answer(question, memory, path), number
        memory.settle()
        assert names(load(real.root)) == names(load(memory.root))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def names(top: Dir) -> dict[str, object]:
    """A directory without times: they differ between any two trees."""
    found: dict[str, object] = {}
    for name, node in top.children.items():
        found[name] = names(node) if isinstance(node, Dir) else getattr(node, "data", getattr(node, "text", None))
    return found


def test_a_time_that_was_set_is_told(tmp_path: Path) -> None:
    for tree in (VirtualRoot(tmp_path), in_memory(tmp_path)):
        tree.symlink("/nowhere", "/link")
        tree.set_time("/link", 1234.5)
        assert tree.stat("/link", follow_last=False).st_mtime == 1234.5


def test_what_was_only_in_memory_is_found_on_disk_once_somebody_needs_a_path(tmp_path: Path) -> None:
    tree = in_memory(tmp_path / "disk")
    tree.put("/etc/secret", "mine", mode=0o600)
    tree.symlink("/etc/secret", "/link")
    tree.set_time("/link", 1234.5)
    assert not tree.root.exists()
    real = tree.real("/link")
    assert (real.read_text(), stat.S_IMODE(real.stat().st_mode)) == ("mine", 0o600)
    assert (tree.root / "link").readlink() == Path("/etc/secret")
    assert tree.stat("/link", follow_last=False).st_mtime == 1234.5
    tree.write("/link", " and yours", append=True)
    assert real.read_text() == "mine and yours"


@pytest.mark.parametrize("look", [VirtualRoot.exists, VirtualRoot.is_dir, VirtualRoot.listdir])
def test_a_directory_for_later_is_made_when_somebody_looks_there(
    tmp_path: Path, look: Callable[[VirtualRoot, str], object]
) -> None:
    made = []

    def place(target: Path) -> None:
        made.append(target)
        target.mkdir()

    tree = in_memory(tmp_path / "disk")
    tree.later("/etc/nixos", place)
    assert tree.listdir("/etc") == ["nixos"]
    assert not made
    look(tree, "/etc/nixos")
    assert made == [tree.root / "etc/nixos"]


def test_the_disks_of_a_site_that_is_built_change_apart_and_share_what_never_changes(tmp_path: Path) -> None:
    pattern = VirtualRoot(tmp_path / "1")
    pattern.put("/etc/name", "one")
    pattern.put("/nix/store/x/file", "for ever", mode=0o444)
    pattern.put("/run/secret", "gone with the memory")
    disks = MemoryDisks()
    tops = []
    for number in ("2", "3"):
        disks.clone(Mock(), pattern.root, tmp_path / number)
        tops.append(VirtualRoot(tmp_path / number, MemoryFiles(disks.take(tmp_path / number), lambda: 0.0)))
    tops[0].write("/etc/name", "two", append=True)
    tops[0].chmod("/etc/name", 0o600)
    for tree in tops:
        tree.settle()
    assert [tree.read_text("/etc/name") for tree in (pattern, *tops)] == ["one", "onetwo", "one"]
    assert not tops[0].exists("/run")
    assert (tmp_path / "3/nix/store/x/file").samefile(tmp_path / "1/nix/store/x/file")
