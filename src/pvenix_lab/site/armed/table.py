"""The armed faults of a site, when they strike, and the places that they strike.

Nothing here knows the site or a single fault: what can be armed is handed in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pvenix_lab.site.armed.fault import FOREVER, Fault, Spec
from pvenix_lab.site.armed.spec import Kind

_LOG = logging.getLogger(__name__)
Hook = TypeVar("Hook")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place(Generic[Hook]):
    """A place of the site where faults may strike; `plain` is what happens there when none can."""

    plain: Hook

    def struck_by(self, hook: Hook) -> tuple[Place[Any], object]:
        """The place and what happens there instead, for a Repertoire."""
        return self, hook


def _knows_none(name: str, given: Mapping[str, object]) -> tuple[Spec, dict[str, object]]:
    del given
    raise ValueError(f"unknown fault {name!r}: this site was made without faults")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repertoire:
    """What can be armed. `resolve` finds a fault and its arguments (ValueError for none), `hooks` are what strikes by place."""

    resolve: Callable[[str, Mapping[str, object]], tuple[Spec, dict[str, object]]] = _knows_none
    hooks: Mapping[Place[Any], Any] = field(default_factory=dict)


class Armed:
    """The armed faults of a site, in the order of arming. `owner` is the site that states and events act on, if any."""

    def __init__(self, repertoire: Repertoire, *, owner: object = None, seed: int = 0) -> None:
        self._repertoire = repertoire
        self._owner = owner
        self._armed: dict[str, list[Fault]] = {}
        self._serial = 0
        self._lasting: list[tuple[Fault, asyncio.Event]] = []
        self._random = random.Random(f"faults {seed}")

    def at(self, place: Place[Hook]) -> Hook:
        """What happens at a place of the site."""
        hook: Hook = self._repertoire.hooks.get(place, place.plain)
        return hook

    def arm(
        self,
        name: str,
        host: str | None = None,
        times: int | None = None,
        *,
        nth: int = 1,
        after_s: float = 0.0,
        for_s: float = 0.0,
        chance: float = 1.0,
        **args: object,
    ) -> Fault:
        """Arm a fault by its name or by the row that it shows.

        `times` occasions are struck (FOREVER: until cleared; by default one, and a state holds until cleared), from the
        `nth` matching one on, each with probability `chance` from the site's seed; not before `after_s` seconds of the
        site's clock, and for `for_s` seconds where that is given.

        Raises:
            ValueError: an unknown name (the text names the nearest one) or argument, or a schedule that makes no sense.
        """
        spec, args = self._repertoire.resolve(name, args)
        parsed: dict[str, object] = dict(spec.parse(args))
        _check_schedule(spec, host, times, (nth, after_s, for_s, chance))
        now = _now() if after_s or for_s else 0.0
        self._serial += 1
        fault = Fault(
            spec=spec,
            host=host,
            remaining=times if times is not None else int(spec.kind is not Kind.STATE),
            args=parsed,
            nth=nth,
            chance=chance,
            opens=now + after_s if after_s else 0.0,
            closes=now + after_s + for_s if for_s else float("inf"),
            serial=self._serial,
        )
        self._armed.setdefault(spec.name, []).append(fault)
        self._schedule(fault, after_s, for_s)
        return fault

    def _schedule(self, fault: Fault, after_s: float, for_s: float) -> None:
        """Begin what acts by itself, now or at its time; occasions are looked at when they come."""
        if for_s:
            fault.timers.append(asyncio.get_running_loop().call_later(after_s + for_s, self._end, fault))
        if fault.spec.begin is None:
            return
        if after_s:
            fault.timers.append(asyncio.get_running_loop().call_later(after_s, self._begin_late, fault))
        else:
            self._begin(fault)

    def _begin_late(self, fault: Fault) -> None:
        """Begin at the fault's time; what it was for may have gone by then."""
        try:
            self._begin(fault)
        except ValueError as gone:
            _LOG.warning("%s", gone)

    def _begin(self, fault: Fault) -> None:
        fault.began = True
        if fault.spec.begin is not None and self._owner is not None:
            try:
                fault.undo = fault.spec.begin(self._owner, fault)
            except BaseException:  # a fault that could not begin is not armed
                self._end(fault)
                raise
        if fault.spec.kind is Kind.EVENT:
            self._end(fault)

    def _end(self, fault: Fault) -> None:
        """Take a fault out of the table and undo what it did."""
        rest = [other for other in self._armed.get(fault.name, []) if other is not fault]
        if rest:
            self._armed[fault.name] = rest
        else:
            self._armed.pop(fault.name, None)
        for timer in fault.timers:
            timer.cancel()
        if fault.undo is not None:
            undo, fault.undo = fault.undo, None
            undo()

    def peek(
        self, name: str, host: str | None = None, *, accept: Callable[[Fault], bool] | None = None
    ) -> Fault | None:
        """The first armed fault of this name that applies to `host` now, left armed; None if there is none."""
        if not self._armed:
            return None
        return next(self._matching(name, (host,), accept), None)

    def _matching(
        self, name: str, hosts: Collection[str | None], accept: Callable[[Fault], bool] | None
    ) -> Iterator[Fault]:
        for fault in tuple(self._armed.get(name, ())):
            meant = fault.host is None or fault.host in hosts
            if meant and (accept is None or accept(fault)) and _open(fault):
                yield fault

    def take(
        self, name: str, host: str | None = None, *, accept: Callable[[Fault], bool] | None = None
    ) -> Fault | None:
        """As `peek`, and one occasion is used up. The result is true in a condition when the fault strikes."""
        return self.take_any(name, (host,), accept=accept)

    def take_any(
        self, name: str, hosts: Collection[str | None], *, accept: Callable[[Fault], bool] | None = None
    ) -> Fault | None:
        """As `take`, for one occasion that concerns several hosts."""
        if not self._armed:
            return None
        for fault in self._matching(name, hosts, accept):
            fault.seen += 1
            if fault.seen < fault.nth or (fault.chance < 1 and self._random.random() >= fault.chance):
                continue
            if fault.remaining != FOREVER:
                fault.remaining -= 1
                if fault.remaining == 0:
                    self._end(fault)
            return fault
        return None

    def __bool__(self) -> bool:
        """True while a fault is armed."""
        return bool(self._armed)

    def _all(self) -> list[Fault]:
        return sorted((f for faults in self._armed.values() for f in faults), key=lambda fault: fault.serial)

    def list(self) -> tuple[dict[str, object], ...]:
        """The armed faults, oldest first."""
        return tuple(fault.as_dict() for fault in self._all())

    def clear(self, name: str | None = None, host: str | None = None) -> None:
        """Disarm every fault, or those of one name or row, or those of one host; states end.

        Raises:
            ValueError: an unknown name.
        """
        wanted = self._repertoire.resolve(name, {})[0].name if name is not None else None
        for fault in self._all():
            if wanted in (None, fault.name) and (host is None or fault.host == host):
                self._end(fault)
        for fault, over in self._lasting:
            if wanted in (None, fault.name) and (host is None or fault.host == host):
                over.set()

    async def last(self, fault: Fault, seconds: float) -> None:
        """Let a fault that struck last for real seconds, whatever the site's time scale, or until it is cleared."""
        lasting = (fault, asyncio.Event())
        self._lasting.append(lasting)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await lasting[1].wait()
        finally:
            self._lasting.remove(lasting)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _open(fault: Fault) -> bool:
    if not fault.opens and fault.closes == float("inf"):
        return True
    return fault.opens <= _now() < fault.closes


def _check_schedule(spec: Spec, host: str | None, times: int | None, schedule: tuple[int, float, float, float]) -> None:
    nth, after_s, for_s, chance = schedule
    wrong = ""
    if times is not None and times < 0:
        wrong = f"times is {times}, must be 0 (until cleared) or more"
    elif nth < 1 or after_s < 0 or for_s < 0 or not 0 < chance <= 1:
        wrong = "nth counts from 1, after_s and for_s are not negative, chance is above 0 and at most 1"
    elif spec.kind is not Kind.OCCASION and (nth > 1 or chance < 1):
        wrong = f"it is a {spec.kind.value}: nth and chance are for occasions"
    elif spec.kind is Kind.EVENT and for_s:
        wrong = "an event happens once: it has no duration"
    elif spec.needs_host and host is None:
        wrong = "it needs a host"
    if wrong:
        raise ValueError(f"fault {spec.name!r}: {wrong}")
