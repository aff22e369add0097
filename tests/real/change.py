"""Changes to the fleet of a site of containers, as a person makes them."""

from __future__ import annotations

from typing import Final

from tests.real.site.world import RealSite

_DROP: Final = 'let drop = pkgs.writeText "drop.nft" "table inet cut { chain output { type filter hook output priority 0; policy drop; } }"; in'
"""What a host may name in its words."""


SHORT: Final = ("--set", "update.confirm_timeout=10s")
"""For what ends when the dead-man fires; everything else takes the fleet's two minutes, which a busy machine may need."""


def set_host(site: RealSite, host: str, words: str) -> None:
    """Write the host's file with these words in it."""
    number = int(host.rpartition("-")[2])
    text = (
        f"{{ lib, pkgs, ... }}:\n{_DROP}\n{{\n  imports = [ ../configuration.nix ../hardware/{host}-hw.nix ../modules/role-base.nix ];\n"
        f'  networking.hostName = "{host}";\n  {words.replace("{own}", str(100 + number))}\n}}\n'
    )
    (site.fleet / f"nix/hosts/{host}.nix").write_text(text)


def push(site: RealSite, message: str) -> str:
    """Commit everything on main, as a person would."""
    site.git("add", "--all")
    site.git("commit", "--quiet", "--allow-empty", "-m", message)
    site.git("push", "--quiet")
    return site.git("rev-parse", "HEAD")


def pull(site: RealSite) -> None:
    """The operator's clone at the tip of main."""
    site.git("pull", "--quiet", "--ff-only")
