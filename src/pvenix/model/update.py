"""How a host's system is built, activated and found healthy, as all layers together say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pvenix.model.site import HealthCheck, OnFailure
from pvenix.model.window import Window


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


class Approve(StrEnum):
    """Which changes of a host wait for a person."""

    ALWAYS = "always"
    """Every activation and every reboot."""
    RISKY = "risky"
    NEVER = "never"


class SecondNet(StrEnum):
    """What Proxmox may do for a host that SSH does not reach after an activation; tried in this order."""

    AGENT = "agent"
    """Look through the guest agent, and ask the host to go back."""
    RESET = "reset"
    """Press the reset button: the boot default is the old system. What was not written is lost."""
    SNAPSHOT = "snapshot"
    """Go back to the snapshot taken before the update. All data written since is lost."""


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
    approve: Approve = Approve.RISKY
    window: tuple[Window, ...] = ()
    """When it may be rebooted or changed at a risk; empty for always."""
    health: tuple[HealthCheck, ...] = ()
    """In addition to those of the roles."""
    on_failure: OnFailure | None = None
    """None leaves it to the roles."""
    confirm_timeout_s: int = 120
    """The dead-man goes back when contact is not confirmed within this time."""
    second_net: tuple[SecondNet, ...] = (SecondNet.AGENT, SecondNet.RESET)
    """What may be tried when there is no contact after that either; empty for nothing."""
