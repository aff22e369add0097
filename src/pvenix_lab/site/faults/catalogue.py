"""Every fault by name."""

from __future__ import annotations

from types import MappingProxyType

from pvenix_lab.site.faults import (
    breaks,
    calls,
    cluster,
    guests,
    happenings,
    lists,
    nodes,
    repository,
    systems,
    template,
    works,
)

CATALOGUE = MappingProxyType(
    {
        spec.name: spec
        for module in (systems, breaks, calls, lists, works, nodes, cluster, template, guests, happenings, repository)
        for spec in module.SPECS
    }
)
"""The faults in the order of their subjects."""
