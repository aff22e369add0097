"""Which generations may go: a rule over what was read, without a single command."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pvenix.lifecycle.generations import Link, Profile
from pvenix.model import units
from pvenix.model.errors import UsageError
from pvenix.model.host import Generations
from pvenix.model.plan import ArgValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What stays beside what always stays."""

    keep: int
    """The newest ones that stay, whatever their age."""
    older_than_s: float
    """How long one must be out of use before it may go."""

    @classmethod
    def of(cls, declared: Generations, keep: ArgValue | None, older_than: ArgValue | None) -> Policy:
        """What the inventory declares, or only what was asked for instead of it.

        Raises: UsageError for what is no count or no duration.
        """
        if keep is None and older_than is None:
            return cls(keep=declared.keep, older_than_s=declared.older_than_s)
        policy = cls(keep=0, older_than_s=0)
        if keep is not None:
            if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
                raise UsageError(f"keep={keep!r} is no number of generations", hint="--keep 5", code="PVX0663")
            policy = replace(policy, keep=keep)
        if older_than is not None:
            policy = replace(policy, older_than_s=_seconds(older_than))
        return policy


def _seconds(value: ArgValue) -> int:
    try:
        return units.seconds(value)
    except ValueError as error:
        raise UsageError(f"older_than: {error}", hint="--older-than 30d", code="PVX0668") from error


def protected(profile: Profile) -> dict[int, str]:
    """The generations that never go, with the reason.

    What is newer than the profile's own was never confirmed since: pvenix moves the profile only after a confirmation.
    """
    reasons: dict[int, str] = {}
    for link in profile.links:
        if link.number == profile.current:
            reasons[link.number] = "current"
        elif link.number == profile.default or link.path == profile.boots:
            reasons[link.number] = "the boot default"
        elif link.path == profile.running:
            reasons[link.number] = "it runs"
        elif link.path == profile.booted:
            reasons[link.number] = "it was booted"
        elif link.number in profile.pins:
            reasons[link.number] = "pinned"
        elif link.number > profile.current:
            reasons[link.number] = "newer than the one confirmed last"
    return reasons


def doomed(profile: Profile, policy: Policy) -> tuple[Link, ...]:
    """The generations that the policy lets go, lowest number first; none that is protected."""
    newest = {link.number for link in profile.links[max(0, len(profile.links) - policy.keep) :]}
    safe = protected(profile)
    return tuple(
        link
        for link, out_of_use in zip(profile.links, _out_of_use_s(profile), strict=True)
        if link.number not in newest and link.number not in safe and out_of_use >= policy.older_than_s
    )


def _out_of_use_s(profile: Profile) -> list[float]:
    """For how long each was followed by a newer one: its own age says when it came, not when it went (nix: profiles.cc)."""
    followed = [link.made_at for link in profile.links[1:]]
    return [max(0.0, profile.now - made_at) for made_at in followed] + [0.0][: len(profile.links)]
