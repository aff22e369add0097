"""Named faults: armed by a test or through the control port, taken by the place in the site that misbehaves.

A fault happens on the far side only; nothing here knows who the client is.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FOREVER = 0
"""`times` of a fault that stays until it is cleared."""

CATALOGUE = MappingProxyType(
    {
        "build-fails": "the next `nix build` of the host ends with rc 1",
        "eval-fails": "the next evaluation of the host's configuration ends with rc 1",
        "ssh-cut-during-activation": "the connection dies once the activation unit runs; the unit goes on",
        "ssh-drop": "every SSH connection of the host is cut now",
        "port-closed-by-new-system": "the next new system that the host activates closes port 22",
        "activation-hangs": "the next activation never ends by itself",
        "activation-slow": "the next activation takes `seconds` longer",
        "unit-fails": "the next activation leaves a failed unit (rc 4)",
        "clone-fails-in-task": "the next clone answers 200 with a UPID and then fails with `message`",
        "clone-slow": "the next clone task takes `seconds`",
        "agent-absent": "the guest agent does not answer, until cleared",
        "pve-500": "the next API call (`method`, `path` part) fails with `message`, nothing done",
        "pve-596": "the next API call (`method`, `path` part) is cut with 596; done unless `effect` is false",
    }
)
"""Every fault by name. `host` is the VM's name; arguments are in back quotes."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """One armed fault; `remaining` counts down to disappearance, FOREVER (0) means until cleared."""

    name: str
    host: str | None
    remaining: int
    args: dict[str, object] = field(default_factory=dict)

    def matches(self, name: str, host: str | None) -> bool:
        """True if the fault has this name and is armed for this host or for every host."""
        return self.name == name and (self.host is None or self.host == host)

    def number(self, key: str, default: float) -> float:
        """The numeric argument `key`, or `default` if absent or no number."""
        value = self.args.get(key, default)
        return float(value) if isinstance(value, int | float) else default

    def text(self, key: str, default: str) -> str:
        """The text argument `key`, or `default` if absent or empty."""
        value = self.args.get(key)
        return value if isinstance(value, str) and value else default

    def as_dict(self) -> dict[str, object]:
        """The fault as the control port shows it."""
        return {"name": self.name, "host": self.host, "times": self.remaining, "args": dict(self.args)}


class Faults:
    """The armed faults of a site, in the order of arming."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []

    def arm(self, name: str, host: str | None = None, times: int = 1, **args: object) -> Fault:
        """Arm `name` for the next `times` occasions (FOREVER: until cleared).

        Raises:
            ValueError: the name is not in the catalogue (the text names the nearest one), or `times` is negative.
        """
        if name not in CATALOGUE:
            near = difflib.get_close_matches(name, CATALOGUE, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(CATALOGUE)}"
            raise ValueError(f"unknown fault {name!r}, {known}")
        if times < 0:
            raise ValueError(f"fault {name!r}: times is {times}, must be 0 (until cleared) or more")
        fault = Fault(name=name, host=host, remaining=times, args=args)
        self._armed.append(fault)
        return fault

    def peek(
        self, name: str, host: str | None = None, *, accept: Callable[[Fault], bool] | None = None
    ) -> Fault | None:
        """The first armed fault of this name that applies to `host`, left armed; None if there is none."""
        return next((f for f in self._armed if f.matches(name, host) and (accept is None or accept(f))), None)

    def take(
        self, name: str, host: str | None = None, *, accept: Callable[[Fault], bool] | None = None
    ) -> Fault | None:
        """As `peek`, and one occasion is used up. The result is true in a condition when the fault strikes."""
        fault = self.peek(name, host, accept=accept)
        if fault is not None and fault.remaining != FOREVER:
            fault.remaining -= 1
            if fault.remaining == 0:
                self._armed.remove(fault)
        return fault

    def list(self) -> tuple[dict[str, object], ...]:
        """The armed faults, oldest first."""
        return tuple(fault.as_dict() for fault in self._armed)

    def clear(self, name: str | None = None, host: str | None = None) -> None:
        """Disarm every fault, or those of one name, or those of one name and host."""
        self._armed = [
            f for f in self._armed if (name is not None and f.name != name) or (host is not None and f.host != host)
        ]
