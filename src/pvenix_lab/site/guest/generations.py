"""The system profile and the boot loader: links and files in the guest's tree are the only record.

Behaviour of nix-env as measured on Nix 2.8; of the boot loader as in nixpkgs' systemd-boot-builder.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvenix_lab.site.guest import gc

if TYPE_CHECKING:
    from pvenix_lab.site.guest.vfs import VirtualRoot

PROFILES = "/nix/var/nix/profiles"
LOADER = "/boot/loader"
_LINK = re.compile(r"^system-(\d+)-link$")
_INIT = re.compile(r"\binit=(\S+)/init\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One generation of the system profile; `made_at` in seconds since the epoch."""

    number: int
    path: str
    made_at: float
    current: bool


class NoGeneration(Exception):
    """The profile has no such generation; the text is nix-env's, without `error: `."""


def generations(tree: VirtualRoot) -> list[Generation]:
    """Every generation, lowest number first."""
    current = current_number(tree)
    found = []
    for name in tree.listdir(PROFILES) if tree.is_dir(PROFILES) else []:
        if match := _LINK.match(name):
            number = int(match[1])
            path = f"{PROFILES}/{name}"
            made_at = tree.stat(path, follow_last=False).st_mtime
            found.append(
                Generation(number=number, path=tree.readlink(path), made_at=made_at, current=number == current)
            )
    return sorted(found, key=lambda generation: generation.number)


def current_number(tree: VirtualRoot) -> int:
    """The number that the profile points at; 0 without a profile."""
    match = _LINK.match(tree.readlink(f"{PROFILES}/system"))
    return int(match[1]) if match else 0


def set_profile(tree: VirtualRoot, path: str, *, now: float) -> int:
    """`nix-env --set`: the current generation becomes `path`.

    The newest generation is reused when it already is that path, even after a rollback (measured on Nix 2.8).
    """
    known = generations(tree)
    newest = known[-1] if known else None
    if newest is None or newest.path != path:
        number = newest.number + 1 if newest else 1
        link = f"{PROFILES}/system-{number}-link"
        gc.add_root(tree, link, path)
        tree.set_time(link, now)
    else:
        number = newest.number
    _point(tree, number)
    return number


def switch_profile(tree: VirtualRoot, number: int) -> None:
    """`nix-env --switch-generation`. Raises NoGeneration."""
    if number not in {generation.number for generation in generations(tree)}:
        raise NoGeneration(f"profile version {number} does not exist")
    _point(tree, number)


def older_number(tree: VirtualRoot) -> int:
    """The existing generation below the current one, for `--rollback`. Raises NoGeneration."""
    current = current_number(tree)
    older = [generation.number for generation in generations(tree) if generation.number < current]
    if not older:
        raise NoGeneration(f"no profile version older than the current ({current}) exists")
    return older[-1]


def delete_generations(tree: VirtualRoot, numbers: set[int]) -> list[int]:
    """Remove these generations but never the current one; returns what was removed."""
    gone = [g.number for g in generations(tree) if g.number in numbers and not g.current]
    for number in gone:
        tree.remove(f"{PROFILES}/system-{number}-link")
    return gone


def _point(tree: VirtualRoot, number: int) -> None:
    tree.symlink(f"system-{number}-link", f"{PROFILES}/system")


def install_bootloader(tree: VirtualRoot, toplevel: str) -> None:
    """An entry per generation, and `toplevel`'s generation as the default; entries without a generation go.

    Of several generations with that system the last one is the default; with none it stays as it was.
    """
    known = generations(tree)
    tree.mkdir(f"{LOADER}/entries")
    for name in tree.listdir(f"{LOADER}/entries"):
        tree.remove(f"{LOADER}/entries/{name}")
    default = 0
    for generation in known:
        options = f"title NixOS\nversion Generation {generation.number}\noptions init={generation.path}/init\n"
        tree.write(f"{LOADER}/entries/nixos-generation-{generation.number}.conf", options)
        if generation.path == toplevel:
            default = generation.number
    if default:
        tree.write(f"{LOADER}/loader.conf", f"timeout 5\ndefault nixos-generation-{default}.conf\nconsole-mode keep\n")


def boot_default(tree: VirtualRoot) -> str:
    """The system that the boot loader starts; empty if it would start none."""
    match = re.search(r"^default (\S+)$", tree.read_text(f"{LOADER}/loader.conf"), re.MULTILINE)
    entry = tree.read_text(f"{LOADER}/entries/{match[1]}") if match else ""
    init = _INIT.search(entry)
    return init[1] if init else ""
