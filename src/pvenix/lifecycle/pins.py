"""Pin a generation on its guest, so that nobody's tool collects it and every operator sees it; and take the pin away."""

from __future__ import annotations

from dataclasses import dataclass

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.generations import PINS, Profile, pin_reason, pin_root, read_profile
from pvenix.lifecycle.remote import as_text
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure, UsageError
from pvenix.model.names import short_store_path
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

_LONGEST = 200
"""Characters of a reason: it is the text of a link, of which a file system takes some thousand bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinning:
    """A verb that leads to a pin or to none; as good as a module with the three functions."""

    wanted: bool

    async def probe(self, world: World, step: Step) -> Probe:
        """Done when the guest has it so.

        Raises: UsageError for a generation that there is not.
        """
        number, profile = _number(step), await read_profile(await world.remote(step))
        if not self.wanted:
            return needed(f"generation {number} is pinned") if number in profile.pins else done(f"{number} has no pin")
        link = profile.named(number)
        reason = reason_in(step)
        if profile.pinned(link) and (not reason or profile.pins[number].reason == reason):
            return done(f"generation {number} is pinned", pin=link.path)
        return needed(f"generation {number} is {short_store_path(link.path)}", pin=link.path)

    async def apply(self, world: World, step: Step) -> Outcome:
        """Make or take away its root, and read that it is so."""
        remote, number = await world.remote(step), _number(step)
        await step.intend(pin=str(number) if self.wanted else "", unpin="" if self.wanted else str(number))
        for command in self._commands(step):
            await remote.write(command, show_output=False)
        profile = await read_profile(remote)
        if self._holds(profile, number) is not self.wanted:
            raise RemoteFailure(
                f"generation {number} is {'not ' if self.wanted else 'still '}pinned",
                why=f"{pin_root(number)} on the host says otherwise",
                hint="another operator may have been at it; repeat",
                code="PVX0666",
            )
        return Outcome(status=Status.CHANGED, summary=f"generation {number} is {'' if self.wanted else 'not '}pinned")

    async def commands(self, world: World, step: Step) -> Commands:
        """What `apply` would send."""
        del world
        return tuple(("ssh", as_text(command, sudo=True)) for command in self._commands(step))

    def _commands(self, step: Step) -> tuple[argv.Argv, ...]:
        number = _number(step)
        if not self.wanted:
            return (("rm", "-f", pin_root(number), pin_reason(number)),)
        reason = reason_in(step)
        why = [("ln", "-s", "-f", "-T", reason, pin_reason(number))] if reason else []
        return argv.make_dir(PINS), *why, argv.root(step.facts["pin"], pin_root(number))

    def _holds(self, profile: Profile, number: int) -> bool:
        link = profile.find(number)
        return number in profile.pins and (not self.wanted or (link is not None and profile.pinned(link)))


def reason_in(step: Step) -> str:
    """Why, on one line of printable characters.

    Raises: UsageError when it is longer than a line.
    """
    text = " ".join("".join(char if char.isprintable() else " " for char in str(step.args.get("reason", ""))).split())
    if len(text) > _LONGEST:
        raise UsageError(f"the reason has {len(text)} characters", why=f"{_LONGEST} are the most", code="PVX0667")
    return text


def _number(step: Step) -> int:
    number = step.args.get("number")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise UsageError(f"{number!r} is no generation", hint=f"pvenix generations {step.host}")
    return number


PIN = Pinning(wanted=True)
UNPIN = Pinning(wanted=False)
