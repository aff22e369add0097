"""What is known of one host, a fact a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pvenix.model.generation import EDITED, Generation, HostFacts, Sync
from pvenix.model.inspection import HostCard, VmLook
from pvenix.model.status import HostStatus
from pvenix_tui.backend import HostLike
from pvenix_tui.models.fleet import is_stale, own_groups
from pvenix_tui.models.hostlooks import agent_words, vm_words
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line
from pvenix_tui.models.states import age, sync_span

_NAME: Final = 9
"""Cells of a fact's name."""
_UNREAD: Final = {
    Sync.ABSENT: "No VM yet: o onboards it.",
    Sync.UNREACHABLE: "The host itself did not answer; the rest is not known.",
}
"""Why nothing of the host itself is known."""
_UNSEEN: Final = (Sync.UNREACHABLE, Sync.UNKNOWN)
_UNCLEAR: Final = "The rest is not known."


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything that was read of a host so far; None for what was not."""

    status: HostStatus | None = None
    card: HostCard | None = None
    vm: VmLook | None = None
    current: Generation | None = None
    """The generation that the profile names."""


def facts_lines(host: HostLike, known: Known, now: float) -> list[Line]:
    """What is known of a host, and since when."""
    status, card = known.status, known.card
    lines = [_fact("roles", " ".join(host.roles) or "none"), _fact("groups", ", ".join(own_groups(host)))]
    if status is None:
        return [*lines, *_of_card(card, now), EMPTY, text_line("Not read yet: ctrl+r reads it.", Tone.DIM)]
    stale = is_stale(status, now)
    lines += [
        ((f"{'state':<{_NAME}}", Tone.TITLE), sync_span(status.sync, stale=stale)),
        _fact("read", f"{age(status.seen_at, now)} ago" + (" (stale: ctrl+r reads it again)" if stale else "")),
    ]
    if status.problem:
        lines.append(((f"{'problem':<{_NAME}}", Tone.TITLE), *text_line(status.problem, Tone.BAD)))
    lines += _warnings(status)
    lines += [
        _fact("VM", _vm(status)),
        *_of_vm(known.vm),
        _fact("address", (status.address or "none known") + (f" ({status.address_why})" if status.address_why else "")),
        *_of_card(card, now),
    ]
    if status.facts is None:
        return [*lines, *_last(status, now), EMPTY, text_line(_UNREAD.get(status.sync, _UNCLEAR), Tone.WARN)]
    return [*lines, *_running(status, known.current)]


def _vm(status: HostStatus) -> str:
    """Which VM it is; that there is none is known only where Proxmox has answered."""
    if status.vmid:
        return f"{status.vmid} on {status.node}, {status.power or 'power unknown'}"
    if status.sync not in _UNSEEN:
        return "none"
    last = status.last
    return f"not known; {last.vmid} on {last.node} when it last answered" if last and last.vmid else "not known"


def _of_vm(found: VmLook | None) -> list[Line]:
    """What Proxmox says of the VM."""
    if found is None or not found.vmid:
        return []
    return [_fact("Proxmox", vm_words(found)), _fact("agent", agent_words(found))]


def _of_card(card: HostCard | None, now: float) -> list[Line]:
    """What this machine knows by itself."""
    if card is None:
        return []
    pinned = f"pinned {'for everybody' if card.shared_key else 'on this machine only'}: {card.key}"
    done = card.deployed
    by = "nothing was deployed from this machine"
    if done is not None:
        by = f"{done.verb} by {done.by or 'somebody'} {age(done.at, now)} ago, {done.outcome} (run {done.run})"
    return [
        _fact("deployed", by),
        _fact("key", pinned if card.key else "not pinned"),
        _fact("template", f"{card.template}, by {card.install}"),
        _fact("listed", f"{card.file}:{card.line}"),
    ]


def _running(status: HostStatus, current: Generation | None) -> list[Line]:
    facts = status.facts
    if facts is None:
        return []
    runs = facts.revision[:12] or "a system that names no commit"
    due = f"should be {status.expected[:12] or 'unknown'}"
    same = bool(status.expected) and facts.revision == status.expected
    lines = [EMPTY, _fact("commit", f"{runs}, {'as it should' if same else due}")]
    if current is not None:
        lines.append(_fact("system", f"NixOS {current.nixos or 'of unknown version'}, generation {current.number}"))
        lines.append(_fact("kernel", current.kernel or "unknown"))
    return [
        *lines,
        _fact("checkout", f"/etc/nixos at {facts.checkout[:12] or 'no commit'}"),
        *_systems(facts, status.generation),
    ]


def _systems(facts: HostFacts, generation: int) -> list[Line]:
    """The paths of what was booted, what runs and what the profile names; once where they are the same."""
    if facts.booted == facts.current == facts.profile:
        return [_fact("path", facts.current)]
    return [
        _fact("booted", facts.booted),
        _fact("current", facts.current),
        _fact("profile", f"{facts.profile} (generation {generation or '?'})"),
    ]


def _warnings(status: HostStatus) -> list[Line]:
    facts = status.facts
    if facts is None:
        return []
    lines: list[Line] = []
    for title, values in (
        ("edited", [_edit(edit) for edit in facts.edits]),
        ("drift", [line for line in status.drift if not line.startswith(EDITED)]),
        ("failed", list(facts.failed_units)),
        ("reboot", list(facts.reboot)),
        ("attempt", [f"{owner}: {status.held_by or 'of an unknown run'}" for owner in facts.fence]),
    ):
        lines += _several(title, values)
    return lines


def _several(title: str, values: Iterable[str]) -> list[Line]:
    return [
        ((f"{title if not index else '':<{_NAME}}", Tone.TITLE), *text_line(value, Tone.WARN))
        for index, value in enumerate(values)
    ]


def _last(status: HostStatus, now: float) -> list[Line]:
    """What the host was when it last answered."""
    if (last := status.last) is None:
        return []
    return [_fact("last", f"{age(last.seen_at, now)} ago it was {last.sync}, generation {last.generation or '?'}")]


def _edit(porcelain: str) -> str:
    """A line of `git status --porcelain` in words; its first two characters are the codes of git-status(1)."""
    word = {"M": "changed", "A": "added", "D": "deleted", "R": "renamed", "??": "not in Git"}.get(porcelain[:2].strip())
    return f"{word}: {porcelain[3:]}" if word else porcelain


def _fact(name: str, value: str) -> Line:
    return ((f"{name:<{_NAME}}", Tone.TITLE), *text_line(value))
