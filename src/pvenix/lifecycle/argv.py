"""Every command that pvenix runs on a guest, as argv. `--check` shows these very words.

Sources: nixos-rebuild-ng `services.py` for the order of nix commands, systemd-run(1), and
docs/decisions/0003-fence-on-the-target.md and 0004-one-token.md.
"""

from __future__ import annotations

from pvenix.model.names import CommitId, StorePath

Argv = tuple[str, ...]

PROFILE = "/nix/var/nix/profiles/system"
CONFIGURATION = "/etc/nixos"
STATE = "/var/lib/pvenix"
FENCE = "/run/pvenix/fence"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
MACHINE_ID = "/etc/machine-id"
GIT_KEY = "/var/lib/fleet/id_ed25519.pub"

SYSTEMS: Argv = ("readlink", "-f", "/run/booted-system", "/run/current-system", PROFILE)
BOOT_ID: Argv = ("cat", "/proc/sys/kernel/random/boot_id")
BOOT: Argv = (*BOOT_ID, "/boot/loader/loader.conf")
"""The boot's id, and where systemd-boot is what the machine starts with, its configuration; the ESP is root's alone."""
GENERATION: Argv = ("readlink", PROFILE)
VERSION: Argv = ("nixos-version", "--json")
CHECKOUT: Argv = ("git", "-C", CONFIGURATION, "rev-parse", "HEAD")
GIT_AT_WORK: Argv = ("pgrep", "-x", "git")
GIT_LOCK = f"{CONFIGURATION}/.git/index.lock"
"""Held by a git that changes the index; one that was killed leaves it behind for ever (git, lockfile.h)."""
EDITS: Argv = ("git", "-C", CONFIGURATION, "status", "--porcelain")
FAILED_UNITS: Argv = ("systemctl", "list-units", "--state=failed", "--plain", "--no-legend")
HARDWARE: Argv = ("nixos-generate-config", "--show-hardware-config")
CLOUD_INIT_DONE: Argv = ("cloud-init", "status", "--wait")
MAKE_REPOSITORY: Argv = ("git", "init", "--quiet", CONFIGURATION)
NOTHING: Argv = ("true",)
FENCE_OWNER: Argv = ("ls", "-1", FENCE)
FREE_SPACE: Argv = ("df", "--output=avail", "-B1", "/nix/store")


def attempt_dir(attempt: str) -> str:
    """The directory on the target that holds everything of one attempt."""
    return f"{STATE}/{attempt}"


def make_dir(path: str) -> Argv:
    """Create `path` and its parents."""
    return ("mkdir", "-p", path)


def write_file(path: str) -> Argv:
    """Write standard input to `path`."""
    return ("dd", f"of={path}", "status=none")


def append_to_file(path: str) -> Argv:
    """Append standard input to `path`; a short one arrives in one write, whoever else appends at the time (open(2))."""
    return ("dd", f"of={path}", "oflag=append", "conv=notrunc", "status=none")


def locked(path: str, command: Argv) -> Argv:
    """`command` while nobody else holds the lock of the file or directory `path`; status 1 when it is not had (flock(1))."""
    return ("flock", "-w", "30", path, *command)


def take_lines_out(path: str, regex: str) -> Argv:
    """Take the lines that match out of a file, in one step that keeps its mode and owner; no `%` in `regex` (sed(1))."""
    return ("sed", "-i", "-e", rf"\%{regex}%d", path)


def fetch_bundle(attempt: str, branch: str) -> Argv:
    """Take the commits of the attempt's bundle into /etc/nixos."""
    return (
        "git", "-C", CONFIGURATION, "fetch", "--quiet", f"{attempt_dir(attempt)}/fleet.bundle",
        f"+refs/heads/{branch}:refs/remotes/origin/{branch}",
    )  # fmt: skip


def stash_edits(attempt: str) -> Argv:
    """Put local edits of /etc/nixos aside, where `git stash list` finds them."""
    return ("git", "-C", CONFIGURATION, "stash", "push", "--include-untracked", "-m", f"pvenix-{attempt}")


def keep_commit(attempt: str, commit: str) -> Argv:
    """Keep a commit of /etc/nixos that is nowhere else, as a branch of the attempt's name."""
    return ("git", "-C", CONFIGURATION, "branch", "-f", f"pvenix-{attempt}", commit)


def set_aside(attempt: str) -> Argv:
    """Move an /etc/nixos that is no repository into the attempt's directory."""
    return ("mv", "-T", CONFIGURATION, f"{attempt_dir(attempt)}/etc-nixos")


def checkout(commit: CommitId) -> Argv:
    """Move /etc/nixos to `commit`."""
    return ("git", "-C", CONFIGURATION, "checkout", "--quiet", "--detach", commit)


def system_of(host: str, commit: CommitId | str) -> str:
    """The installable of a host's system at a commit of /etc/nixos."""
    return f'git+file://{CONFIGURATION}?dir=nix&rev={commit}#nixosConfigurations."{host}".config.system.build.toplevel'


def build(host: str, commit: CommitId | str, link: str) -> Argv:
    """Build a host's system and root it at `link`; `--json` has the same shape in Nix 2.8 and 2.26."""
    return ("nix", "build", "--json", "--out-link", link, system_of(host, commit))


def dry_build(host: str, commit: CommitId | str) -> Argv:
    """What `build` would build and fetch."""
    return ("nix", "build", "--dry-run", system_of(host, commit))


def root(path: StorePath | str, link: str) -> Argv:
    """Keep `path` from garbage collection by a root at `link`."""
    return ("nix", "build", "--json", "--out-link", link, path)


def closure_diff(old: str, new: str) -> Argv:
    """Package changes between two systems."""
    return ("nix", "store", "diff-closures", old, new)


def switch_to(system: str, action: str) -> Argv:
    """switch-to-configuration of `system` with `action`: check, dry-activate, test, boot or switch."""
    return (f"{system}/bin/switch-to-configuration", action)


def unit_state(unit: str) -> Argv:
    """What systemd knows of `unit`."""
    return (
        "systemctl", "show", unit, "-p",
        "LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus,ConditionResult,ConditionTimestampMonotonic",
    )  # fmt: skip


def set_profile(path: str) -> Argv:
    """Make `path` the newest generation; none is added when it already is."""
    return ("nix-env", "-p", PROFILE, "--set", path)


def switch_generation(number: int) -> Argv:
    """Make generation `number` the profile's current one."""
    return ("nix-env", "-p", PROFILE, "--switch-generation", str(number))


def generation_link(number: int) -> str:
    """The profile's link of a generation."""
    return f"{PROFILE}-{number}-link"


def resolve(*paths: str) -> Argv:
    """What `paths` point to, a line each."""
    return ("readlink", "-f", *paths)


def version_of(system: str) -> Argv:
    """The version document of a system that need not run."""
    return (f"{system}/sw/bin/nixos-version", "--json")
