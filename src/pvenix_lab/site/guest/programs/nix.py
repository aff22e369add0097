"""The `nix` command: build, eval, flake metadata, store diff-closures, path-info (shapes of Nix 2.24 and later)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pvenix_lab.site.guest import flake
from pvenix_lab.site.guest.call import Call, ProgramError, parse_options, reason
from pvenix_lab.site.guest.difference import Difference
from pvenix_lab.site.guest.store import STORE, System, nix_hash, read_system, store_path, write_system

if TYPE_CHECKING:
    from pvenix_lab.site.guest.call import Options
    from pvenix_lab.site.guest.flake import Evaluation, FlakeRef, FlakeTree
    from pvenix_lab.site.guest.streams import ByteWriter

_TOPLEVEL = re.compile(
    r'^nixosConfigurations\."?([A-Za-z0-9_-]+)"?\.config\.system\.build\.toplevel(?:\.(outPath|drvPath))?$'
)
_TEMPLATE = re.compile(r"^nixosTemplate\.config\.system\.build\.toplevel(?:\.(outPath|drvPath))?$")
_FLAGS = (
    "--json",
    "--no-link",
    "--dry-run",
    "--raw",
    "-L",
    "--print-build-logs",
    "--no-write-lock-file",
    "--print-out-paths",
    "--offline",
    "-S",
    "-r",
    "-s",
    "-h",
    "--closure-size",
    "--recursive",
)
_VALUES = ("--out-link", "-o", "--extra-experimental-features", "--log-format")
_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An evaluated installable."""

    reference: FlakeRef
    tree: FlakeTree
    evaluation: Evaluation


async def nix(call: Call) -> int:
    """`nix build|eval|path-info|flake metadata|store diff-closures …`."""
    words = call.args
    commands = {
        ("build",): build,
        ("eval",): evaluate,
        ("path-info",): path_info,
        ("flake", "metadata"): metadata,
        ("store", "diff-closures"): diff_closures,
    }
    for head, command in commands.items():
        if words[: len(head)] == head:
            inner = call.with_argv((call.argv[0], *words[len(head) :]))
            return await command(inner, parse_options(inner, flags=_FLAGS, values=_VALUES))
    raise ProgramError(f"error: '{' '.join(words[:2])}' is not a recognised command")


async def _find(call: Call, installable: str) -> Found:
    text, _, attribute = installable.partition("#")
    guest = call.guest
    try:
        reference = flake.FlakeRef.parse(text, call.cwd)
        tree = await flake.load(call.tree, reference, guest.fabric.commits)
        if tree.dirty:
            call.err(f"warning: Git tree '{reference.path}' is dirty")
        found = _evaluate(call, tree, (text, attribute))
    except flake.EvalError as exc:
        raise ProgramError(str(exc)) from exc
    return Found(reference=reference, tree=tree, evaluation=found)


def _evaluate(call: Call, tree: FlakeTree, asked: tuple[str, str]) -> Evaluation:
    match = _TOPLEVEL.match(asked[1])
    if match[1] not in tree.hosts() if match else not _TEMPLATE.match(asked[1]):
        raise flake.EvalError(_missing(*asked))
    _eval_fault(call, tree, match[1] if match else "")
    return flake.evaluate(tree, match[1]) if match else flake.evaluate_template(tree)


def _missing(text: str, attribute: str) -> str:
    return (
        f"error: flake '{text}' does not provide attribute 'packages.x86_64-linux.{attribute}', "
        f"'legacyPackages.x86_64-linux.{attribute}' or '{attribute}'"
    )


def _eval_fault(call: Call, tree: FlakeTree, host: str) -> None:
    place = tree.place(f"hosts/{host}.nix")
    if call.guest.site.faults.take("eval-fails", call.guest.name):
        raise flake.EvalError(
            "error:\n       … while evaluating the option `system.build.toplevel':\n\n"
            f"       at {place}:1:1:\n\n"
            "       error: The option `services.notThere' does not exist. Definition values:\n"
            f"       - In `{place}': true"
        )


async def build(call: Call, options: Options) -> int:
    """Build an installable. Nothing is built twice, and a failed build leaves nothing in the store."""
    if len(options.rest) != 1:
        raise ProgramError("error: the lab's nix builds exactly one installable")
    installable = options.rest[0]
    link = call.full(options.value("--out-link") or options.value("-o") or "result")
    if installable.startswith("/"):
        path = call.tree.resolve(installable)
        if not path.startswith(f"{STORE}/") or not call.tree.exists(path):
            raise ProgramError(f"error: path '{path}' is not valid")
        answer: object = path
    else:
        found = await _find(call, installable)
        path = found.evaluation.path
        if options.has("--dry-run"):
            if not call.tree.exists(path):
                _announce(call, found)
        elif not call.tree.exists(path):
            await _outlive(call, found, "" if options.has("--no-link") else link)
        answer = {"drvPath": found.evaluation.derivation, "outputs": {"out": path}}
    if not options.has("--no-link", "--dry-run"):
        _link(call, path, link)
    if options.has("--json"):
        call.out(json.dumps([answer], separators=(",", ":")) + "\n")
    elif options.has("--print-out-paths"):
        call.out(path + "\n")
    return 0


def _link(call: Call, path: str, link: str) -> None:
    try:
        call.tree.check_write(link, call.uid)
    except OSError as exc:
        raise ProgramError(f"error: creating symlink from '{link}' to '{path}': {reason(exc)}") from exc
    if call.tree.readlink(link) != path:
        call.mutates()
        call.tree.symlink(path, link)
        call.tree.symlink(link, f"/nix/var/nix/gcroots/auto/{nix_hash(link)}")


def _derivations(call: Call, found: Found) -> list[str]:
    """What has to be built: the units that are new here, /etc, the system."""
    new = found.evaluation.system
    change = Difference.between(call.guest.current, new)
    names = [f"unit-{unit}" for unit in (*change.changed, *change.added)] + ["system-units", "etc"]
    return [store_path(f"{name}.drv", new.revision, found.evaluation.path) for name in names] + [
        found.evaluation.derivation
    ]


def _fetched(call: Call, found: Found) -> list[str]:
    here = call.guest.current.packages
    return [
        store_path(f"{name}-{version}", found.evaluation.system.nixpkgs_revision)
        for name, version in found.evaluation.system.packages.items()
        if here.get(name) != version
    ]


def _count(things: list[str], noun: str) -> str:
    return f"this {noun}" if len(things) == 1 else f"these {len(things)} {noun}s"


class _Deaf:
    """Standard error of a program that does not care whether somebody listens, as Nix does not."""

    def __init__(self, stream: ByteWriter) -> None:
        self._stream = stream

    def write(self, data: bytes, /) -> None:
        """Write while there is a connection."""
        with contextlib.suppress(Exception):  # each face has errors of its own for a stream whose reader has gone
            self._stream.write(data)

    async def drain(self) -> None:
        """Wait for the far side while there is one."""
        with contextlib.suppress(Exception):  # as above
            await self._stream.drain()


async def _outlive(call: Call, found: Found, link: str) -> None:
    """Build, root at `link`, and end only with the build or the guest: a cut connection leaves the build at work.

    Measured with Nix 2.8 under sudo and OpenSSH 9.2: the build goes on, is rooted, and a second one waits for its lock.
    """
    path, builds, failed = found.evaluation.path, call.guest.builds, list[ProgramError]()

    async def job() -> None:
        try:
            await _realise(replace(call, stderr=_Deaf(call.stderr)), found)
            if link:
                _link(call, path, link)
        except ProgramError as exc:
            failed.append(exc)
        finally:
            builds.pop(path, None)

    while path in builds:
        await asyncio.wait((builds[path],))
    if call.tree.exists(path):
        return
    builds[path] = call.guest.spawn(job(), f"build of {path}")
    await asyncio.wait((builds[path],))
    if failed:
        raise failed[0]


def _announce(call: Call, found: Found) -> tuple[list[str], list[str]]:
    """Say what has to be built and fetched, and return it."""
    derivations, fetched = _derivations(call, found), _fetched(call, found)
    call.err(f"{_count(derivations, 'derivation')} will be built:")
    for path in derivations:
        call.err(f"  {path}")
    if fetched:
        size = sum(_size(path) for path in fetched) / _KIB / _KIB
        call.err(f"{_count(fetched, 'path')} will be fetched ({size / 4:.2f} MiB download, {size:.2f} MiB unpacked):")
        for path in fetched:
            call.err(f"  {path}")
    return derivations, fetched


async def _realise(call: Call, found: Found) -> None:
    derivations, fetched = _announce(call, found)
    call.mutates()
    total = 0.5 + call.guest.site.rng.random()
    step = total / (len(derivations) + len(fetched))
    for path in fetched:
        call.err(f"copying path '{path}' from 'https://cache.nixos.org'...")
        await call.guest.site.sleep(step)
    for path in derivations:
        call.err(f"building '{path}'...")
        await call.stderr.drain()
        await call.guest.site.sleep(step)
        _build_fault(call, derivations)
    write_system(call.tree, found.evaluation.path, found.evaluation.system)


def _build_fault(call: Call, derivations: list[str]) -> None:
    if call.guest.site.faults.take("build-fails", call.guest.name):
        raise ProgramError(
            f"error: builder for '{derivations[0]}' failed with exit code 1;\n"
            "       last 2 log lines:\n       > building\n       > No space left on device\n"
            f"       For full logs, run:\n         nix log {derivations[0]}\n"
            f"error: 1 dependencies of derivation '{derivations[-1]}' failed to build"
        )


def _size(path: str) -> int:
    """A size in bytes that only depends on the package: 64 KiB to 16 MiB."""
    return 65536 * (1 + zlib.crc32(path.partition("-")[2].encode()) % 256)


async def evaluate(call: Call, options: Options) -> int:
    """`nix eval --raw …toplevel.outPath|drvPath`."""
    if len(options.rest) != 1:
        raise ProgramError("error: the lab's nix evaluates exactly one installable")
    found = await _find(call, options.rest[0])
    value = found.evaluation.derivation if options.rest[0].endswith(".drvPath") else found.evaluation.path
    call.out(value if options.has("--raw") else json.dumps(value) + "\n")
    return 0


async def metadata(call: Call, options: Options) -> int:
    """`nix flake metadata --json REF`."""
    try:
        reference = flake.FlakeRef.parse(options.rest[0] if options.rest else ".", call.cwd)
        tree = await flake.load(call.tree, reference, call.guest.fabric.commits)
    except flake.EvalError as exc:
        raise ProgramError(str(exc)) from exc
    url = f"git+file://{reference.path}"
    locked = {"type": "git", "url": f"file://{reference.path}", "rev": tree.revision, "lastModified": tree.modified_at}
    answer = {
        "lastModified": tree.modified_at,
        "locked": locked,
        "locks": json.loads(tree.files.get("flake.lock", b"{}") or b"{}"),
        "originalUrl": reference.text,
        "path": tree.source,
        "revision": tree.revision,
        "url": f"{url}?rev={tree.revision}",
    }
    call.out(
        json.dumps(answer) + "\n" if options.has("--json") else f"URL: {answer['url']}\nRevision: {tree.revision}\n"
    )
    return 0


def _valid(call: Call, path: str) -> str:
    resolved = call.tree.resolve(call.full(path))
    if not resolved.startswith(f"{STORE}/") or not call.tree.exists(resolved):
        raise ProgramError(f"error: path '{resolved}' is not valid")
    return resolved


async def path_info(call: Call, options: Options) -> int:
    """`nix path-info [-S] [--json] PATH…`."""
    paths = [_valid(call, path) for path in options.rest]
    if options.has("--json"):
        rows = {p: {"narSize": _nar_size(call, p), "closureSize": _nar_size(call, p), "valid": True} for p in paths}
        call.out(json.dumps(rows) + "\n")
        return 0
    for path in paths:
        call.out(f"{path}\t{_nar_size(call, path)}\n" if options.has("-S", "--closure-size") else f"{path}\n")
    return 0


def _nar_size(call: Call, path: str) -> int:
    system = read_system(call.tree, path)
    return sum(_size(f"/{name}-{version}") for name, version in _closure(system).items()) if system else 65536


def _closure(system: System) -> dict[str, str]:
    name = system.host_name or "unnamed"
    return {**system.packages, "linux": system.kernel, f"nixos-system-{name}": system.nixos_version}


async def diff_closures(call: Call, options: Options) -> int:
    """`nix store diff-closures A B`: `name: old → new, ±size`, nothing for what stayed the same."""
    if len(options.rest) != 2:
        raise ProgramError("error: 'diff-closures' needs two store paths")
    old, new = (read_system(call.tree, _valid(call, path)) for path in options.rest)
    before, after = (_closure(system) if system else {} for system in (old, new))
    for name in sorted(before.keys() | after.keys()):
        left, right = before.get(name), after.get(name)
        if left == right:
            continue
        delta = (_size(f"/{name}-{right}") if right else 0) - (_size(f"/{name}-{left}") if left else 0)
        call.out(f"{name}: {left or '∅'} → {right or '∅'}, {delta / _KIB:+.1f} KiB\n")
    return 0
