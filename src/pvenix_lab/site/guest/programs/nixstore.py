"""`nix path-info`, `nix store …`, `nix copy`, `nix why-depends`; shapes measured on Nix 2.8."""

from __future__ import annotations

import base64
import hashlib
import json
import stat

from pvenix_lab.site.guest import gc
from pvenix_lab.site.guest.call import Call, Options, ProgramError
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.neighbours import find
from pvenix_lab.site.guest.programs.installables import FEW, default_installable, valid_path
from pvenix_lab.site.guest.programs.sizes import closure_size, packages_of, size_of
from pvenix_lab.site.guest.store import read_system

_LINKS = "deleting unused links...\nnote: currently hard linking saves -0.00 MiB"
"""The size of the folder of links is taken off (nix: LocalStore::removeUnusedLinks)."""
_FAILED_CHECKS = 4  # nix: src/nix/verify.cc
_KIB = 1024
_MIB = 1 << 20


def nar_size(call: Call, path: str) -> int:
    """The size of a store path; that of a package or a system's own files, which the lab has no bytes of, by its name."""
    return max(gc.size(call.tree, path), size_of(f"/{path.partition('-')[2]}"))


def _closure_size(call: Call, path: str) -> int:
    system = read_system(call.tree, path)
    return closure_size(system) if system else sum(nar_size(call, other) for other in gc.closure(call.tree, [path]))


async def path_info(call: Call, options: Options) -> int:
    """`nix path-info [-r] [-s] [-S] [-h] [--json] PATH…`."""
    if not options.rest:
        raise default_installable(call)
    paths, absent = _asked(call, options)
    if options.has("-r", "--recursive"):
        paths = gc.closure(call.tree, paths)
    closures = options.has("-S", "--closure-size")
    if options.has("--json"):
        infos = [_info(call, path, closures=closures) for path in sorted(paths)]
        infos += [{"path": path, "valid": False} for path in absent]
        call.out(json.dumps(infos, separators=(",", ":")) + "\n")
        return 0
    width = max(map(len, paths), default=0) if options.has("-s", "-S", "--size", "--closure-size") else 0
    for path in paths:
        row = path.ljust(width)
        for asked, number in ((options.has("-s", "--size"), nar_size), (closures, _closure_size)):
            if asked:
                row += "\t" + (
                    _human(number(call, path)) if options.has("-h", "--human-readable") else f"{number(call, path):>11}"
                )
        call.out(f"{row}\n")
    return 0


def _asked(call: Call, options: Options) -> tuple[list[str], list[str]]:
    """The store paths that are asked for, and those that are not there, which only `--json` can tell of."""
    paths, absent = [], []
    for word in options.rest:
        path = gc.store_path_of(call.tree.resolve(call.full(word)))
        if not path:
            raise default_installable(call, call.full(word))
        if gc.valid(call.tree, path):
            paths.append(path)
            continue
        call.err(f"don't know how to build these paths:\n  {path}")
        if not options.has("--json"):
            raise ProgramError(f"error: path '{path}' is not valid")
        absent.append(path)
    return paths, absent


def nar_hash(path: str) -> bytes:
    """What stands for the digest of a store path's content: it only depends on its name, as the content does."""
    return hashlib.sha256(path.encode()).digest()


def _human(number: float) -> str:
    units = " KMGT"
    while number > _KIB and len(units) > 1:
        number, units = number / _KIB, units[1:]
    return f"{number:>6.1f}{units[0]}"


def _info(call: Call, path: str, *, closures: bool) -> dict[str, object]:
    answer: dict[str, object] = {
        "path": path,
        "narHash": "sha256-" + base64.b64encode(nar_hash(path)).decode(),
        "narSize": nar_size(call, path),
        "references": sorted(gc.references(call.tree, path)),
    }
    answer |= {"closureSize": _closure_size(call, path)} if closures else {}
    if drv := gc.deriver(call.tree, path):
        answer["deriver"] = drv
    at = int(call.tree.stat(path, follow_last=False).st_mtime)
    return answer | {"registrationTime": at, "ultimate": True}


async def diff_closures(call: Call, options: Options) -> int:
    """`nix store diff-closures A B`: `name: old → new, ±size`, nothing for what stayed the same."""
    if len(options.rest) != 2:
        raise ProgramError(FEW)
    old, new = (read_system(call.tree, valid_path(call, path)) for path in options.rest)
    before, after = (packages_of(system) if system else {} for system in (old, new))
    for name in sorted(before.keys() | after.keys()):
        left, right = before.get(name), after.get(name)
        if left == right:
            continue
        delta = (size_of(f"/{name}-{right}") if right else 0) - (size_of(f"/{name}-{left}") if left else 0)
        call.out(f"{name}: {left or '∅'} → {right or '∅'}, {delta / _KIB:+.1f} KiB\n")
    return 0


async def store_gc(call: Call, options: Options) -> int:
    """`nix store gc [--dry-run]`."""
    return collect(call, dry_run=options.has("--dry-run"))


def collect(call: Call, *, dry_run: bool = False) -> int:
    """Delete what no root keeps, saying so as Nix does."""
    call.err("finding garbage collector roots...")
    if dry_run:
        for path in gc.live_and_dead(call.tree)[1]:
            call.out(f"{path}\n")
        return 0
    call.mutates()  # by the daemon, for whoever asks (nix: src/libstore/daemon.cc, CollectGarbage)
    forget_stale(call)
    call.err("deleting garbage...")
    gone = gc.collect(call.tree)
    for path, _ in gone:
        call.err(f"deleting '{path}'")
    call.err(_LINKS)
    call.out(f"{len(gone)} store paths deleted, {sum(size for _, size in gone) / _MIB:.2f} MiB freed\n")
    return 0


async def store_delete(call: Call, options: Options) -> int:
    """`nix store delete PATH…`: refused for what a root keeps."""
    if not options.rest:
        raise default_installable(call)
    return delete(call, options.rest, invalid_too=True)


def forget_stale(call: Call) -> None:
    """Take the roots away whose link is gone: whoever looks for roots does, and says so."""
    for entry, link in gc.stale_roots(call.tree):
        call.err(f"removing stale link from '{entry}' to '{link}'")


def delete(call: Call, words: tuple[str, ...], *, invalid_too: bool = False) -> int:
    """Delete these paths, `invalid_too`: also those that are not there.

    Raises:
        ProgramError: one is alive; what was freed is said before.
    """
    for word in words if invalid_too else ():
        if not gc.valid(call.tree, word):
            call.err(f"don't know how to build these paths:\n  {word}")
    call.err("finding garbage collector roots...")
    forget_stale(call)
    live, freed, count = set(gc.live_and_dead(call.tree)[0]), 0, 0
    for path in [word if invalid_too and not gc.valid(call.tree, word) else valid_path(call, word) for word in words]:
        if path in live:
            call.out(f"{count} store paths deleted, {freed / _MIB:.2f} MiB freed\n")
            raise ProgramError(
                f"error: Cannot delete path '{path}' since it is still alive. To find out why, use: nix-store --query --roots"
            )
        call.mutates()
        count += 1
        if gc.valid(call.tree, path):
            freed += gc.size(call.tree, path)
            call.tree.remove(path)
        call.err(f"deleting '{path}'")
    call.err(_LINKS)
    call.out(f"{count} store paths deleted, {freed / _MIB:.2f} MiB freed\n")
    return 0


async def store_ls(call: Call, options: Options) -> int:
    """`nix store ls PATH`."""
    for word in options.rest:
        path = call.tree.resolve(call.full(word))
        valid_path(call, path)
        call.out("".join(f"./{name}\n" for name in call.tree.listdir(path)))
    return 0


async def store_verify(call: Call, options: Options) -> int:
    """`nix store verify PATH…`."""
    status = 0
    for word in options.rest:
        path = gc.store_path_of(call.tree.resolve(call.full(word)))
        there = gc.valid(call.tree, path)
        if not there:
            call.err(f"don't know how to build these paths:\n  {word}")
        call.err(f"checking '{path}'...")
        if not there:
            call.err(f"error: path '{path}' is not valid")
            status = _FAILED_CHECKS
    return status


async def store_info(call: Call, options: Options) -> int:
    """`nix store ping|info`."""
    del options
    call.err("Store URL: local\nVersion: 2.31.2\nTrusted: 1")
    return 0


async def why_depends(call: Call, options: Options) -> int:
    """`nix why-depends A B`: the first way from A to B."""
    if len(options.rest) != 2:
        raise ProgramError(FEW)
    start, goal = (valid_path(call, word) for word in options.rest)
    way = _way(call, start, goal, frozenset())
    if way is None:
        call.err(f"'{start}' does not depend on '{goal}'")
        return 0
    for depth, path in enumerate(way):
        call.out(f"{'    ' * (depth - 1) + '└───' if depth else ''}{path}\n")
    return 0


def _way(call: Call, start: str, goal: str, seen: frozenset[str]) -> list[str] | None:
    if start == goal:
        return [start]
    for other in sorted(gc.references(call.tree, start) - seen):
        rest = _way(call, other, goal, seen | {start})
        if rest is not None:
            return [start, *rest]
    return None


async def copy(call: Call, options: Options) -> int:
    """`nix copy --to ssh-ng://[USER@]HOST PATH…`: the closure, over the guest's own ssh; only what the far side lacks."""
    url = options.value("--to")
    scheme, _, rest = url.partition("://")
    if scheme not in ("ssh", "ssh-ng"):
        raise ProgramError(f"error: the lab's nix copies to ssh:// and ssh-ng:// only, not '{url}'")
    return await push(call, rest.partition("?")[0], options.rest, shown=url.partition("?")[0])


async def push(call: Call, destination: str, words: tuple[str, ...], *, shown: str) -> int:
    """Bring the closure of these paths to `[USER@]HOST`, where its Nix has to take it."""
    paths = gc.closure(call.tree, [valid_path(call, word) for word in words])
    options = call.env.get("NIX_SSHOPTS", "").split()
    inner = call.with_argv(("ssh", *options, destination, "nix-store", "--serve", "--write"), path="")
    if await call.guest.shell.execute(inner):
        raise ProgramError(f"error: cannot connect to '{destination}'")
    target = find(call.guest.site, destination.rpartition("@")[2])
    missing = [path for path in paths if target and not target.tree.exists(path, follow_last=False)]
    if target is None or not missing:
        return 0
    call.err(f"copying {len(missing)} paths...")
    target.counters.guest_mutations += 1
    for path in missing:
        call.err(f"copying path '{path}' to '{shown}'...")
        await call.guest.sleep(0.02)
        _transfer(call.guest, target, path)
    return 0


def _transfer(source: Guest, target: Guest, path: str) -> None:
    status = source.tree.stat(path, follow_last=False)
    if stat.S_ISLNK(status.st_mode):
        target.tree.symlink(source.tree.readlink(path), path)
    elif stat.S_ISDIR(status.st_mode):
        target.tree.mkdir(path)
        for name in source.tree.listdir(path):
            _transfer(source, target, f"{path}/{name}")
    else:
        target.tree.write(path, source.tree.read(path), mode=stat.S_IMODE(status.st_mode))
