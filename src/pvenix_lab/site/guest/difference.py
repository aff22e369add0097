"""How the units of two systems differ: what an activation stops and starts."""

from __future__ import annotations

from dataclasses import dataclass

from pvenix_lab.site.guest.store import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How the units of two systems differ."""

    removed: tuple[str, ...]
    changed: tuple[str, ...]
    added: tuple[str, ...]

    @classmethod
    def between(cls, old: System, new: System) -> Difference:
        """The difference by unit name; a unit that does nothing by itself (`dead`) is neither started nor stopped."""
        live = {name for name, settings in {**old.units, **new.units}.items() if not settings.startswith("dead ")}
        return cls(
            removed=tuple(sorted((old.units.keys() - new.units.keys()) & live)),
            changed=tuple(
                sorted(n for n in (old.units.keys() & new.units.keys()) & live if old.units[n] != new.units[n])
            ),
            added=tuple(sorted((new.units.keys() - old.units.keys()) & live)),
        )
