"""A commit (or work tree) of a guest's /etc/nixos as a flake: its tracked files, and what one host evaluates to.

Only tracked files exist, as in Nix. What is evaluated is described in `nixscan`; messages have the form of Nix 2.24 and later.
"""

from __future__ import annotations

import json
import posixpath
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pvenix_lab.site.guest import git
from pvenix_lab.site.guest.describe import describe
from pvenix_lab.site.guest.nixscan import Place, scan
from pvenix_lab.site.guest.options import Options, Scope
from pvenix_lab.site.guest.store import store_path

if TYPE_CHECKING:
    from pvenix_lab.site.guest.store import System
    from pvenix_lab.site.guest.vfs import VirtualRoot

_KEPT_COMMITS = 16
_ALWAYS = ("flake.nix", "flake.lock")


class EvalError(Exception):
    """Evaluation failed; the text is Nix's, starting with `error:`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlakeRef:
    """A parsed `git+file:///etc/nixos?dir=nix&rev=…`."""

    text: str
    path: str
    directory: str
    revision: str
    ref: str
    remote: str = ""

    @classmethod
    def parse(cls, text: str, cwd: str) -> FlakeRef:
        """The parts of a flake reference; a plain path means a Git work tree there.

        A flake on another host has `remote`, its URL, and no path until it was fetched.

        Raises:
            EvalError: another kind of reference.
        """
        url, _, query = text.partition("?")
        given = dict(part.partition("=")[::2] for part in query.split("&")) if query else {}
        if url.startswith("git+ssh://"):
            directory, revision, ref = (given.get(key, "") for key in ("dir", "rev", "ref"))
            return cls(
                text=text, path="", directory=directory, revision=revision, ref=ref, remote=url.removeprefix("git+")
            )
        path = url.removeprefix("git+file://").removeprefix("path:")
        if ":" in path.partition("/")[0] or not path:
            raise EvalError(f"error: cannot find flake '{text}' in the flake registries")
        full = path if path.startswith("/") else posixpath.normpath(posixpath.join(cwd, path))
        return cls(
            text=text,
            path=full,
            directory=given.get("dir", ""),
            revision=given.get("rev", ""),
            ref=given.get("ref", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlakeTree:
    """The tracked files below the flake's directory; `revision` is empty for a dirty work tree."""

    files: dict[str, bytes]
    revision: str
    modified_at: int
    dirty: bool = False
    directory: str = ""

    @property
    def source(self) -> str:
        """The store path of the source, as it stands in messages."""
        parts = [self.revision] if self.revision else [f"{name}\0{text!r}" for name, text in sorted(self.files.items())]
        return store_path("source", *parts)

    def place(self, name: str) -> str:
        """Where a file of the flake lies in the store, as messages name it."""
        return "/".join(filter(None, (self.source, self.directory, name)))

    def hosts(self) -> list[str]:
        """The names that `nixosConfigurations` has: hosts/*.nix, or what flake.nix names where it does not read the directory."""
        found = sorted(n[6:-4] for n in self.files if re.fullmatch(r"hosts/[a-z][a-z0-9-]*\.nix", n))
        text = self.files.get("flake.nix", b"").decode("utf-8", "replace")
        if "readDir" in text:
            return found
        return [name for name in found if re.search(rf'(?<![\w-])"?{re.escape(name)}"?(?![\w-])', text)]


class Commits:
    """The files of the last few commits that anybody on the site evaluated; guests at one commit share them."""

    def __init__(self) -> None:
        self._trees: OrderedDict[str, FlakeTree] = OrderedDict()

    def find(self, key: str) -> FlakeTree | None:
        """The tree kept under `<commit>:<directory>`."""
        return self._trees.get(key)

    def keep(self, key: str, tree: FlakeTree) -> None:
        """Remember a tree and forget the oldest one."""
        self._trees[key] = tree
        while len(self._trees) > _KEPT_COMMITS:
            self._trees.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a host evaluates to: the system, its store path, its derivation, and the files that were read."""

    system: System
    path: str
    derivation: str
    files: tuple[str, ...]
    options: Options


async def load(tree: VirtualRoot, reference: FlakeRef, commits: Commits) -> FlakeTree:
    """The files of the flake at the commit that the reference names (HEAD or the work tree without one).

    Raises:
        EvalError: no repository, commit or flake.nix there.
    """
    if not tree.is_dir(f"{reference.path}/.git") and not tree.exists(f"{reference.path}/HEAD"):
        raise EvalError(f"error: path '{reference.path}' is not a git repository")
    wanted = reference.revision or reference.ref
    if not wanted and (await git.capture(tree, "status", "--porcelain", "-uno", cwd=reference.path)).stdout:
        return await _load_dirty(tree, reference)
    shown = await git.capture(
        tree, "log", "-1", "--format=%H %ct", f"{wanted or 'HEAD'}^{{commit}}", "--", cwd=reference.path
    )
    if shown.status:
        raise EvalError(
            f"error: Cannot find Git revision '{wanted}' in ref 'HEAD' of repository '{reference.path}'! Please make sure "
            "that the rev exists on the ref you've specified or add allRefs = true; to fetchGit."
        )
    commit, modified = shown.stdout.decode().split()
    key = f"{commit}:{reference.directory}"
    found = commits.find(key)
    if found is None:
        files = await _read_commit(tree, reference, commit)
        directory = reference.directory.strip("/")
        found = FlakeTree(files=files, revision=commit, modified_at=int(modified), directory=directory)
        commits.keep(key, found)
    _check_flake(found, reference)
    return found


def _check_flake(found: FlakeTree, reference: FlakeRef) -> None:
    if "flake.nix" not in found.files:
        where = found.place("flake.nix")
        raise EvalError(f"error: source tree referenced by '{reference.text}' does not contain a '{where}' file")


async def _read_commit(tree: VirtualRoot, reference: FlakeRef, commit: str) -> dict[str, bytes]:
    directory = reference.directory.strip("/")
    spec = f"{commit}:{directory}"
    listing = await git.capture(tree, "ls-tree", "-r", "-z", spec, cwd=reference.path)
    names = {}
    for entry in listing.stdout.decode("utf-8", "replace").split("\0"):
        meta, _, name = entry.partition("\t")
        if name and meta.split()[1] == "blob":
            names[name] = meta.split()[2]
    wanted = "".join(f"{oid}\n" for oid in names.values()).encode()
    batch = (await git.capture(tree, "cat-file", "--batch", stdin=wanted, cwd=reference.path)).stdout
    files, position = {}, 0
    for name in names:
        end = batch.index(b"\n", position)
        size = int(batch[position:end].split()[2])
        files[name] = batch[end + 1 : end + 1 + size]
        position = end + size + 2
    return files


async def _load_dirty(tree: VirtualRoot, reference: FlakeRef) -> FlakeTree:
    directory = reference.directory.strip("/")
    listing = await git.capture(tree, "ls-files", "-z", "--", directory or ".", cwd=reference.path)
    files = {}
    for name in filter(None, listing.stdout.decode().split("\0")):
        full = f"{reference.path}/{name}"
        if tree.exists(full):
            files[posixpath.relpath(name, directory) if directory else name] = tree.read(full)
    found = FlakeTree(files=files, revision="", modified_at=0, dirty=True, directory=directory)
    _check_flake(found, reference)
    return found


@dataclass(slots=True, kw_only=True)
class _Walk:
    """The files that a host's configuration reaches, module after module."""

    tree: FlakeTree
    options: Options = field(default_factory=Options)
    reached: set[str] = field(default_factory=set)

    def module(self, path: str, origin: tuple[str, Place] | None = None) -> None:
        """Read a module and everything that it imports."""
        if path in self.reached:
            return
        self.reached.add(path)
        source = self._read(path, origin)
        found = scan(source)
        if found.broken is not None:
            place, text = found.broken
            raise EvalError(f"error: {text}\n{self._excerpt(path, place)}")
        for reference in found.references:
            target = self._target(path, reference.path)
            if reference.module:
                self.module(target, (path, reference.place))
            elif target not in self.reached and not self._is_directory(target):
                self._read(target, (path, reference.place))
                self.reached.add(target)
        self.options.add(found, Scope.of(found, lambda name: self.tree.files.get(self._target(path, name))))

    def _target(self, path: str, relative: str) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))
        return f"{target}/default.nix" if f"{target}/default.nix" in self.tree.files else target

    def _is_directory(self, target: str) -> bool:
        return any(name.startswith(f"{target}/") for name in self.tree.files)

    def _read(self, path: str, origin: tuple[str, Place] | None) -> bytes:
        source = self.tree.files.get(path)
        if source is None:
            where = f"\n{self._excerpt(*origin)}\n" if origin else ""
            raise EvalError(
                f"error:{where and chr(10)}{where and '       … while resolving the imports'}{where}"
                f"\n       error: path '{self.tree.place(path)}' does not exist"
            )
        return source

    def _excerpt(self, path: str, place: Place) -> str:
        """Nix's way to show a place: the line with one before and after, and a caret."""
        lines = self.tree.files[path].decode("utf-8", "replace").splitlines()
        shown = [f"       at {self.tree.place(path)}:{place.line}:{place.column}:"]
        for number in range(max(place.line - 1, 1), min(place.line + 1, len(lines)) + 1):
            shown.append(f"         {number:>4}| {lines[number - 1]}")
            if number == place.line:
                shown.append(f"             | {' ' * (place.column - 1)}^")
        return "\n".join(shown)


def evaluate(tree: FlakeTree, host: str) -> Evaluation:
    """The system of a host. Raises EvalError naming file and line."""
    return _evaluate(tree, f"hosts/{host}.nix", host)


def evaluate_template(tree: FlakeTree) -> Evaluation:
    """The system of template 8100 (template.nix). Raises EvalError."""
    return _evaluate(tree, "template.nix", "")


def _evaluate(tree: FlakeTree, entry: str, host: str) -> Evaluation:
    walk = _Walk(tree=tree)
    flake = scan(tree.files["flake.nix"])
    if flake.broken is not None:
        raise EvalError(f"error: {flake.broken[1]}\n       at {tree.place('flake.nix')}:{flake.broken[0].line}:1:")
    for name in ("configuration.nix", "common.nix", entry, f"hardware/{host}-hw.nix"):
        if name in tree.files or name == entry or (host and name.startswith("hardware/")):
            walk.module(name)
    links_commit = b"configurationRevision" in tree.files["flake.nix"]
    lock = _locked_nixpkgs(tree)
    system = describe(walk.options, lock, revision=tree.revision if links_commit else "")
    files = tuple(sorted(walk.reached | {name for name in _ALWAYS if name in tree.files}))
    content = [part for name in files for part in (name, tree.files[name].decode("utf-8", "replace"))]
    label = f"nixos-system-{system.host_name or 'unnamed'}-{system.nixos_version}"
    path = store_path(label, system.revision, *content)
    derivation = store_path(f"{label}.drv", system.revision, *content)
    return Evaluation(system=system, path=path, derivation=derivation, files=files, options=walk.options)


def _locked_nixpkgs(tree: FlakeTree) -> tuple[str, str]:
    """nixpkgs' commit and its date as YYYYMMDD, from flake.lock; a fixed commit where no lock is."""
    try:
        nodes = json.loads(tree.files.get("flake.lock", b"{}"))["nodes"]
        locked = next(node["locked"] for name, node in nodes.items() if name.startswith("nixpkgs"))
        return str(locked["rev"]), time.strftime("%Y%m%d", time.gmtime(int(locked["lastModified"])))
    except (ValueError, KeyError, StopIteration, TypeError):
        return "0" * 40, "19700101"
