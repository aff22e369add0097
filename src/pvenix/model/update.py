"""How a host's system is built, activated and found healthy, as all layers together say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pvenix.model.site import HealthCheck


class Strategy(StrEnum):
    """How an update is activated."""

    SWITCH = "switch"
    TEST_THEN_SWITCH = "test-then-switch"
    BOOT = "boot"


class Reboot(StrEnum):
    """Who reboots when an update needs it."""

    AUTO = "auto"
    MANUAL = "manual"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nix:
    """Where the system is built and how it arrives."""

    flake: str = ""
    channel: str = ""
    build: str = "self"
    hardware: str = ""
    substituters: tuple[str, ...] = ()
    converge: str = "push"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """How a new system is activated."""

    strategy: Strategy = Strategy.TEST_THEN_SWITCH
    reboot: Reboot = Reboot.MANUAL
    serial: str = "1"
    canary: bool = False
    approve: str = "risky"
    window: str = ""
    health: tuple[HealthCheck, ...] = ()
    """In addition to those of the roles."""
    confirm_timeout_s: int = 120
    """The dead-man goes back when contact is not confirmed within this time."""
