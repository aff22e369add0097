"""New systems that lock us out of their hosts, and activations that hang: each host undoes it by itself, in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.lanes.field import Field, Truth

CONFIRM_S: Final = 10
GRACE_S: Final = 60


def setting(line: str) -> Callable[[Field, str], None]:
    """A line of NixOS in the host's own file."""

    def wants(site: Field, host: str) -> None:
        file = site.fleet / f"nix/hosts/{host}.nix"
        text = file.read_text()
        head = "" if text.startswith("{ lib") else "{ lib, ... }:\n"
        file.write_text(f"{head}{text.rstrip().removesuffix('}')}  {line}\n}}\n")

    return wants


def fault(name: str, **args: object) -> Callable[[Field, str], None]:
    """What the lab does to the host's next new system."""

    def arms(site: Field, host: str) -> None:
        site.arm(name, host, **args)  # type: ignore[arg-type]  # arguments of the fault, none is `nth`

    return arms


KINDS: Final = {
    "sshd off": setting("services.openssh.enable = lib.mkForce false;"),
    "port closed": setting("services.openssh.openFirewall = lib.mkForce false;"),
    "address changed": fault("network-changed-by-new-system", how="address"),
    "network unit broken": fault("network-changed-by-new-system", how="down"),
    "activation hangs": fault("activation-hangs"),
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a lock-out."""

    host: str
    kind: str
    seconds: float
    """From the start of the activation to the end that was told."""
    wrong: str
    """Why it is not as it has to be; empty when it is."""


def a_round(site: Field, first: int, words: str) -> Iterator[Verdict]:
    """One run over all hosts, of which each is locked out; the kinds take turns."""
    names = list(KINDS)
    kinds = {host: names[(first + number) % len(names)] for number, host in enumerate(site.hosts)}
    files = {host: (site.fleet / f"nix/hosts/{host}.nix").read_text() for host in site.hosts}
    before = site.truths(site.hosts)
    site.git("pull", "--quiet", "--ff-only")
    for host, kind in kinds.items():
        KINDS[kind](site, host)
    site.touched(words)
    ended = site.ended("rebuild", ":".join(site.hosts), "--set", f"update.confirm_timeout={CONFIRM_S}s")
    site.ask_lab("clear")
    after = site.truths(site.hosts)  # over plain SSH, so every host is reachable
    for host, kind in kinds.items():
        moments = ended.at[host]
        took = moments[-1] - ended.began(host, "activating")
        wrong = [
            *([f"exit code {ended.code}"] if ended.code != 6 else []),
            *([f"said {ended.status[host]}"] if ended.status[host] != "rolled back" else []),
            *(differs(before[host], after[host])),
            *([f"{took:.0f} s"] if took > CONFIRM_S + GRACE_S else []),
        ]
        yield Verdict(
            host=host, kind=kind, seconds=took, wrong="; ".join([*wrong, ended.summary[host]]) if wrong else ""
        )
    for host, text in files.items():  # mended for the next round
        (site.fleet / f"nix/hosts/{host}.nix").write_text(text)


def differs(before: Truth, after: Truth) -> list[str]:
    """What of a host is not as it was."""
    pairs = {
        "runs": (before.runs, after.runs),
        "boots": (before.boots, after.boots),
        "profile": (before.profile, after.profile),
    }
    return [f"{name} {new}, not {old}" for name, (old, new) in pairs.items() if old != new]
