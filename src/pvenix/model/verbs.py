"""The verbs of a host's life: what a playbook, the command line and the TUI may ask for."""

from __future__ import annotations

from pvenix.model.verbspec import Arg, Danger, Kind, VerbSpec
from pvenix.model.verbtable.machine import MACHINE
from pvenix.model.verbtable.making import MAKING
from pvenix.model.verbtable.system import SYSTEM
from pvenix.model.verbtable.template import TEMPLATE

__all__ = ["BUILDING", "ONBOARDING", "REPROVISIONING", "VERBS", "Arg", "Danger", "Kind", "VerbSpec"]

VERBS: dict[str, VerbSpec] = {spec.name: spec for spec in (*MAKING, *SYSTEM, *TEMPLATE, *MACHINE)}

BUILDING = ("build", "rebuild")
"""The verbs before which all hosts of a run are looked at by `preflight`."""

ONBOARDING = ("place", "clone", "create", "cloudinit", "boot", "hardware", "register", "review", "build", "rebuild")
"""The verbs that take a line in the inventory to a running, registered host, in order."""

REPROVISIONING = ("destroy", *ONBOARDING)
"""The verbs after which a host is the same on a new machine, in order."""
