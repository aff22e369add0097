"""One verb on one host in one run, as the verb sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pvenix.engine.ports import Journal
from pvenix.model.approval import Decision
from pvenix.model.outcome import Outcome, Probe
from pvenix.model.plan import ArgValue

Commands = tuple[tuple[str, str], ...]
"""Commands as (channel, text)."""


@dataclass(slots=True, kw_only=True)
class Step:
    """What a verb is told, and how it tells what it does."""

    run: str
    host: str
    id: str
    verb: str
    args: Mapping[str, ArgValue]
    check: bool
    facts: dict[str, str]
    """What this host's earlier steps found; `Outcome.facts` are added to it."""
    known: dict[str, str] = field(default_factory=dict)
    """What a process that died had recorded of this very step: intent and evidence."""
    journal: Journal
    tell: Callable[[str], None]
    """Shows a phase in words."""
    show: Callable[[str, str, bool], None]
    """Shows a command: channel, text, whether it writes; verbs say `sends` or `asks`."""
    output: Callable[[str], None]
    """Takes output of the host."""
    note: Callable[[Mapping[str, str]], None] = lambda _: None
    """Shows what was recorded."""
    named: bool = True
    """True when a person asked for this very verb; False for a playbook's task."""
    decisions: Callable[[], Sequence[Decision]] = tuple
    """What persons have decided about the run so far."""
    sent: list[str] = field(default_factory=list)
    """What was shown as sent to change something, in order; channel and text."""

    def sends(self, channel: str, text: str) -> None:
        """Show a command that changes something, before it is sent."""
        self.sent.append(f"{channel} {text}")
        self.show(channel, text, True)  # noqa: FBT003 - a callable's arguments have no names

    def asks(self, channel: str, text: str) -> None:
        """Show a command that only reads, before it is sent."""
        self.show(channel, text, False)  # noqa: FBT003 - as above

    async def intend(self, **data: str) -> None:
        """Record what is about to happen; durable when it returns.

        Raises: LocalResource when it cannot be recorded; the effect must not happen then.
        """
        self.known |= data
        await self.journal.intent(self.host, self.id, **data)
        self.note(data)

    def evidence(self, **data: str) -> None:
        """Record what shows that an effect is under way, such as a UPID or a unit."""
        self.known |= data
        self.journal.evidence(self.host, self.id, **data)
        self.note(data)


class Verb(Protocol):
    """One lifecycle action, bound to a site."""

    async def probe(self, step: Step) -> Probe:
        """Look, without changing anything."""
        ...

    async def apply(self, step: Step) -> Outcome:
        """Bring it about, and read back that it is so. Safe to call again after any interruption."""
        ...

    async def commands(self, step: Step) -> Commands:
        """What `apply` would change now, in the very words in which it would be sent; reading is not told."""
        ...
