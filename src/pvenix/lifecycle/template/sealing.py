"""The commands on the guest that becomes a template: build its system, take its identity away, power off.

The identity goes in one unit of systemd, line by line, which powers the guest off only after every line went well: a
guest that is off by itself is clean. Whether it really is shows the canary.
"""

from __future__ import annotations

from typing import Final

from pvenix.lifecycle import argv
from pvenix.lifecycle.argv import Argv
from pvenix.model.names import CommitId

MACHINE_ID: Final = "/etc/machine-id"
_KINDS: Final = ("ed25519", "rsa", "ecdsa")
_HOST_KEYS: Final = tuple(f"/etc/ssh/ssh_host_{kind}_key{end}" for kind in _KINDS for end in ("", ".pub"))
_FLEET_KEY: Final = tuple(f"/var/lib/fleet/{name}" for name in ("id_ed25519", "id_ed25519.pub", "registered"))
_SEEDS: Final = ("/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret")


def system_of(commit: CommitId | str) -> str:
    """The installable of the template's system at a commit of /etc/nixos (nix/flake.nix)."""
    return f"git+file://{argv.CONFIGURATION}?dir=nix&rev={commit}#nixosTemplate.config.system.build.toplevel"


def build(commit: CommitId | str, link: str) -> Argv:
    """Build the template's system and root it at `link`."""
    return ("nix", "build", "--json", "--out-link", link, system_of(commit))


DROP_OLD: Final[Argv] = ("nix-env", "-p", argv.PROFILE, "--delete-generations", "old")
"""Leave clones one generation to boot; what still runs here is collected when the next template is made from this one."""


def unit(run: str) -> str:
    """The unit that takes the identity away and powers off."""
    return f"pvenix-seal-{run}.service"


def seal(run: str, *, system: str, user: str) -> Argv:
    """Take away what a clone must make for itself, then power off; `system` is the one that runs."""
    programs = f"{system}/sw/bin"
    keys = (f"/home/{user}/.ssh/authorized_keys", "/root/.ssh/authorized_keys")
    lines = (
        f"{programs}/cloud-init clean --logs --machine-id",
        f"{programs}/rm -f {' '.join((*_HOST_KEYS, *_FLEET_KEY, *_SEEDS, *keys))}",
        f"{programs}/rm -rf {argv.attempt_dir(run)}",
        f"-{programs}/nix-collect-garbage",
        f"-{programs}/journalctl --rotate",
        f"-{programs}/journalctl --vacuum-time=1s",
    )
    return (
        *("systemd-run", f"--unit={unit(run)}", "--no-block", "--service-type=oneshot"),
        *("--remain-after-exit", "--quiet"),  # else systemd forgets it, and nobody sees that it was begun
        *(word for line in lines for word in ("-p", f"ExecStartPre={line}")),
        *(f"{programs}/systemctl", "poweroff"),
    )
