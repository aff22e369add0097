"""A plan as people read it: what is added, changed and destroyed, host by host, within the terminal's width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType

import click

from pvenix.cli.text import cells, clean, cut, one_line, style, wrapped
from pvenix.model.findings import Finding
from pvenix.model.fleetplan import Action, Effect, FieldPlan, FieldState, FleetPlan, HostPlan, Stray

_SIGNS = MappingProxyType(
    {
        Action.ADD: ("+", "green", "to add"),
        Action.CHANGE: ("~", "yellow", "to change"),
        Action.DESTROY: ("-", "red", "to destroy"),
        Action.REFUSE: ("!", "red", "refused"),
        Action.UNKNOWN: ("?", "red", "not known"),
        Action.NONE: ("=", "", "as it should be"),
    }
)
_EFFECTS = MappingProxyType(
    {
        Effect.LIVE: "",
        Effect.REBOOT: ", with a reboot",
        Effect.OFFLINE: ", switched off for it",
        Effect.MOVE: ", with a move",
    }
)
_STATES = MappingProxyType(
    {
        FieldState.PENDING: "written, in effect after the next cold start",
        FieldState.DRIFT: "drift: changed at Proxmox",
        FieldState.CHANGE: "change",
        FieldState.CONFLICT: "conflict: changed on both sides",
        FieldState.UNMANAGED: "unmanaged",
    }
)
_NAME = 30
"""The most columns of a field's name; a longer one has a line of its own."""
_LONGEST = 160
"""Columns of one value; more of a key or of notes helps nobody."""


def plan_text(plan: FleetPlan, *, width: int, verbose: bool = False) -> str:
    """The plan in lines of at most `width` columns, save for places and words that are longer; no host twice."""
    blocks = [_head(plan)]
    for action in _SIGNS:
        blocks += _hosts([host for host in plan.hosts if host.action is action], width, verbose=verbose)
    blocks += ["\n".join(wrapped(f"warning: {text}", width, "", "  ")) for text in plan.warnings]
    if plan.strays:
        blocks.append(_strays(plan.strays, width))
    return "\n\n".join([*blocks, _summary(plan)])


def _head(plan: FleetPlan) -> str:
    commit = f" at {plan.commit[:10]}" if plan.commit else ""
    count = len(plan.hosts)
    return (
        f"{style(clean(plan.fleet), 'strong')}{commit}: {count} host{'s' if count != 1 else ''}, as of {plan.made_at}"
    )


def _summary(plan: FleetPlan) -> str:
    waiting = sum(host.waiting for host in plan.hosts)
    more = f"\n{waiting} with changes that wait for a cold start" if waiting else ""
    return f"{style(plan.summary, 'strong')}{more}"


def _hosts(hosts: Sequence[HostPlan], width: int, *, verbose: bool) -> list[str]:
    """A block for each host; those of which the same is to be said share one, their names under each other."""
    blocks: dict[str, list[str]] = {}
    for host in hosts:
        body = "\n".join(_body(host, width, verbose=verbose))
        if body or host.action is not Action.NONE:
            blocks.setdefault(body, []).append(_title(host, width))
    return ["\n".join([*titles, body] if body else titles) for body, titles in blocks.items()]


def _body(host: HostPlan, width: int, *, verbose: bool) -> Iterator[str]:
    """What there is to say of one host."""
    yield from _fields(_shown(host, verbose=verbose), width)
    for step in host.steps if host.action is not Action.CHANGE else ():
        yield from wrapped(step, width, "    ", "      ")
    for one in host.findings:
        yield from _finding(one, width)


def _title(host: HostPlan, width: int) -> str:
    sign, colour, word = _SIGNS[host.action]
    if host.action is Action.CHANGE and host.effect is not None:
        word += _EFFECTS.get(host.effect, "")
    if host.action is Action.NONE and host.waiting:
        word = "waits for a cold start"
    if host.left:
        word = "left as it is"
    where = f"VM {host.vmid} on {host.node}" if host.vmid and host.node else ""
    marks = (f"locked: {host.lock}" if host.lock else "", f"HA {host.ha}" if host.ha else "")
    name, place = clean(host.host), ", ".join(clean(part) for part in (where, host.power, *marks) if part)
    fits = cells(f"  {name}  {place}  {word}") <= width
    parts = [style(name, "strong"), *([place] if place else [])]
    painted = click.style(sign, fg=colour) if colour else sign
    return f"{painted} {'  '.join(parts)}{'  ' if fits else f'{chr(10)}    '}{word}"


def _shown(host: HostPlan, *, verbose: bool) -> list[FieldPlan]:
    return [one for one in host.fields if verbose or one.state is not FieldState.UNMANAGED]


def _fields(fields: Sequence[FieldPlan], width: int) -> Iterator[str]:
    """Fields under each other; a place that several in a row share is told once."""
    names = [cells(one_line(one.field)) for one in fields]
    column = 6 + max((name for name in names if name <= _NAME), default=_NAME)
    for index, one in enumerate(fields):
        yield from _field(one, width, column)
        place = one.where if one.state.differs else ""
        if place and (index + 1 == len(fields) or fields[index + 1].where != place):
            shown = clean(place)
            yield f"{'':{max(4, min(column, width - cells(shown)))}}{shown}"


def _field(one: FieldPlan, width: int, column: int) -> Iterator[str]:
    """The field's name, from what to what, and why."""
    name, indent = f"    {one_line(one.field):<{column - 6}}  ", " " * column
    if cells(name) > column:
        yield name.rstrip()
        name = indent
    text = _value(one.there if one.state.differs else one.actual)
    if one.state is not FieldState.UNMANAGED:
        text += f" -> {_value(one.desired)}"
    lines = wrapped(text, width, name, indent)
    words = f"({_why(one)})"
    if cells(lines[-1]) + 2 + cells(words) <= width:
        lines[-1] += f"  {words}"
    else:
        lines += wrapped(words, width, indent, indent)
    yield from lines


def _why(one: FieldPlan) -> str:
    parts = [_STATES.get(one.state, str(one.state))]
    if one.state.differs and one.effect is not Effect.LIVE:
        parts.append(str(one.effect))
    if one.state is FieldState.CONFLICT and one.recorded:
        parts.append(f"last applied {_value(one.recorded)}")
    if one.note:
        parts.append(one_line(one.note))
    return ", ".join(parts)


def _value(text: str) -> str:
    return cut(one_line(text), _LONGEST) or "nothing"


def _finding(one: Finding, width: int) -> Iterator[str]:
    kind = style("warning", "waiting") if one.warning else style("error", "failed")
    yield f"    {style(clean(one.place), 'strong')}: {kind}[{one.code}]"
    yield from wrapped(one.what, width, "      ", "      ")
    if one.hint:
        yield from wrapped(f"hint: {one.hint}", width, "      ", "        ")


def _strays(strays: Sequence[Stray], width: int) -> str:
    lines = [style("VMs of this fleet that no host has; none is touched:", "strong")]
    for one in strays:
        text = f"VM {one.vmid} on {one.node}, {one.power}: marked as {one.host}, and {one.why}"
        lines += wrapped(text, width, "  ", "    ")
    hint = "hint: to destroy one, put its host back with `state: absent`; pvenix orphans names every way"
    return "\n".join([*lines, *wrapped(hint, width, "  ", "    ")])
