"""What a verb has to be told before it can be planned, as lists to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pvenix.engine.ports import NodeState
from pvenix.model.generation import Generation
from pvenix.model.plan import ArgValue
from pvenix.model.snapshots import HostSnapshot
from pvenix.model.verbs import Arg
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.host import generation_cells
from pvenix_tui.models.lines import Column, Tone

SNAPSHOT_COLUMNS: Final = (
    Column(title="SNAPSHOT", width=20, grow=1),
    Column(title="TAKEN (UTC)", width=19),
    Column(title="MEMORY", width=6, keep=1),
    Column(title="WHOSE", width=6),
)
NODE_COLUMNS: Final = (
    Column(title="NODE", width=16, grow=1),
    Column(title="STATE", width=7),
    Column(title="CPUS", width=4),
    Column(title="MEMORY FREE", width=17),
)
OPTION_COLUMNS: Final = (
    Column(title="OPTION", width=10),
    Column(title="NOW", width=12),
    Column(title="WHAT IT DOES", width=30, grow=1, prose=True),
)
_GIB: Final = 2**30


def generation_choices(generations: Sequence[Generation], *, pinned: bool) -> list[Choice]:
    """A host's generations to be let go of when `pinned`, else to be kept; newest first."""
    return [
        Choice(
            key=str(generation.number),
            cells=generation_cells(generation),
            note=generation.path or "a generation of the host",
            disabled=""
            if generation.pinned is pinned
            else "it is pinned already"
            if generation.pinned
            else "it is not pinned",
        )
        for generation in sorted(generations, key=lambda generation: -generation.number)
    ]


def snapshot_choices(snapshots: Sequence[HostSnapshot], *, whole: bool) -> list[Choice]:
    """A host's snapshots, newest first; with `whole` one that is half made or half gone cannot be chosen."""
    return [
        Choice(
            key=each.name,
            cells=(
                (each.name, Tone.STRONG),
                (f"{datetime.fromtimestamp(each.taken_at, UTC):%F %T}", Tone.PLAIN),
                ("yes" if each.memory else "no", Tone.PLAIN),
                ("ours", Tone.PLAIN) if each.ours else ("theirs", Tone.WARN),
            ),
            note=f"{f'after {each.parent}' if each.parent else 'the first'}: {each.description or 'no description'}",
            disabled=f"it is not whole ({each.unfinished})" if whole and each.unfinished else "",
        )
        for each in sorted(snapshots, key=lambda each: (-each.taken_at, each.name))
    ]


def node_choices(nodes: Sequence[NodeState], here: Mapping[str, str]) -> list[Choice]:
    """The nodes to move hosts to; `here` is the node of each host that was read."""
    return [
        Choice(
            key=node.name,
            cells=(
                (node.name, Tone.STRONG),
                ("online", Tone.OK) if node.online else ("offline", Tone.BAD),
                (f"{node.cpus:>4}", Tone.PLAIN),
                (_memory(node), Tone.PLAIN),
            ),
            note=f"there now: {', '.join(host for host, at in here.items() if at == node.name) or 'none of these'}",
            disabled=_not_there(node, here),
        )
        for node in sorted(nodes, key=lambda node: node.name)
    ]


def _memory(node: NodeState) -> str:
    free, total = node.memory_total - node.memory_used, node.memory_total
    return f"{free / _GIB:.0f} of {total / _GIB:.0f} GiB" if node.online else "-"


def _not_there(node: NodeState, here: Mapping[str, str]) -> str:
    if not node.online:
        return "the node is offline"
    return "it is there already" if here and all(at == node.name for at in here.values()) else ""


def option_choices(extras: Mapping[str, Arg], told: Mapping[str, ArgValue]) -> list[Choice]:
    """What a verb can be told besides, with what it is told now."""
    return [
        Choice(
            key=key,
            cells=(
                (key, Tone.STRONG),
                (_told(arg, told.get(key)), Tone.ACCENT if told.get(key) else Tone.DIM),
                (arg.help, Tone.PLAIN),
            ),
            note=arg.help,
        )
        for key, arg in extras.items()
    ]


def _told(arg: Arg, value: ArgValue | None) -> str:
    if arg.type is bool:
        return "yes" if value else "no"
    return "not set" if value is None else str(value)


def wrong_option(arg: Arg, text: str) -> str:
    """Why a typed value will not do, empty when it will; nothing typed takes the option back."""
    if arg.type is int and text and not (text.isascii() and text.isdigit()):
        return f"{text} is no number"
    if arg.choices and text and text not in arg.choices:
        return f"one of: {', '.join(arg.choices)}"
    return ""


def with_option(told: Mapping[str, ArgValue], key: str, arg: Arg, text: str) -> dict[str, ArgValue]:
    """What the verb is told once `text` was typed for an option, or a yes was turned into a no."""
    rest = {name: value for name, value in told.items() if name != key}
    if arg.type is bool:
        return rest if told.get(key) else {**rest, key: True}
    if not text:
        return rest
    return {**rest, key: int(text) if arg.type is int else text}
