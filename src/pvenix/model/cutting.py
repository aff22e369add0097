"""Which verbs would end the pvenix that does them, on the host that it runs on itself: see `lifecycle.selfguard`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CUTS: Final = frozenset(
    {
        *("shutdown", "stop", "reboot", "reset"),
        *("snapshot", "restore"),  # while it is frozen nobody is there to thaw it
        *("destroy", "retire", "template-build"),
    }
)
"""Verbs that end pvenix, or freeze it, before they are done."""
CUTS_WITH: Final[Mapping[str, frozenset[str]]] = {
    "migrate": frozenset({"offline"}),
}
"""Verbs that do so with one of these arguments."""
SAFE: Final = frozenset(
    {
        *("place", "clone", "create", "cloudinit", "boot", "start"),
        *("hardware", "register", "unregister", "review", "adopt-edits"),
        *("preflight", "build", "rebuild", "rollback"),  # the dead-man on the host works alone
        *("pin-generation", "unpin-generation", "prune-generations", "collect-garbage"),
        *("template-canary", "template-publish"),
        *("adopt", "remove-orphan", "delete-snapshot"),
        "backup",  # refuses by itself when it would freeze the host
        "configure",  # writes what a running VM takes; leaves its own reboot to others, and refuses to switch itself off
    }
)
"""Verbs that leave the host up."""


def cuts(verb: str, args: Mapping[str, object]) -> bool:
    """Whether a verb ends, or freezes, the host that it is done to before it is done."""
    return verb in CUTS or bool(cutting_options(verb, args))


def cutting_options(verb: str, args: Mapping[str, object]) -> str:
    """The arguments with which a verb does so, as they are typed; empty when none of them makes it."""
    with_it = sorted(CUTS_WITH.get(verb, frozenset()) & {name for name, value in args.items() if value})
    return "".join(f" --{name}" for name in with_it)
