"""`nix build`: what has to be built and fetched, builds that outlive their connection, out-links as roots."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from pvenix_lab.site.guest import gc
from pvenix_lab.site.guest.call import Call, Options, ProgramError, reason
from pvenix_lab.site.guest.difference import Difference
from pvenix_lab.site.guest.programs.installables import Found, find
from pvenix_lab.site.guest.programs.sizes import size_of
from pvenix_lab.site.guest.store import STORE, store_path, write_system
from pvenix_lab.site.guest.streams import UnheardWriter

_KIB = 1024


async def build(call: Call, options: Options) -> int:
    """Build installables. Nothing is built twice, and a failed build leaves nothing in the store."""
    answers: list[object] = []
    paths: list[str] = []
    name = call.full(options.value("--out-link") or options.value("-o") or "result")
    for number, installable in enumerate(options.rest or (".",)):
        link = "" if options.has("--no-link", "--dry-run") else name + (f"-{number}" if number else "")
        path, answer = await _one(call, options, installable, link)
        paths.append(path)
        answers.append(answer)
    if options.has("--json"):
        call.out(json.dumps(answers, separators=(",", ":")) + "\n")
    elif options.has("--print-out-paths"):
        call.out("".join(f"{path}\n" for path in paths))
    return 0


async def _one(call: Call, options: Options, installable: str, link: str) -> tuple[str, object]:
    """The path of one installable, built, and how `--json` shows it (a store path as Nix 2.8 does)."""
    if (
        installable.startswith("/")
        and "#" not in installable
        and call.tree.resolve(installable).startswith(f"{STORE}/")
    ):
        path = gc.store_path_of(call.tree.resolve(installable))
        if not call.tree.exists(path):
            text = f"error: path '{path}' is required, but there is no substituter that can build it"
            raise ProgramError(text)
        answer: object = {"path": path}
    else:
        found = await find(call, installable)
        if not found.is_system:
            raise ProgramError(
                f"error: expected flake output attribute '{installable.partition('#')[2]}' to be a derivation or path"
            )
        path = found.evaluation.path
        if options.has("--dry-run"):
            if not call.tree.exists(path):
                _announce(call, found)
        elif not call.tree.exists(path):
            await _outlive(call, found, link)
        answer = {"drvPath": found.evaluation.derivation, "outputs": {"out": path}}
    if link:
        _link(call, path, link)
    return path, answer


def _link(call: Call, path: str, link: str) -> None:
    try:
        call.tree.check_write(link, call.uid)
    except OSError as exc:
        raise ProgramError(f"error: creating symlink from '{link}' to '{path}': {reason(exc)}") from exc
    if call.tree.readlink(link) != path:
        call.mutates()
        gc.add_root(call.tree, link, path)


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


async def _outlive(call: Call, found: Found, link: str) -> None:
    """Build, root at `link`, and end only with the build or the guest: a cut connection leaves the build at work.

    Measured with Nix 2.8 under sudo and OpenSSH 9.2: the build goes on, is rooted, and a second one waits for its lock.
    """
    path, builds, failed = found.evaluation.path, call.guest.builds, list[ProgramError]()

    async def job() -> None:
        try:
            await _realise(replace(call, stderr=UnheardWriter(call.stderr)), found)
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
        size = sum(size_of(path) for path in fetched) / _KIB / _KIB
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
    gc.set_deriver(call.tree, found.evaluation.path, found.evaluation.derivation)


def _build_fault(call: Call, derivations: list[str]) -> None:
    if call.guest.site.faults.take("build-fails", call.guest.name):
        raise ProgramError(
            f"error: builder for '{derivations[0]}' failed with exit code 1;\n"
            "       last 2 log lines:\n       > building\n       > No space left on device\n"
            f"       For full logs, run:\n         nix log {derivations[0]}\n"
            f"error: 1 dependencies of derivation '{derivations[-1]}' failed to build"
        )
