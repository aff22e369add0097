"""How the units of two systems differ: what an activation stops and starts."""

from __future__ import annotations

from dataclasses import dataclass

from pvenix_lab.site.guest.store import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What an activation does to which units, each tuple by name (nixpkgs: switch-to-configuration-ng).

    `changed` are stopped before and started after the activation script; `kept` have changed and go on as they were.
    """

    removed: tuple[str, ...]
    changed: tuple[str, ...]
    added: tuple[str, ...]
    reloaded: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @classmethod
    def between(cls, old: System, new: System) -> Difference:
        """The difference by unit name; a unit that does nothing by itself (`dead`) is neither started nor stopped."""
        live = {name for name, settings in {**old.units, **new.units}.items() if not settings.startswith("dead ")}
        other = sorted(n for n in (old.units.keys() & new.units.keys()) & live if old.units[n] != new.units[n])

        def treated(how: str) -> tuple[str, ...]:
            return tuple(name for name in other if "".join(new.units[name].split(" ")[2:]) == how)

        return cls(
            removed=tuple(sorted((old.units.keys() - new.units.keys()) & live)),
            changed=treated(""),
            added=tuple(sorted((new.units.keys() - old.units.keys()) & live)),
            reloaded=treated("reload"),
            restarted=treated("restart"),
            kept=treated("keep"),
        )
