"""What a person types into the palette beyond a filter: a verb with its target, or the name of a host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pvenix.model.errors import PvenixError
from pvenix_tui.actions import Action, Context, in_scope
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.lines import Tone
from pvenix_tui.themes import SWITCHED

Select = Callable[[str], tuple[str, ...]]
"""The hosts that a selector names. Raises: PvenixError for a selector that is wrong or names nobody."""
HOST: Final = "host:"
VERB: Final = "verb:"
THEME: Final = "theme:"
GOING: Final = ("status", "host")
"""Words before a host's name or a selector that only go there."""
SHOWN: Final = 8
KEPT: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A verb and the hosts it is meant for."""

    action: Action
    hosts: tuple[str, ...]


def order_of(key: str, select: Select) -> Order | None:
    """What the key of a typed choice means; None when it is of another kind."""
    if not key.startswith(VERB):
        return None
    verb, _, target = key.removeprefix(VERB).partition(" ")
    return Order(action=_verbs()[verb], hosts=select(target))


def typed_choices(text: str, hosts: Collection[str], select: Select, *, read_only: bool) -> list[Choice]:
    """The choices that a typed line means by itself, the likeliest first."""
    first, _, rest = text.strip().partition(" ")
    verbs, target = _verbs(), rest.strip()
    if first in GOING and target:
        return [_host_choice(host) for host in _named(target, select)[:SHOWN]]
    if first in verbs and target:
        return [_verb_choice(verbs[first], target, select, read_only=read_only)]
    begun = [label for label in verbs if len(first) > 1 and label.startswith(first)]
    if begun and target and _named(target, select):
        return [_verb_choice(verbs[label], target, select, read_only=read_only) for label in begun[:SHOWN]]
    if first == "theme":
        return [_theme_choice(name.value) for name in SWITCHED if name.value.startswith(target) and target]
    if not text.strip():
        return []
    found = sorted((host for host in hosts if text.strip() in host), key=lambda host: (host != text.strip(), host))
    return [_host_choice(host) for host in found[:SHOWN]]


def _named(target: str, select: Select) -> tuple[str, ...]:
    try:
        return tuple(select(target))
    except PvenixError:
        return ()


def _verbs() -> dict[str, Action]:
    return {action.label: action for action in in_scope("verbs")}


def _verb_choice(action: Action, target: str, select: Select, *, read_only: bool) -> Choice:
    try:
        hosts: Sequence[str] = select(target)
        context = Context(scope="verbs", hosts=tuple(hosts), read_only=read_only)
        reason, command = action.reason(context), action.command(context)
    except PvenixError as error:
        hosts, reason, command = (), str(error), ""
    count = f"{len(hosts)} host{'' if len(hosts) == 1 else 's'}"
    return Choice(
        key=f"{VERB}{action.label} {target}",
        cells=(
            ("typed", Tone.DIM),
            (f"{action.label} {target}", Tone.STRONG),
            (action.danger.value if not reason else "not now", Tone.PLAIN),
            (f"{count}: {', '.join(hosts[:SHOWN])}" if hosts else "", Tone.PLAIN),
        ),
        note=action.help,
        command=command,
        disabled=reason,
    )


def _host_choice(host: str) -> Choice:
    cells = (("typed", Tone.DIM), (host, Tone.STRONG), ("read", Tone.OK), ("go to this host", Tone.PLAIN))
    return Choice(key=f"{HOST}{host}", cells=cells, note="go to this host", command=f"pvenix status {host}")


def _theme_choice(name: str) -> Choice:
    cells = (("typed", Tone.DIM), (f"theme {name}", Tone.STRONG), ("read", Tone.OK), ("in these colours", Tone.PLAIN))
    return Choice(key=f"{THEME}{name}", cells=cells, note="other colours, until this window ends")


@dataclass(slots=True)
class History:
    """What was typed and run before, the newest last."""

    lines: list[str]
    at: int = 0
    """Steps back from the end; 0 is the line that is being typed."""

    def walk(self, *, back: bool) -> str | None:
        """The line one step further back or on, empty behind the newest; None when there is none."""
        wanted = self.at + (1 if back else -1)
        if not 0 <= wanted <= len(self.lines):
            return None
        self.at = wanted
        return self.lines[-wanted] if wanted else ""

    def add(self, line: str) -> list[str]:
        """With one more line; each stands there once."""
        self.lines = [*(kept for kept in self.lines if kept != line), line][-KEPT:]
        return self.lines
