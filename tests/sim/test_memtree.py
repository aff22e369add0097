"""Both kinds of tree, the one of real files and the one in memory, give the same answers."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.guest.vfs import VirtualRoot
from tests.sim.golden import workplace
from tests.sim.memtree import Dir, Disks, MemoryTree, load

pytestmark = pytest.mark.sim

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


def act(tree: VirtualRoot, name: str, *words: Any) -> object:
    places = words if name == "rename" else words[-1:] if name == "symlink" else words[:1]
    if any(answer(tree.resolve, place) == "/" for place in places):
        return None  # the lab never removes or replaces a whole disk through its tree
    if name == "append":
        return answer(lambda: tree.write(*words, append=True))
    return answer(getattr(tree, name), *words)


@given(st.lists(ACTS, max_size=12), PATHS)
def test_a_tree_in_memory_answers_like_one_of_real_files(acts: list[tuple[Any, ...]], path: str) -> None:
    root = workplace()
    try:
        real, memory = VirtualRoot(root), MemoryTree(root, Dir(mode=0o700), lambda: 0.0)
        for one in acts:
            assert act(real, *one) == act(memory, *one), one
        for number, question in enumerate(QUESTIONS):
            assert answer(question, real, path) == answer(question, memory, path), number
        assert names(load(root)) == names(memory.top)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def names(top: Dir) -> dict[str, object]:
    """A directory without times: they differ between any two trees."""
    found: dict[str, object] = {}
    for name, node in top.children.items():
        found[name] = names(node) if isinstance(node, Dir) else getattr(node, "data", getattr(node, "text", None))
    return found


def test_a_time_that_was_set_is_told(tmp_path: Path) -> None:
    for tree in (VirtualRoot(tmp_path), MemoryTree(tmp_path, Dir(), lambda: 0.0)):
        tree.symlink("/nowhere", "/link")
        tree.set_time("/link", 1234.5)
        assert tree.stat("/link", follow_last=False).st_mtime == 1234.5


def test_a_copied_disk_and_its_pattern_change_apart(tmp_path: Path) -> None:
    disks = Disks()
    source, target = tmp_path / "1", tmp_path / "2"
    before = MemoryTree(source, disks.tops.setdefault(source, Dir()), lambda: 0.0)
    before.put("/etc/name", "one")
    before.put("/run/secret", "gone with the memory")
    disks.clone(None, source, target)  # type: ignore[arg-type]  # a disk is copied without asking the site
    after = MemoryTree(target, disks.tops[target], lambda: 0.0)
    after.write("/etc/name", "two", append=True)
    after.chmod("/etc/name", 0o600)
    assert (before.read_text("/etc/name"), after.read_text("/etc/name")) == ("one", "onetwo")
    assert before.stat("/etc/name").st_mode != after.stat("/etc/name").st_mode
    assert not after.exists("/run")
    os.makedirs(source / "etc")  # noqa: PTH103 - the same with real files
    (source / "etc/name").write_text("one")
    clone_disk(None, source, tmp_path / "3")  # type: ignore[arg-type]  # as above
    assert load(tmp_path / "3").children.keys() == {"etc"}
