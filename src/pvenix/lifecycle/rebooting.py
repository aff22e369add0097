"""The reboot that a new system needs, after its activation was confirmed: in the same run, by a person, or not at all."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from pvenix.engine.ports import Entry, Journal
from pvenix.engine.step import Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import health
from pvenix.lifecycle.approval import Change, gate, marked_units, outside_window
from pvenix.lifecycle.facts import BOOTED, changed_by_boot, kernels
from pvenix.lifecycle.reboot import REBOOT, in_turn
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.selfguard import is_self
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, RemoteFailure
from pvenix.model.generation import HostFacts
from pvenix.model.names import short_store_path
from pvenix.model.outcome import Need, Outcome, Probe, Status, needed
from pvenix.model.update import Reboot, Strategy

_KERNEL: Final = re.compile(r"-linux-([0-9][0-9A-Za-z.-]*)/")
_OWED: Final = "reboots_into"
"""The intent that says which system is booted once it is confirmed."""
_WHY: Final = "boots_for"
_PREFIX: Final = "reboot_"
_TOUCHED: Final = re.compile(r"would (?:stop|restart|reload) the following units: (.*)")


def difference(text: str) -> str:
    """What needs a boot, in words, by the output of `facts.kernels`; empty when nothing does.

    Raises: RemoteFailure when that is not the output of it.
    """
    paths = text.splitlines()
    if len(paths) != 2 * len(BOOTED):
        raise RemoteFailure("whether the new system needs a reboot is not known", why=repr(text[:120]), code="PVX0953")
    differs = changed_by_boot(text)
    versions = {match[1]: None for path in (paths[0], paths[len(BOOTED)]) if (match := _KERNEL.search(path))}
    if "kernel" in differs and len(versions) == 2:
        return f"kernel {' -> '.join(versions)}"
    return f"another {' and '.join(differs)}" if differs else ""


def touched(dry_activation: str) -> tuple[str, ...]:
    """The units that switch-to-configuration says it would stop, restart or reload (nixpkgs, switch-to-configuration-ng)."""
    found = (_TOUCHED.fullmatch(line.strip()) for line in dry_activation.splitlines())
    return tuple(dict.fromkeys(name.strip() for match in found if match for name in match[1].split(",")))


async def before(world: World, remote: Remote, new: str, commit: str) -> Outcome | None:
    """None when `new` may be activated now; asks for what is risky, and writes down that a reboot follows, if one does."""
    step, host = remote.step, world.host(remote.step)
    answer = await remote.try_read(kernels(new))
    why = difference(answer.stdout) if answer.ok else ""  # without a kernel of its own there is nothing to boot
    if not why and host.machine.update.strategy is Strategy.BOOT:
        why = "update.strategy is boot"
    automatic = bool(why) and host.machine.update.reboot is Reboot.AUTO and not is_self(world, step.host)
    outcome = await activating(world, remote, new, commit=commit, reboots=f"reboots: {why}" if automatic else "")
    if outcome is None:
        await step.intend(**{_OWED: new if automatic else "", _WHY: why})
    return outcome


async def activating(world: World, remote: Remote, new: str, *, commit: str = "", reboots: str = "") -> Outcome | None:
    """None when `new` may be activated now; else how the step ends: what a role marks, or the hour, is waited for."""
    units: tuple[str, ...] | None = ()
    if marked_units(world.host(remote.step), world.fleet.site.roles):
        dry = await remote.try_read(argv.switch_to(new, "dry-activate"), sudo=True, timeout_s=120)
        units = touched(dry.stderr) if dry.ok else None
    return gate(world, remote.step, Change(subject=new, commit=commit, units=units, reboots=reboots))


def unfinished(step: Step, found: Probe, facts: HostFacts | None) -> Probe:
    """`found`, or work to do when a killed process left the reboot of this step undone."""
    if found.need is Need.DONE and owed(step, facts):
        return needed("the reboot into its new system was not seen through", **found.facts)
    return found


def owed(step: Step, facts: HostFacts | None) -> bool:
    """True when an earlier process made a system the boot default that is still to be booted."""
    into = step.known.get(_OWED, "")
    if not into or facts is None:
        return False
    return (facts.starts or facts.profile) == into and (facts.booted != into or _begun(step))


async def after(world: World, step: Step, outcome: Outcome) -> Outcome:
    """How the update ends: booted anew where that is its policy, else with the word that a reboot is needed."""
    if outcome.status is not Status.CHANGED:
        return outcome
    if step.known.get(_OWED):
        return await through(world, step, outcome)
    why = step.known.get(_WHY, "")
    if not why:
        return outcome
    if world.host(step).machine.update.reboot is Reboot.NEVER:
        return replace(outcome, summary=f"{outcome.summary}; not booted ({why}): update.reboot is never")
    return replace(outcome, summary=f"{outcome.summary}; reboot needed: {why}", hint=f"pvenix reboot {step.host}")


async def through(world: World, step: Step, outcome: Outcome) -> Outcome:
    """Reboot into the system that was confirmed, and see it run and be healthy."""
    into = step.known[_OWED]
    why = step.known.get(_WHY, "")
    await world.quorum.require(step)
    async with in_turn(world, step):
        late = None if _begun(step) else outside_window(world, step, Change(subject=into, reboots=why))
        if late is not None:
            return replace(late, summary=f"runs its new system, to be booted ({why}); {late.summary}")
        step.tell(
            f"rebooting ({why}); should it not come back, its console has the earlier generations in the boot menu"
        )
        try:
            booted = await REBOOT.seen(world, _part(step))
        except OutcomeUnknown as error:
            raise _stays_away(step, error, into) from error
        await _healthy(world, step)
    return replace(outcome, summary=f"{outcome.summary}; {booted.summary}", facts={**outcome.facts, **booted.facts})


async def _healthy(world: World, step: Step) -> None:
    """Return when every health check of the host holds on the system that was booted.

    Raises: RemoteFailure with the way back.
    """
    checks, policy = world.fleet.health(step.host), world.fleet.on_failure(step.host)
    before = step.known.get("sick_before", "").splitlines()
    found = await health.after(world, await world.remote(step), checks, before=before, policy=policy)
    if found.fatal:
        raise RemoteFailure(
            f"{step.host} booted its new system and is not healthy",
            why=found.fatal,
            hint=f"pvenix generations {step.host}, then: pvenix rollback {step.host} --to N and pvenix reboot {step.host}",
            code="PVX0951",
        )


def _stays_away(step: Step, error: OutcomeUnknown, into: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{step.host} did not come back from the reboot into its new system",
        why=f"{error}; it was to boot {short_store_path(into)}, which ran and was confirmed before",
        hint=f"pvenix console {step.host}: the boot menu has the earlier generations; pvenix resume {step.run} looks again",
        evidence=error.evidence,
        code="PVX0950",
    )


def _begun(step: Step) -> bool:
    return f"{_PREFIX}boot_id" in step.known


def _part(step: Step) -> Step:
    """The same step for the reboot: what it records has a prefix, as an activation records a boot id too."""
    known = {key.removeprefix(_PREFIX): value for key, value in step.known.items() if key.startswith(_PREFIX)}
    return replace(step, args={}, known=known, journal=_Prefixed(step.journal, step.known))


class _Prefixed:
    """The journal under other keys, which the step itself knows too."""

    def __init__(self, journal: Journal, known: dict[str, str]) -> None:
        self._journal = journal
        self._known = known

    async def intent(self, host: str, step: str, **data: str) -> None:
        """As the journal's."""
        await self._journal.intent(host, step, **self._named(data))

    def evidence(self, host: str, step: str, **data: str) -> None:
        """As the journal's."""
        self._journal.evidence(host, step, **self._named(data))

    async def result(self, host: str, step: str, **data: str) -> None:
        """As the journal's."""
        await self._journal.result(host, step, **data)

    def entries(self) -> tuple[Entry, ...]:
        """As the journal's."""
        return self._journal.entries()

    def _named(self, data: dict[str, str]) -> dict[str, str]:
        named = {f"{_PREFIX}{key}": value for key, value in data.items()}
        self._known |= named
        return named
