"""What a person's look at the fleet leaves behind for the next session: filter, order, marks, saved filters, folds."""

from __future__ import annotations

from pvenix_tui.models.fleet import FleetModel
from pvenix_tui.models.fleetorder import Order
from pvenix_tui.remembered.memory import Memory


class FleetMemory:
    """The fleet's part of a session's memory."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def restore(self, model: FleetModel) -> None:
        """Put filter, order and marks back; a mark of a host that is gone is forgotten."""
        model.order = Order.read(self._memory.text("fleet.order"))
        model.marks = {name for name in self._memory.names("fleet.marks") if name in model.hosts}
        model.set_filter(self._memory.text("fleet.filter"))

    def keep(self, model: FleetModel) -> None:
        """Remember filter, order and marks as they are."""
        self._memory.keep("fleet.order", str(model.order))
        self._memory.keep("fleet.marks", sorted(model.marks))
        self._memory.keep("fleet.filter", model.filter)

    @property
    def filters(self) -> dict[str, str]:
        """The filters that were saved, by name."""
        return self._memory.table("fleet.filters")

    def save_filter(self, name: str, text: str) -> None:
        """Save a filter under a name, in the place of one that had it."""
        self._memory.keep("fleet.filters", self.filters | {name: text})

    def drop_filter(self, name: str) -> None:
        """Forget a saved filter."""
        self._memory.keep("fleet.filters", {key: text for key, text in self.filters.items() if key != name})

    @property
    def folded(self) -> frozenset[str]:
        """The sections of the tree that are folded away."""
        return frozenset(self._memory.names("fleet.folded"))

    def fold(self, section: str) -> None:
        """Fold a section away, or open it again."""
        self._memory.keep("fleet.folded", sorted(self.folded ^ {section}))
