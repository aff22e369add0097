"""The end of a command that found nothing to do."""

from __future__ import annotations


class NothingToDo(Exception):
    """A pattern over facts, such as `state=drifted`, or playbook and limit together match no host."""
