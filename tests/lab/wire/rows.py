"""The behaviours of the real API that the lab is measured by, a row each; docs/lab.md is made of them.

Measured on 8.4.5 (A), 9.2.11 (S2), with proxmoxer 2.3.0 (P3), or read in the sources of Proxmox VE (S4).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "A1": "Transport",
        "A2": "Who may ask",
        "A3": "Errors",
        "A4": "Tasks, and where an error shows up",
        "A5": "Locks, ids and copies",
        "A6": "Cloud-init",
        "A7": "Configuration, state, agent, snapshots",
        "A8": "Least privileges",
        "A9": "Timing",
        "A10": "Named formats",
        "S2": "9.2 against 8.4",
        "P3": "proxmoxer",
        "S4": "Read in the sources",
    }
)

_LINES = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
ROWS: Mapping[str, str] = MappingProxyType(dict(line.split(" ", 1) for line in _LINES))

ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "A4-55": "tests/lab/test_pve_tasks_list.py::test_a_stopped_task_ends_by_what_its_log_ends_with",
        "A8-01": "tests/lab/test_pve_privileges.py::test_a_call_needs_just_the_privileges_of_the_table",
    }
)
"""Rows whose test asks the site without a socket."""

NOT_SIMULATED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "A1-30": (
            "A proxy worker restarts after 1000 requests.",
            "a client sees no more of it than a closed connection, which A1-05 shows",
        ),
        "A2-30": ("The key that signs tickets changes every 24 h.", "a ticket dies long before (A2-05)"),
        "A4-60": (
            "`running` is decided by pid and process start.",
            "there are no processes; the numbers of a UPID are made up",
        ),
        "A7-30": (
            "`ballooninfo` of a running VM.",
            "the recorded answers of 8.4.5 have none, and the lab follows them",
        ),
        "A7-31": ("A start gives up after max(30, GiB of memory) s.", "no start takes that long by itself"),
        "A7-32": ("A backup fails at once without a sendmail binary.", "the lab's nodes have one"),
        "A9-01": ("How long calls take.", "measured on a loaded machine; the lab's durations are options (`--speed`)"),
        "S2-30": ("7.4.", "out of support; the lab is 8.4 or 9.2"),
        "S2-31": ("9.2 monitor with Sys.Audit or Sys.Modify.", "no monitor behind the VM: 501 on both"),
    }
)
"""What a row says, and why the lab does not show it."""
