"""What a rebuild brings to hosts, by what they run and what main holds: commits, as far as both are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pvenix.engine.ports import Commit
from pvenix_tui.models.lines import Line, Tone
from pvenix_tui.models.plan import field_line

_SHOWN: Final = 4
_HOSTS: Final = 3


def brings_lines(commits: Sequence[Commit], runs: Mapping[str, str]) -> list[Line]:
    """For `commits` of main, newest first, and the commit that each host runs, empty where that is not known."""
    if not commits:
        return []
    known: dict[str, int] = {commit.id: index for index, commit in enumerate(commits)}
    groups: dict[str, list[str]] = {}
    for host, revision in runs.items():
        groups.setdefault(revision, []).append(host)
    texts: list[tuple[str, Tone]] = []
    far = 0
    for revision, hosts in groups.items():
        behind = known.get(revision, -1) if revision else -1
        far = max(far, behind)
        texts.append(
            (f"{_what(commits[0], revision, behind)} ({_names(hosts)})", Tone.WARN if behind < 0 else Tone.PLAIN)
        )
    texts += [(f"{commit.id[:7]} {commit.subject}", Tone.DIM) for commit in commits[: min(far, _SHOWN)]]
    if far > _SHOWN:
        texts.append((f"and {far - _SHOWN} more", Tone.DIM))
    return [field_line("" if index else "Brings", text, tone) for index, (text, tone) in enumerate(texts)]


def edits_lines(edits: Mapping[str, Sequence[str]]) -> list[Line]:
    """What people edited in /etc/nixos of hosts, lines of `git status --porcelain`: a build puts it aside."""
    return [
        field_line(
            "" if index else "Edits",
            f"{len(found)} of {host} {'is' if len(found) == 1 else 'are'} put aside there (git stash): "
            + _names([line[3:] for line in found]),
            Tone.WARN,
        )
        for index, (host, found) in enumerate((host, found) for host, found in edits.items() if found)
    ]


def _what(tip: Commit, revision: str, behind: int) -> str:
    if not revision:
        return f"{tip.id[:7]}; what runs is not known"
    if behind < 0:
        return f"{tip.id[:7]} from {revision[:7]}, which is none of main's newest commits"
    if not behind:
        return f"nothing new: {tip.id[:7]} runs"
    return f"{tip.id[:7]} from {revision[:7]}, {behind} commit{'s' if behind > 1 else ''}"


def _names(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - _HOSTS} more" if len(hosts) > _HOSTS else ""
    return ", ".join(hosts[:_HOSTS]) + more
