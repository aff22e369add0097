"""Every fault by name."""

from __future__ import annotations

from types import MappingProxyType

from pvenix_lab.site.faults import calls, cluster, guests, lists, repository, systems, works

CATALOGUE = MappingProxyType(
    {spec.name: spec for module in (systems, calls, lists, works, cluster, guests, repository) for spec in module.SPECS}
)
"""The faults in the order of their subjects."""
