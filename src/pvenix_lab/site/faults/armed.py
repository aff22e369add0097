"""The armed faults of a site, and when they strike."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pvenix_lab.site.faults.rows import resolve
from pvenix_lab.site.faults.spec import Kind, Spec, Undo

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

_LOG = logging.getLogger(__name__)
FOREVER = 0
"""`times` of a fault that stays until it is cleared."""


@dataclass(slots=True, kw_only=True, eq=False)
class Fault:
    """One armed fault; `remaining` counts down to disappearance, FOREVER (0) means until cleared.

    `opens` and `closes` are times of the site's clock, `nth` the first matching occasion that it strikes, `chance` the
    probability with which it strikes each further one.
    """

    spec: Spec
    host: str | None
    remaining: int
    args: dict[str, object] = field(default_factory=dict)
    nth: int = 1
    chance: float = 1.0
    opens: float = 0.0
    closes: float = float("inf")
    seen: int = 0
    serial: int = 0
    began: bool = False
    undo: Undo | None = None
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name in the catalogue."""
        return self.spec.name

    def matches(self, name: str, host: str | None) -> bool:
        """True if the fault has this name and is armed for this host or for every host."""
        return self.name == name and self.host in (None, host)

    def number(self, key: str, default: float = 0.0) -> float:
        """The numeric argument `key`; where it was not given the catalogue's default, else `default`."""
        value = self.args.get(key, self._declared(key, default))
        return float(value) if isinstance(value, int | float) else default

    def text(self, key: str, default: str = "") -> str:
        """The text argument `key`; where it was not given or is empty the catalogue's default, else `default`."""
        value = self.args.get(key) or self._declared(key, default)
        return value if isinstance(value, str) and value else default

    def flag(self, key: str) -> bool:
        """The truth argument `key`, or the catalogue's default."""
        return bool(self.args.get(key, self._declared(key, default=False)))

    def _declared(self, key: str, default: object) -> object:
        return next((arg.default for arg in self.spec.args if arg.name == key), default)

    def as_dict(self) -> dict[str, object]:
        """The fault as the control port shows it; the schedule only where there is one."""
        shown: dict[str, object] = {
            "name": self.name,
            "host": self.host,
            "times": self.remaining,
            "args": dict(self.args),
        }
        shown |= {"nth": self.nth} if self.nth > 1 else {}
        shown |= {"chance": self.chance} if self.chance < 1 else {}
        shown |= {"begins_at": round(self.opens, 3)} if self.opens else {}
        return shown | ({"ends_at": round(self.closes, 3)} if self.closes != float("inf") else {})


class Faults:
    """The armed faults of a site, in the order of arming."""

    def __init__(self, site: Site | None = None) -> None:
        self._owner = site
        self._armed: dict[str, list[Fault]] = {}
        self._serial = 0
        self._random = random.Random(f"faults {site.seed if site else 0}")

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
        spec, args = resolve(name, args)
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
        wanted = resolve(name, {})[0].name if name is not None else None
        for fault in self._all():
            if wanted in (None, fault.name) and (host is None or fault.host == host):
                self._end(fault)


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
