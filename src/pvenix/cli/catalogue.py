"""Every command by name with its line in `--help`, so that the help of the whole imports no command's module."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pvenix.model.verbs import ONBOARDING, VERBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a command is and how `pvenix --help` lists it."""

    module: str
    """Below `pvenix.cli.commands`."""
    help: str
    section: str = ""
    """Heading in the help; a command without one is hidden."""


FLEET: Final = "The fleet's files and its site"
MAKING: Final = "From a line in the inventory to a host"
DEPLOYING: Final = "What hosts run"
KEEPING: Final = "Day two at Proxmox"
RUNS: Final = "Runs"
OTHER: Final = "Lab and shell"
SECTIONS = (FLEET, MAKING, DEPLOYING, KEEPING, RUNS, OTHER)

_OWN = {
    "init": Entry(module="init", help="start a fleet from the starter files", section=FLEET),
    "validate": Entry(module="validate", help="check every file of the fleet and show all findings", section=FLEET),
    "lint": Entry(module="lint", help="find secrets in clear, unpinned programs and open doors", section=FLEET),
    "doctor": Entry(module="doctor", help="examine the site and say what to do", section=FLEET),
    "host": Entry(module="host", help="add, edit or show a host; read its units, journal, cloud-init", section=FLEET),
    "role": Entry(module="role", help="list or show the roles of the site", section=FLEET),
    "inventory": Entry(module="inventory", help="list hosts, explain values, draw groups, export", section=FLEET),
    "template": Entry(module="template", help="judge the templates that hosts are cloned from", section=FLEET),
    "plan": Entry(module="plan", help="show what an apply would do, field by field", section=MAKING),
    "apply": Entry(module="apply", help="bring hosts to what the inventory says", section=MAKING),
    "place": Entry(module="place", help="show where hosts would go, and why", section=MAKING),
    "review": Entry(module="review", help="look at, approve, reject or merge registrations", section=MAKING),
    "adopt": Entry(module="adopt", help="make an existing VM a host of the fleet", section=MAKING),
    "reprovision": Entry(module="reprovision", help="destroy the VM and make it anew under its name", section=MAKING),
    "status": Entry(module="status", help="show what every host runs, against what it should", section=DEPLOYING),
    "drift": Entry(
        module="drift", help="show what was edited on hosts; adopt, overwrite, ignore it", section=DEPLOYING
    ),
    "rollback": Entry(module="rollback", help=VERBS["rollback"].help, section=DEPLOYING),
    "revert": Entry(module="revert", help="take a commit of main back, and rebuild", section=DEPLOYING),
    "generations": Entry(
        module="generations", help="list, compare, pin, prune what hosts can go back to", section=DEPLOYING
    ),
    "console": Entry(module="console", help="print or open the ways to the console of a host", section=KEEPING),
    "snapshots": Entry(module="snapshots", help="list the snapshots of hosts, theirs and ours", section=KEEPING),
    "orphans": Entry(module="orphans", help="show VMs and volumes of ours that no host has", section=KEEPING),
    "run": Entry(module="run", help="execute a playbook", section=RUNS),
    "resume": Entry(module="resume", help="finish a run that was interrupted", section=RUNS),
    "approve": Entry(module="approve", help="approve or reject the risky changes that a run waits with", section=RUNS),
    "abandon": Entry(module="abandon", help="end a dead run for good, and name what it left open", section=RUNS),
    "audit": Entry(module="audit", help="show who did what to which host, and prove it", section=RUNS),
    "runs": Entry(module="runs", help="list, show, follow and steer runs", section=RUNS),
    "lab": Entry(module="lab", help="start, inspect, break and stop a simulated site", section=OTHER),
    "completion": Entry(module="completion", help="print the completion script of a shell", section=OTHER),
    "_execute": Entry(module="execute", help="execute the run of a directory"),
}
_SECTION_OF: Final = {
    **dict.fromkeys((*ONBOARDING, "configure", "unregister"), MAKING),
    **dict.fromkeys(("preflight", "build", "rebuild", "rollback"), DEPLOYING),
    **dict.fromkeys(("template-build", "template-canary", "template-publish"), FLEET),
}
_BELOW: Final = (
    "remove-orphan",
    "adopt-edits",
    "pin-generation",
    "unpin-generation",
    "prune-generations",
    "collect-garbage",
)
"""Verbs that a command of another name has below it: `orphans remove`, `generations prune`."""
_VERBS = {
    spec.name: Entry(module="verbs", help=spec.help, section=_SECTION_OF.get(spec.name, KEEPING))
    for spec in VERBS.values()
    if spec.name not in (*_OWN, *_BELOW)
}
COMMANDS = MappingProxyType({**_OWN, **_VERBS})
"""`review` is a group of its own; the verb of that name is reached by playbooks."""
