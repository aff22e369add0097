"""The methods of a port, so that a table of rules that leaves one out fails."""

from __future__ import annotations

import inspect


def methods_of(*ports: type) -> set[str]:
    """The names of the public methods and properties that the protocols declare."""
    return {
        name
        for port in ports
        for name, member in vars(port).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
    }
