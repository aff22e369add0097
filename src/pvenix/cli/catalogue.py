"""Every command by name with its line in `--help`, so that the help of the whole imports no command's module."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from pvenix.model.verbs import VERBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a command is and how `pvenix --help` lists it."""

    module: str
    """Below `pvenix.cli.commands`."""
    help: str
    section: str = ""
    """Heading in the help; a command without one is hidden."""


FLEET, HOSTS, RUNS, OTHER = "The fleet's files", "The life of a host", "Runs", "Lab and shell"
SECTIONS = (FLEET, HOSTS, RUNS, OTHER)

_OWN = {
    "init": Entry(module="init", help="start a fleet from the starter files", section=FLEET),
    "validate": Entry(module="validate", help="check every file of the fleet and show all findings", section=FLEET),
    "host": Entry(module="host", help="add, edit or show a host of the inventory", section=FLEET),
    "role": Entry(module="role", help="list or show the roles of the site", section=FLEET),
    "inventory": Entry(module="inventory", help="list hosts, explain values, draw groups, export", section=FLEET),
    "plan": Entry(
        module="plan", help="show what differs from the inventory, and what an apply would do", section=HOSTS
    ),
    "apply": Entry(module="apply", help="bring hosts to what the inventory says", section=HOSTS),
    "place": Entry(module="place", help="show where hosts would go: node, storage, VM id, and why", section=HOSTS),
    "status": Entry(module="status", help="read what every host runs, against what it should run", section=HOSTS),
    "console": Entry(module="console", help="print or open the ways to the console of a host", section=HOSTS),
    "generations": Entry(module="generations", help="list the system generations of a host", section=HOSTS),
    "adopt": Entry(module="adopt", help="make an existing VM a host of the fleet", section=HOSTS),
    "orphans": Entry(module="orphans", help="show what is left at Proxmox and no host's, remove it", section=HOSTS),
    "snapshots": Entry(module="snapshots", help="list the snapshots of hosts, theirs and ours", section=HOSTS),
    "review": Entry(module="review", help="look at, approve, reject or merge registration branches", section=HOSTS),
    "template": Entry(module="template", help="look at the templates that hosts are cloned from", section=HOSTS),
    "reprovision": Entry(
        module="reprovision", help="destroy the VM and make it anew under the same name", section=HOSTS
    ),
    "doctor": Entry(module="doctor", help="examine the site and say what to do", section=FLEET),
    "run": Entry(module="run", help="execute a playbook", section=RUNS),
    "resume": Entry(module="resume", help="finish a run that was interrupted", section=RUNS),
    "runs": Entry(module="runs", help="list, show, follow and steer runs", section=RUNS),
    "lab": Entry(module="lab", help="start, inspect, break and stop a simulated site", section=OTHER),
    "completion": Entry(module="completion", help="print the completion script of a shell", section=OTHER),
    "_execute": Entry(module="execute", help="execute the run of a directory"),
}
_VERBS = {
    spec.name: Entry(module="verbs", help=spec.help, section=HOSTS)
    for spec in VERBS.values()
    if spec.name not in (*_OWN, "remove-orphan")  # which is `orphans remove`
}

COMMANDS = MappingProxyType({**_OWN, **_VERBS})
"""`review` is a group of its own; the verb of that name is reached by playbooks."""
