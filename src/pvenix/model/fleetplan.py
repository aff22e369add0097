"""What `pvenix plan` found: for each host what the inventory wants, what was recorded and what Proxmox has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from pvenix.model.errors import ExitCode, worst
from pvenix.model.findings import Finding

SCHEMA: Final = "pvenix/plan/v1"


class FieldState(StrEnum):
    """How what is wanted, what was recorded at the last apply and what is there compare."""

    EQUAL = "equal"
    PENDING = "pending"
    """Written already, and in effect after the next cold start."""
    DRIFT = "drift"
    """Somebody changed it at Proxmox since the last apply."""
    CHANGE = "change"
    """The inventory changed since the last apply, or nothing was ever recorded."""
    CONFLICT = "conflict"
    """Both changed, to different values."""
    UNMANAGED = "unmanaged"
    """Proxmox has a value and the inventory says nothing of it."""

    @property
    def differs(self) -> bool:
        """True when an apply would write the field."""
        return self in (FieldState.DRIFT, FieldState.CHANGE, FieldState.CONFLICT)


class Effect(StrEnum):
    """What it takes to bring a field about, from the least to the most."""

    LIVE = "live"
    REBOOT = "reboot"
    OFFLINE = "offline"
    """The VM has to be off while it is written."""
    MOVE = "move"
    """A disk goes to another storage, or the VM to another node."""
    RECREATE = "recreate"
    """Only another VM would have it: never done by an apply."""
    REFUSE = "refuse"


class Action(StrEnum):
    """What an apply would do to a host."""

    NONE = "none"
    ADD = "add"
    CHANGE = "change"
    DESTROY = "destroy"
    REFUSE = "refuse"
    """Something is wrong, so nothing would be done."""
    UNKNOWN = "unknown"
    """It could not be looked at, so nothing is known of it and nothing would be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPlan:
    """One field of one host."""

    field: str
    """As the inventory spells it, such as `memory` or `proxmox.disks.scsi1.size`."""
    key: str
    """Proxmox' option, such as `memory` or `scsi1`."""
    state: FieldState
    effect: Effect
    desired: str = ""
    recorded: str = ""
    actual: str = ""
    later: str | None = None
    """What Proxmox has for the next cold start, None where that is `actual`."""
    where: str = ""
    """`file:line:column` of the layer that decides the field, empty for a built-in default."""
    note: str = ""

    @property
    def there(self) -> str:
        """What an apply would replace: a change of a machine that runs waits for its cold start."""
        return self.actual if self.later is None else self.later


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """One host: what was seen, and what would be done."""

    host: str
    action: Action
    vmid: int = 0
    node: str = ""
    uuid: str = ""
    digest: str = ""
    """Of the VM's configuration as it was read; a write with an old one is refused by Proxmox."""
    power: str = ""
    lock: str = ""
    """The job that holds the VM, such as `backup`; an apply waits for its end."""
    ha: str = ""
    """The state that the HA manager is to keep it in, empty when it is not its business."""
    fields: tuple[FieldPlan, ...] = ()
    """Without those that are equal."""
    equal: int = 0
    """How many fields are as they should be."""
    steps: tuple[str, ...] = ()
    """What an apply would do, in words and in order."""
    decision: Mapping[str, str] = field(default_factory=dict)
    """What the steps of an apply are bound to: node, vmid, storage, route."""
    findings: tuple[Finding, ...] = ()
    """Why it cannot be done, or what to know before."""
    exit_code: int = 0
    """What a host that is refused or unknown ends a plan with: 2 something in the files, 4 silence, 8 a missing right."""

    @property
    def waiting(self) -> bool:
        """True when something is written and waits for a cold start."""
        return any(one.state is FieldState.PENDING for one in self.fields)

    @property
    def needs_off(self) -> bool:
        """True when it runs, is to run on, and has changes that only a machine that is off takes."""
        offline = [one for one in self.fields if one.state.differs and one.effect is Effect.OFFLINE]
        going_on = all(one.field != "state" for one in offline)
        return self.action is Action.CHANGE and self.power == "running" and bool(offline) and going_on

    @property
    def left(self) -> bool:
        """True when fields differ and nothing is done about it: the VM is not of pvenix' making."""
        return self.action is Action.NONE and any(one.state.differs for one in self.fields)

    @property
    def effect(self) -> Effect | None:
        """The heaviest effect of the fields that differ."""
        order = list(Effect)
        return max((one.effect for one in self.fields if one.state.differs), key=order.index, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A VM with this fleet's marker that is no host's: shown, and never touched."""

    vmid: int
    node: str
    host: str
    """Whose it is by its notes."""
    power: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """A plan for some hosts, good as long as nothing that it was made from changes."""

    fleet: str
    """The fleet's name."""
    commit: str
    """Of the checkout that the inventory was read from; empty when it is no repository."""
    inventory: str
    """SHA-256 over what the inventory says of the planned hosts, `--set` included."""
    made_at: str
    """UTC, ISO 8601."""
    pattern: str
    """Which hosts were asked for; `all` is all of them, tombstones included."""
    limit: str
    extra: Mapping[str, bool | int | str] = field(default_factory=dict)
    hosts: tuple[HostPlan, ...] = ()
    strays: tuple[Stray, ...] = ()
    warnings: tuple[str, ...] = ()
    """What concerns no single host."""

    def count(self, action: Action) -> int:
        """How many hosts the action awaits."""
        return sum(host.action is action for host in self.hosts)

    @property
    def changes(self) -> bool:
        """True when an apply would do anything."""
        return any(host.action in (Action.ADD, Action.CHANGE, Action.DESTROY) for host in self.hosts)

    @property
    def exit_code(self) -> ExitCode:
        """0 when there is nothing to do, 3 when something would change, or the worst that a host was refused with."""
        return worst([ExitCode(host.exit_code) for host in self.hosts] + [ExitCode.CHANGES] * self.changes)

    @property
    def todo(self) -> str:
        """Such as `3 to add, 2 to change`; empty when there is nothing to do and nothing is refused."""
        words = {
            Action.ADD: "to add",
            Action.CHANGE: "to change",
            Action.DESTROY: "to destroy",
            Action.REFUSE: "refused",
            Action.UNKNOWN: "not known",
        }
        return ", ".join(f"{self.count(action)} {word}" for action, word in words.items() if self.count(action))

    @property
    def summary(self) -> str:
        """Such as `3 to add, 2 to change, 194 as they should be`."""
        left = sum(host.left for host in self.hosts)
        same = self.count(Action.NONE) - left
        rest = (f"{left} left as {_they(left)}" if left else "", f"{same} as {_they(same, 'should be')}")
        return ", ".join(part for part in (self.todo, *rest) if part)

    def to_json(self) -> dict[str, Any]:
        """A JSON document of schema `pvenix/plan/v1`."""
        return {
            "schema": SCHEMA,
            **asdict(self),
            "summary": {str(action): self.count(action) for action in Action},
        }


def _they(count: int, verb: str = "") -> str:
    """`it is`, `they are`, or with another verb."""
    return f"{'it' if count == 1 else 'they'} {verb or ('is' if count == 1 else 'are')}"
