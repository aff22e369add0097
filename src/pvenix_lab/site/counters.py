"""What the far side counted, so that a test can ask the site, not pvenix, whether anything was written."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True, kw_only=True)
class Counters:
    """Totals since the start of the site or the last `reset`.

    `pve_reads` and `pve_writes` are API calls that reached a handler (authentication, permission and schema passed); a write is
    every method but GET. `guest_mutations` are commands that changed a guest, `guest_commands` all of them.
    """

    pve_reads: int = 0
    pve_writes: int = 0
    receive_packs: int = 0
    upload_packs: int = 0
    guest_mutations: int = 0
    guest_commands: int = 0

    def as_dict(self) -> dict[str, int]:
        """Every counter by name."""
        return asdict(self)

    def reset(self) -> None:
        """Set every counter to zero."""
        for name in asdict(self):
            setattr(self, name, 0)
