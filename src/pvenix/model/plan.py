"""What one run does: hosts, waves and steps, fixed before the first effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ArgValue = bool | int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One verb for the hosts of a play."""

    verb: str
    name: str = ""
    args: dict[str, ArgValue] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    throttle: int = 0
    """The most hosts at once for this task; 0 is no limit of its own."""
    run_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayPlan:
    """One play: its tasks run in order on each host, wave after wave."""

    name: str
    waves: tuple[tuple[str, ...], ...]
    tasks: tuple[Task, ...]
    max_fail_percentage: float = 100.0
    """The run stops when more than this share of a wave failed."""
    any_errors_fatal: bool = False

    def stops_after(self, failed: int, *, of: int) -> bool:
        """True when a wave of `of` hosts in which `failed` failed is the run's last one.

        So is a wave of which no host is left, whatever the percentage: as ansible-core 2.19 was seen to do.
        """
        fatal = self.any_errors_fatal and failed > 0
        return fatal or failed == of or failed * 100 / of > self.max_fail_percentage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One run, as stored in its directory."""

    title: str
    plays: tuple[PlayPlan, ...]
    fleet: str
    """Root of the fleet's checkout that was read, absolute."""
    inventory: str = ""
    """Another inventory than the fleet's own (`-i`), absolute."""
    check: bool = False
    diff: bool = False
    step: bool = False
    """Wait for a `continue` request before each step."""
    forks: int = 32
    extra: dict[str, ArgValue] = field(default_factory=dict)
    """`--set` values; those of `-e` are in the tasks' arguments."""
    operator: str = ""
    origin: str = ""
    """The run whose failed hosts this one does again, if any."""
    named: bool = True
    """True when a person asked for these verbs by name, and so decided on what they always do; a playbook may be
    started by nobody."""
    decisions: dict[str, dict[str, str]] = field(default_factory=dict)
    """By host what an applied plan has decided, such as node and VM id; the host's steps begin with it as facts."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host of the run, in order, each once."""
        return tuple(dict.fromkeys(host for play in self.plays for wave in play.waves for host in wave))

    def to_json(self) -> dict[str, Any]:
        """A JSON document that `from_json` reads back."""
        return {
            "schema": "pvenix/run/v1",
            "title": self.title,
            "fleet": self.fleet,
            "inventory": self.inventory,
            "check": self.check,
            "diff": self.diff,
            "step": self.step,
            "forks": self.forks,
            "extra": dict(self.extra),
            "operator": self.operator,
            "origin": self.origin,
            "named": self.named,
            "decisions": self.decisions,
            "plays": [_play_to_json(play) for play in self.plays],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunPlan:
        """The plan that `to_json` wrote.

        Raises: KeyError, TypeError when the document is not one.
        """
        return cls(
            title=data["title"],
            plays=tuple(_play_from_json(play) for play in data["plays"]),
            fleet=data["fleet"],
            inventory=data.get("inventory", ""),  # an earlier version wrote none
            check=data["check"],
            diff=data["diff"],
            step=data["step"],
            forks=data["forks"],
            extra=data["extra"],
            operator=data["operator"],
            origin=data.get("origin", ""),  # an earlier version wrote none
            named=data.get("named", True),  # an earlier version wrote none
            decisions=data.get("decisions", {}),  # an earlier version wrote none
        )


def _play_to_json(play: PlayPlan) -> dict[str, Any]:
    return {
        "name": play.name,
        "waves": [list(wave) for wave in play.waves],
        "max_fail_percentage": play.max_fail_percentage,
        "any_errors_fatal": play.any_errors_fatal,
        "tasks": [
            {
                "verb": task.verb,
                "name": task.name,
                "args": dict(task.args),
                "tags": list(task.tags),
                "throttle": task.throttle,
                "run_once": task.run_once,
            }
            for task in play.tasks
        ],
    }


def _play_from_json(data: dict[str, Any]) -> PlayPlan:
    return PlayPlan(
        name=data["name"],
        waves=tuple(tuple(wave) for wave in data["waves"]),
        max_fail_percentage=data["max_fail_percentage"],
        any_errors_fatal=data["any_errors_fatal"],
        tasks=tuple(Task(**{**task, "tags": tuple(task["tags"])}) for task in data["tasks"]),
    )
