"""The handling of each failure as a text that can be taken away, by subject, with the test that must notice."""

from __future__ import annotations

from typing import Final

from tools.removals import answers, guests, machines, making

REMOVALS: Final = (*making.REMOVALS, *machines.REMOVALS, *guests.REMOVALS, *answers.REMOVALS)

NOT_ONE_TEXT: Final = {
    "F29": "no field of the schema carries a root-only option",
    "F30": "nothing asks for a snippet",
    "T4": "names pass a grammar, a path's grammar and the sanitiser: one alone may go",
    "T5": "as T4",
    "T8": "the adapter's time-outs, see tests/contract/test_proxmoxer_transport.py",
    "T9": "an argument of one call, see tests/contract/test_ssh_guest.py",
    "T11": "a set of settings, see tests/contract/test_git_repo.py",
    "T12": "limits of one parser, see tests/unit/test_fleet_yaml.py",
    "T17": "time-outs of connection, login and step: one alone may go",
    "R9": "as T4",
}
"""Rows that are handled by more than one text, or by the absence of one."""
