"""What a seed means: acts on one to three hosts, with faults and deaths at calls that the seed chooses."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.sim.golden import NEWCOMERS, RESIDENTS
from tests.sim.troubles import Strike, befalling

PROTECTED: Final = "dns01"
"""The resident whose destruction the inventory forbids."""
SPAN: Final = {"onboard": 130, "rebuild": 60, "rollback": 60, "retire": 20, "create": 70, "resize": 20}
"""About how many calls a host's part of an act makes."""

RIVALLED: Final = ("rebuild", "rollback")
"""What two operators may do at once: the guest's fence lets one after the other."""


@dataclass(frozen=True, kw_only=True)
class Death:
    """The process is killed at a call, before its effect or after; somebody comes back to it `pause_s` later.

    With `anew` they start another run of the same instead of resuming, which must find what the first one left.
    """

    call: int = 0
    on: str = ""
    """Instead of a number: the first call whose name contains this."""
    before: bool = True
    pause_s: float = 0.0
    anew: bool = False
    lost: bool = False
    """The machine is gone with the run's records: a person removes its fence as the error says, and another run begins."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """One run with what befalls it."""

    kind: str
    hosts: tuple[str, ...]
    strikes: tuple[Strike, ...] = ()
    deaths: tuple[Death, ...] = ()
    meanwhile: tuple[Strike, ...] = ()
    """What happens while the process is dead."""
    serial: int = 0
    rival_s: float = -1.0
    """When somebody on another machine begins a run of the same; negative never."""
    to: int = 0
    """The generation that a rollback asks for; 0 leaves it to the seed."""
    skips: tuple[str, ...] = ()
    """Verbs without which a person goes on where a host stands at one of them when its process has died."""
    rival_to: int = 0
    """The one that the other operator asks for; 0 for the same."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """The acts of a seed."""

    seed: int
    acts: tuple[Act, ...]
    namesake: bool = True
    """Whether somebody else's VM has the name of a newcomer. Faults find a VM by its name, so some need that there is none."""


def script(seed: int) -> Script:
    """The acts that a seed stands for."""
    rng = random.Random(seed * 7919 + 1)
    acts: list[Act] = []
    newcomers: tuple[str, ...] = ()
    if rng.random() < 0.55:
        newcomers = tuple(rng.sample(NEWCOMERS, rng.choice((1, 1, 2))))
        acts.append(_act(rng, "onboard", newcomers))
    residents = tuple(rng.sample(RESIDENTS, rng.choice((1, 2)) if not newcomers else rng.choice((0, 1))))
    if residents:
        acts.append(_act(rng, "rebuild", (*residents, *newcomers)[:3]))
    everyone = (*residents, *newcomers)
    if rng.random() < 0.5:
        acts.append(_act(rng, "rollback", (rng.choice(everyone),)))
    if rng.random() < 0.4 and set(everyone) != {PROTECTED}:
        acts.append(_act(rng, "retire", (rng.choice([host for host in everyone if host != PROTECTED]),)))
    return Script(seed=seed, acts=tuple(acts), namesake=rng.random() < 0.5)


def provisioning(seed: int) -> Script:
    """Acts that make, enlarge and destroy VMs, and nothing else."""
    rng = random.Random(seed * 7919 + 2)
    newcomers = tuple(rng.sample(NEWCOMERS, rng.choice((1, 1, 2))))
    acts = [_act(rng, "create", newcomers)]
    for _ in range(rng.choice((1, 1, 2))):
        everyone = (*newcomers, *RESIDENTS)
        acts.append(_act(rng, "resize", tuple(rng.sample(everyone, rng.choice((1, 1, 2))))))
    if rng.random() < 0.7:
        acts.append(_act(rng, "retire", (rng.choice(newcomers),)))
        if rng.random() < 0.3:
            acts.append(_act(rng, "create", acts[-1].hosts))
    return Script(seed=seed, acts=tuple(acts), namesake=rng.random() < 0.5)


FAMILIES: Final[dict[str, Callable[[int], Script]]] = {"life": script, "provisioning": provisioning}
"""What a seed may stand for."""


def _act(rng: random.Random, kind: str, hosts: tuple[str, ...]) -> Act:
    span = SPAN[kind] * len(hosts)
    strikes = tuple(befalling(rng, kind, hosts, span) for _ in range(rng.choice((0, 1, 2, 2, 3, 4))))
    deaths = tuple(
        Death(
            call=rng.randint(1, span),
            before=rng.random() < 0.5,
            pause_s=rng.choice((0.0, 1.0, 30.0, 130.0, 600.0)),
            anew=rng.random() < 0.25,
        )
        for _ in range(rng.choice((0, 1, 1, 2, 3)))
    )
    serial, rivalled = rng.choice((0, 0, 1)), rng.random() < 0.15
    rival_s = rng.choice((0.0, 0.5, 2.0, 20.0)) if rivalled and kind in RIVALLED else -1.0
    return Act(kind=kind, hosts=hosts, strikes=strikes, deaths=deaths, serial=serial, rival_s=rival_s)
