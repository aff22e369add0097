"""Contact is cut in mid-rebuild, in five ways and at moments that a seed chooses; what is claimed at the end is so."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.lanes.field import Ended, Field, Truth

WAYS: Final = ("reset", "silent", "half-open", "killed", "channel")
COMMANDS: Final = 66
"""About how many commands a rebuild sends to a host."""
NOTICED_S: Final = 20.0
DONE: Final = ("ok", "changed")
OPEN: Final = ("unknown", "unreachable")
"""Ends that claim nothing: they are resumed."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One cut: under the `nth` command, which is done or was not begun."""

    host: str
    way: str
    nth: int
    effect: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a cut."""

    cut: Cut
    struck: bool
    """False when the rebuild was over before its `nth` command."""
    said: str
    resumed: str
    """How it ended after `resume`; empty when there was nothing to resume."""
    silence_s: float
    """The longest time in which nothing was heard of the host: at most so long a cut went unnoticed."""
    wrong: str
    """Why what was said is not so; empty when it is."""


def chosen(hosts: tuple[str, ...], seed: int, first: int) -> tuple[Cut, ...]:
    """A cut for every host; the ways take turns."""
    rng = random.Random(seed * 1009 + first)
    return tuple(
        Cut(host=host, way=WAYS[(first + number) % len(WAYS)], nth=rng.randint(1, COMMANDS), effect=rng.random() < 0.5)
        for number, host in enumerate(hosts)
    )


def a_round(site: Field, cuts: tuple[Cut, ...], words: str) -> Iterator[Verdict]:
    """One run over the hosts, each of which is cut once; what is open is resumed once everything is quiet."""
    before = site.truths([cut.host for cut in cuts])
    commit = site.touched(words)
    for cut in cuts:
        site.arm("ssh-cut", cut.host, nth=cut.nth, how=cut.way, effect=cut.effect)
    ended = site.ended("rebuild", ":".join(cut.host for cut in cuts))
    missed = {fault["host"] for fault in site.ask_lab("status")["faults"]}
    site.ask_lab("clear")
    after = site.truths([cut.host for cut in cuts])
    again = site.ended("resume", ended.run) if set(ended.status.values()) - {*DONE} else None
    finally_ = site.truths([cut.host for cut in cuts]) if again else after
    for cut in cuts:
        wrong = false_claim(ended, cut, before[cut.host], after[cut.host], commit)
        if not wrong and again is not None:
            wrong = unfinished(again, cut.host, finally_[cut.host], commit)
        yield Verdict(
            cut=cut,
            struck=cut.host not in missed,
            said=ended.status.get(cut.host, "nothing"),
            resumed=again.status.get(cut.host, "") if again and ended.status.get(cut.host) not in DONE else "",
            silence_s=ended.gap_s.get(cut.host, 0.0),
            wrong=wrong,
        )


def false_claim(ended: Ended, cut: Cut, before: Truth, after: Truth, commit: str) -> str:
    """Why what the run said of the host is not so."""
    said = f"said {ended.status.get(cut.host)}: {ended.summary.get(cut.host)}"
    new, old = is_new(after, commit), is_old(after, before)
    match ended.status.get(cut.host):
        case "ok" | "changed":
            return "" if new else f"false ok: {said}; {after}"
        case "rolled back" | "unreachable":
            return "" if old else f"false {ended.status[cut.host]}: {said}; {after}"
        case "unknown":
            return ""
        case _:
            return f"false failed, as nothing failed but the contact: {said}; {after}"


def unfinished(again: Ended, host: str, truth: Truth, commit: str) -> str:
    """Why the host is not where `resume` was to bring it."""
    if host in again.status and again.status[host] not in DONE:
        return f"resumed, and then {again.status[host]}: {again.summary[host]}; {truth}"
    return "" if is_new(truth, commit) else f"resumed, and is not on the new system: {truth}"


def is_new(truth: Truth, commit: str) -> bool:
    """The commit's system runs, is the profile and boots, and nothing is left of the attempt."""
    return truth.revision == commit and truth.runs == truth.profile == truth.boots and not truth.left


def is_old(truth: Truth, before: Truth) -> bool:
    """The host is as it was."""
    return (truth.runs, truth.profile, truth.boots) == (before.runs, before.profile, before.boots)
