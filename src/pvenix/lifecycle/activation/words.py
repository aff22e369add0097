"""Every command of an activation on its target, as argv: the units, the log, the token, the health checks.

Sources: systemd-run(1), and docs/decisions/0003-fence-on-the-target.md and 0004-one-token.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvenix.lifecycle.argv import FENCE, PROFILE, STATE, Argv, attempt_dir, switch_to

FIRED = "fired"
"""Where a dead-man moves its token before it goes back."""
CONTACT = "contact"
"""The phase of the dead-man that is armed before the activation."""
STOP_S = 5
"""How long an activation that is told to stop has for it, in seconds, before systemd kills it."""

LEFT: Argv = ("find", STATE, "-mindepth", "1", "-maxdepth", "2", "-printf", "%p\\n")
"""What attempts have left on the host."""
BOOT_SPACE: Argv = ("df", "--output=avail", "-B1", "/boot")
TIME: Argv = ("date", "-u", "+%s")
INHIBITORS: Argv = ("systemd-inhibit", "--list", "--no-legend", "--no-pager")
LOCKS: Argv = ("lslocks", "--noheadings", "--raw", "--output", "PATH")
"""Who holds a lock, without taking it: switch-to-configuration does not wait for its own (nixpkgs, src/main.rs)."""
SWITCH_LOCK = "/run/nixos/switch-to-configuration.lock"


def activation_unit(attempt: str) -> str:
    """The unit that activates the new system."""
    return f"pvenix-activate-{attempt}.service"


def dead_man_unit(attempt: str, phase: str) -> str:
    """The unit that goes back when nobody confirms; one for the contact, one for the health of the new system."""
    return f"pvenix-deadman-{attempt}-{phase}.service"


def revert_unit(attempt: str) -> str:
    """The unit that goes back when we ask for it."""
    return f"pvenix-revert-{attempt}.service"


def fence_of(attempt: str) -> str:
    """The file whose existence lets the attempt's activation start."""
    return f"{FENCE}/{attempt}"


def activation_log(attempt: str) -> str:
    """The whole output of the activation."""
    return f"{attempt_dir(attempt)}/activate.log"


def token(attempt: str, phase: str) -> str:
    """The file that the dead-man of `phase` must take away before it goes back; whoever moves it first decides."""
    return f"{attempt_dir(attempt)}/armed-{phase}"


def take_token(attempt: str, phase: str, into: str) -> Argv:
    """Keep the dead-man of `phase` from going back; fails when it has begun to."""
    return ("mv", "-T", token(attempt, phase), f"{attempt_dir(attempt)}/{into}")


def arm_dead_man(attempt: str, phase: str, *, old: str, profile: str, after_s: int) -> Argv:
    """Go back to `old` in `after_s` seconds unless its token is gone by then; skipped when the fence was taken over before.

    A oneshot service that sleeps, not a timer: timers start anew at every daemon-reload, which an activation does.
    The `-` before its sleep keeps a dead-man that was stopped from staying behind as a failed unit.
    """
    return (
        "systemd-run", f"--unit={dead_man_unit(attempt, phase)}", "--no-block", "--service-type=oneshot", "--quiet",
        "-p", f"ConditionPathExists={fence_of(attempt)}",
        "-p", f"ExecStartPre=-{old}/sw/bin/sleep {after_s}",
        "-p", f"ExecStartPre={old}/sw/bin/mv -T {token(attempt, phase)} {attempt_dir(attempt)}/{FIRED}",
        "-p", f"ExecStartPre=-{old}/sw/bin/systemctl stop {activation_unit(attempt)}",
        "-p", f"ExecStartPre=-{old}/sw/bin/nix-env -p {PROFILE} --set {profile}",
        *_log_to(activation_log(attempt)),
        *switch_to(old, "switch"),
    )  # fmt: skip


def activate(attempt: str, system: str, action: str) -> Argv:
    """Activate `system` in a unit of its own that outlives our connection and keeps its exit status.

    Systemd skips it unless its fence and its dead-man's token are there: whoever starts it may have slept past both.
    The dead-man stops it before it goes back. Unless told otherwise systemd waits 90 s for one that ignores its signal, or
    whose last process it misses (seen with systemd 252 in a container on version 1 of cgroups): too long for the way back.
    """
    return (
        "systemd-run", f"--unit={activation_unit(attempt)}", "--no-block", "--service-type=exec", "--remain-after-exit",
        "--quiet", "-p", f"TimeoutStopSec={STOP_S}", "-p", f"ConditionPathExists={fence_of(attempt)}",
        "-p", f"ConditionPathExists={token(attempt, CONTACT)}",
        *_log_to(activation_log(attempt)),
        *switch_to(system, action),
    )  # fmt: skip


def revert(attempt: str, *, old: str) -> Argv:
    """Activate `old` again, and make it the boot default."""
    return (
        "systemd-run", f"--unit={revert_unit(attempt)}", "--no-block", "--service-type=exec", "--remain-after-exit",
        "--quiet", *_log_to(activation_log(attempt)), *switch_to(old, "switch"),
    )  # fmt: skip


def _log_to(path: str) -> Argv:
    return ("-p", f"StandardOutput=append:{path}", "-p", f"StandardError=append:{path}")


def stop_unit(*units: str) -> Argv:
    """Stop `units`; a dead-man only once its token was taken, or the way back would end half-way."""
    return ("systemctl", "stop", *units)


def forget_failure(*units: str) -> Argv:
    """Let systemd forget that `units` failed."""
    return ("systemctl", "reset-failed", *units)


def follow(path: str, offset: int) -> Argv:
    """The bytes of `path` from `offset` on, as they are written."""
    return ("tail", "-c", f"+{offset + 1}", "-F", path)


def read_on(path: str, offset: int) -> Argv:
    """The bytes of `path` from `offset` on that are there now."""
    return ("tail", "-c", f"+{offset + 1}", path)


def unit_condition(unit: str) -> Argv:
    """Whether a unit is active: its state on standard output, status 0 only for `active`."""
    return ("systemctl", "is-active", unit)


def port_answers(port: int) -> Argv:
    """Whether something listens on a TCP port of the guest; netcat is part of every NixOS."""
    return ("nc", "-z", "-w", "5", "127.0.0.1", str(port))


def url_answers(url: str) -> Argv:
    """Whether a URL answers with 2xx; curl is part of every NixOS."""
    return ("curl", "--fail", "--silent", "--show-error", "--output", "/dev/null", "--max-time", "10", url)


def name_resolves(name: str) -> Argv:
    """Whether a name resolves on the guest."""
    return ("getent", "ahosts", name)


def remove_links(paths: Sequence[str]) -> Argv:
    """Take away links; what they kept from garbage collection may go."""
    return ("rm", "-f", "--", *paths)


def remove_folders(paths: Sequence[str]) -> Argv:
    """Take away directories with all that is in them."""
    return ("rm", "-r", "-f", "--", *paths)
