"""nix-env on the system profile and nixos-version; formats measured on Nix 2.8."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

from pvenix_lab.site.guest import generations
from pvenix_lab.site.guest.call import Call, ProgramError, parse_options
from pvenix_lab.site.guest.programs.installables import nix_options
from pvenix_lab.site.guest.store import STORE, read_system

if TYPE_CHECKING:
    from pvenix_lab.site.guest.call import Options
    from pvenix_lab.site.guest.store import System

_SYSTEM = f"{generations.PROFILES}/system"
_ACTIONS = ("--list-generations", "--rollback", "--set")


async def nix_env(call: Call) -> int:
    """`nix-env -p …/system` with one of --set, --rollback, --switch-generation, --list-generations, --delete-generations."""
    flags = ("--list-generations", "--rollback", "--set", "--delete-generations")
    if call.args == ("--version",):
        call.out("nix-env (Nix) 2.31.2\n")
        return 0
    if not any(word in (*flags, "--switch-generation", "-G") for word in call.args) and call.args[-1:] != ("-p",):
        raise _usage("no operation specified")  # before any flag is looked at
    options = nix_options(call, flags=flags, values=("-p", "--profile", "--switch-generation", "-G"))
    profile = options.value("-p") or options.value("--profile")
    _check_operands(options)
    if not call.tree.exists(profile, follow_last=False) and profile.startswith(f"{generations.PROFILES}/"):
        return _of_nothing(options, profile)
    if profile != _SYSTEM:
        raise ProgramError(f"error: the lab knows the profile {_SYSTEM} only, not '{profile}'")
    if call.uid != 0:
        raise ProgramError(f"error: opening lock file '{_SYSTEM}.lock': Permission denied")
    if options.has("--list-generations"):
        _list(call)
        return 0
    call.mutates()
    try:
        _change(call, options)
    except generations.NoGeneration as exc:
        raise ProgramError(f"error: {exc}") from exc
    return 0


def _usage(text: str) -> ProgramError:
    return ProgramError(f"error: {text}\nTry 'nix-env --help' for more information.")


def _check_operands(options: Options) -> None:
    number = options.value("--switch-generation") or options.value("-G")
    if number and not re.fullmatch(r"-?\d+", number):
        raise _usage("expected a generation number")
    if options.rest and (number or options.has("--list-generations", "--rollback")):
        raise _usage("no arguments expected")
    if options.has("--set") and len(options.rest) != 1:
        raise ProgramError("error: --set requires exactly one derivation")


def _of_nothing(options: Options, profile: str) -> int:
    """What is asked of a profile that nobody made: it has no generation."""
    if options.has("--rollback"):
        raise ProgramError("error: no profile version older than the current (0) exists")
    if options.has("--set") or options.values.keys() & {"--switch-generation", "-G"}:
        raise ProgramError(f"error: the lab knows the profile {_SYSTEM} only, not '{profile}'")
    return 0


def _change(call: Call, options: Options) -> None:
    tree = call.tree
    number = options.value("--switch-generation") or options.value("-G")
    if options.has("--set"):
        path = tree.resolve(call.full(options.rest[0]))
        if not path.startswith(f"{STORE}/"):
            raise ProgramError(f"error: path '{options.rest[0]}' is not in the Nix store")
        if not tree.is_dir(path):
            call.err(f"don't know how to build these paths:\n  {path}")
            raise ProgramError(f"error: build of '{path}' failed")
        generations.set_profile(tree, path, now=call.guest.site.wall())
    elif options.has("--rollback"):
        _switch(call, generations.older_number(tree))
    elif number.isdigit():
        _switch(call, int(number))
    else:
        delete(call, options.rest)


def _switch(call: Call, number: int) -> None:
    before = generations.current_number(call.tree)
    generations.switch_profile(call.tree, number)
    call.err(f"switching profile from version {before} to {number}")


def delete(call: Call, which: tuple[str, ...], *, dry_run: bool = False) -> None:
    """Remove generations by number, `old`, `+N` or `Nd`, saying so as nix-env does: by age or count the newest first."""
    numbers = _numbers(call, which)
    gone = sorted(numbers) if dry_run else generations.delete_generations(call.tree, numbers)
    for number in gone if which == ("old",) or all(word.isdigit() for word in which) else gone[::-1]:
        call.err(f"{'would remove' if dry_run else 'removing'} profile version {number}")


def _numbers(call: Call, words: tuple[str, ...]) -> set[int]:
    known = [generation.number for generation in generations.generations(call.tree)]
    current = generations.current_number(call.tree)
    if words == ("old",):
        return {number for number in known if number != current}
    if len(words) == 1 and re.fullmatch(r"\+\d+", words[0]):
        if int(words[0]) == 0:
            raise ProgramError(f"error: invalid number of generations to keep '{words[0]}'")
        kept = [number for number in known if number <= current][-int(words[0]) :]
        return {number for number in known if number < (kept or [current])[0]}
    if len(words) == 1 and re.fullmatch(r"\d+d", words[0]):
        return _older(call, call.guest.now() - int(words[0][:-1]) * 86400)
    if not all(word.isdigit() for word in words):
        raise _usage(f"invalid generation number '{next(w for w in words if not w.isdigit())}'")
    if current in (asked := {int(word) for word in words}):
        raise ProgramError(f"error: cannot delete current version of profile {_SYSTEM}'")  # the odd quote is nix-env's
    return asked


def _older(call: Call, limit: float) -> set[int]:
    """The generations that were not in use any more at that time: the newest one from before it stays (nix: profiles.cc)."""
    before = [generation.number for generation in generations.generations(call.tree) if generation.made_at < limit]
    return set(before[:-1])


def _list(call: Call) -> None:
    for generation in generations.generations(call.tree):
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(generation.made_at))
        call.out(f"{generation.number:>4}   {at}   {'(current)' if generation.current else ''}\n")


async def nixos_version(call: Call) -> int:
    """`nixos-version [--json | --configuration-revision | --revision]` of the system whose `sw` it was called through."""
    options = parse_options(call, flags=("--json", "--configuration-revision", "--revision", "--hash"))
    system = _asked_system(call)
    if options.has("--json"):
        values = {
            "configurationRevision": system.revision,
            "nixosVersion": system.nixos_version,
            "nixpkgsRevision": system.nixpkgs_revision,
        }
        call.out(json.dumps({key: value for key, value in values.items() if value}, separators=(",", ":")) + "\n")
    elif options.has("--configuration-revision"):
        if not system.revision:
            raise ProgramError("nixos-version: configuration revision is unknown")
        call.out(system.revision + "\n")
    elif options.has("--revision", "--hash"):
        call.out(system.nixpkgs_revision + "\n")
    else:
        call.out(f"{system.nixos_version} (Xantusia)\n")
    return 0


def _asked_system(call: Call) -> System:
    head, found, _ = call.argv[0].rpartition("/sw/bin/")
    system = read_system(call.tree, call.full(head)) if found else None
    return system or call.guest.current
