"""The inventory, as far as the TUI reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pvenix.model.status import HostStatus


class HostLike(Protocol):
    """What is shown of a `pvenix.model.host.Host`."""

    @property
    def name(self) -> str:
        """The host's name."""

    @property
    def roles(self) -> tuple[str, ...]:
        """Its roles, in order."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Its groups, with `role_<name>` for each role."""


class OriginLike(Protocol):
    """A place that says something about a field."""

    @property
    def layer(self) -> str:
        """The layer's name."""

    @property
    def file(self) -> str:
        """Path relative to the fleet's root; empty for built-in values."""

    @property
    def line(self) -> int:
        """1-based."""

    @property
    def value(self) -> object:
        """What it says."""


class ExplainedLike(Protocol):
    """A field of a host with every layer that speaks of it."""

    @property
    def field(self) -> str:
        """The field's path, such as `network.zone`."""

    @property
    def value(self) -> object:
        """What counts."""

    @property
    def origins(self) -> Sequence[OriginLike]:
        """Where that comes from."""

    @property
    def beaten(self) -> Sequence[OriginLike]:
        """What it beats, strongest first."""


class FleetLike(Protocol):
    """What is shown of a `pvenix.fleet.load.Fleet`."""

    @property
    def hosts(self) -> Mapping[str, HostLike]:
        """Every host by name."""

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The members of every group."""

    def select(self, expr: str, facts: Mapping[str, Mapping[str, str]] | None = None) -> tuple[str, ...]:
        """The hosts that a selector names."""

    def explain(self, host: str, field: str | None = None) -> Sequence[ExplainedLike]:
        """Every field of a host, or those below `field`."""


class FleetPart(Protocol):
    """Where the fleet is, and what its files say."""

    @property
    def root(self) -> Path:
        """The fleet's root."""

    @property
    def state_dir(self) -> Path:
        """Where this fleet's state is kept."""

    def fleet(self) -> FleetLike:
        """The inventory as its files are now. Raises: InvalidInput with every finding."""

    def remember(self) -> None:
        """Keep the inventory's names for the next session's first look."""

    def last_readings(self) -> Mapping[str, HostStatus]:
        """The last reading in which each host answered, before anything is asked now."""
