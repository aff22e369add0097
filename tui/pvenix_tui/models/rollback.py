"""Where each host goes back to: the choice by itself, without a screen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pvenix.model.generation import Generation
from pvenix_tui.models.effects import Method, checks_line, effect_lines
from pvenix_tui.models.lines import Column, Line, Span, Tone, text_line
from pvenix_tui.models.states import age

if TYPE_CHECKING:
    from pvenix.lifecycle.effects import Effects

COLUMNS: Final = (
    Column(title="HOST", width=14, grow=1),
    Column(title="NOW", width=4),
    Column(title="TO", width=4),
    Column(title="AGE", width=4),
    Column(title="COMMIT", width=8, keep=1),
    Column(title="WHY THIS ONE", width=16, grow=2, prose=True),
)


@dataclass(slots=True)
class Choosing:
    """One host, and where it is to go."""

    host: str
    generations: tuple[Generation, ...] = ()
    """Newest first."""
    problem: str = ""
    """Why they could not be read."""
    read: bool = False
    to: int = 0
    why: str = ""
    left_out: bool = False

    @property
    def now(self) -> Generation | None:
        """What it runs: what is known to run, else what the profile names."""
        running = [each for each in self.generations if each.running]
        named = [each for each in self.generations if each.current]
        both = [each for each in running if each.current]
        return next(iter(both or running or named), None)

    @property
    def aim(self) -> Generation | None:
        """Where it goes; None when it stays as it is."""
        return None if self.left_out else next((each for each in self.generations if each.number == self.to), None)

    def choose(self, generation: Generation | None, why: str) -> None:
        """Go there, or nowhere."""
        self.to, self.why = (generation.number, why) if generation else (0, why)

    def others(self) -> list[Generation]:
        """Where it may go, newest first."""
        now = self.now
        return [each for each in self.generations if now is None or each.number != now.number]


@dataclass(slots=True)
class RollbackModel:
    """Hosts with their generations as they come in, and what a person has chosen."""

    hosts: dict[str, Choosing]
    method: Method = Method.SWITCH
    effects: dict[tuple[str, int], Effects] = field(default_factory=dict)
    failed: dict[tuple[str, int], str] = field(default_factory=dict)
    """Why the effects of one generation are not known."""

    @classmethod
    def of(cls, hosts: Iterable[str]) -> RollbackModel:
        """Nothing is known of any host yet."""
        return cls({host: Choosing(host) for host in hosts})

    def as_chosen(self) -> RollbackModel:
        """What is chosen now, whatever hosts answer afterwards; effects that come in are known to both."""
        return replace(self, hosts={host: replace(one) for host, one in self.hosts.items()})

    def load(self, host: str, found: Iterable[Generation], *, to: int = 0) -> None:
        """A host has answered; it goes to `to`, else where it went before, else to the previous one."""
        one = self.hosts[host]
        one.generations = tuple(sorted(found, key=lambda each: -each.number))
        one.read, one.problem = True, ""
        if to and any(each.number == to for each in one.others()):
            one.to, one.why = to, "chosen"
        elif one.aim is None and not one.left_out:
            self.previous((host,))

    def fail(self, host: str, problem: str) -> None:
        """A host's generations could not be read: it stays as it is."""
        one = self.hosts[host]
        one.generations, one.read, one.problem = (), True, problem

    def previous(self, hosts: Collection[str] = ()) -> None:
        """These hosts, or all, go to the generation before the one that they run."""
        for host in hosts or self.hosts:
            one = self.hosts[host]
            now = one.now
            before = next((each for each in one.others() if now is None or each.number < now.number), None)
            if one.generations:
                one.choose(before, "the previous one" if before else "no earlier one is kept")

    def same_commit(self, host: str) -> str:
        """All go to their newest generation of the commit that `host` goes to; why not, empty when they do."""
        aim = self.hosts[host].aim
        if aim is None or not aim.revision:
            return "the chosen generation names no commit" if aim else f"{host} goes nowhere"
        for one in self.hosts.values():
            if not one.generations:
                continue
            now = one.now
            if now is not None and now.revision == aim.revision:
                one.choose(None, f"it runs {aim.revision[:7]} already")
                continue
            found = next((each for each in one.others() if each.revision == aim.revision), None)
            one.choose(found, f"same commit as {host}" if found else f"no generation of {aim.revision[:7]}")
        return ""

    def change(self, host: str, *, older: bool) -> str:
        """The host goes to the next older or newer generation; why not, empty when it does."""
        one = self.hosts[host]
        if not one.generations:
            return one.problem or "its generations are being read"
        others = one.others()
        numbers = [each.number for each in others]
        if one.to in numbers:
            index = numbers.index(one.to) + (1 if older else -1)
        else:
            now = one.now.number if one.now else 0
            newer = sum(number > now for number in numbers)
            index = newer if older else newer - 1
        if not 0 <= index < len(others):
            return f"{host} has no {'older' if older else 'newer'} generation"
        one.left_out = False
        one.choose(others[index], "chosen")
        return ""

    def before_run(self, host: str, number: int, why: str) -> None:
        """The host goes to what it ran before a run, when it still has it."""
        one = self.hosts[host]
        found = next((each for each in one.others() if each.number == number), None)
        if found is not None:
            one.choose(found, why)

    def leave(self, host: str) -> None:
        """Leave the host as it is, or take it in again."""
        self.hosts[host].left_out = not self.hosts[host].left_out

    @property
    def aims(self) -> dict[str, Generation]:
        """Where each host goes that goes anywhere."""
        return {host: aim for host, one in self.hosts.items() if (aim := one.aim) is not None}

    @property
    def waiting(self) -> int:
        """Hosts whose generations are still being read."""
        return sum(not one.read for one in self.hosts.values())

    def left_as_they_are(self) -> list[tuple[str, str]]:
        """The hosts that go nowhere, and why."""
        return [(host, _why_not(one)) for host, one in self.hosts.items() if one.aim is None]

    def cells(self, one: Choosing, now: float) -> Sequence[Span]:
        """The table's cells for a host."""
        runs, aim = one.now, one.aim
        if aim is None:
            tone = Tone.BAD if one.problem else Tone.DIM
            number = str(runs.number) if runs else "?"
            return [
                (one.host, Tone.DIM),
                (number, Tone.DIM),
                ("-", tone),
                ("", tone),
                ("", tone),
                (_why_not(one), tone),
            ]
        pinned = f"{one.why}, pinned" if aim.pinned else one.why
        return [
            (one.host, Tone.STRONG),
            (str(runs.number) if runs else "?", Tone.PLAIN),
            (str(aim.number), Tone.ACCENT),
            (age(aim.date, now), Tone.PLAIN),
            (aim.revision[:7] or "none", Tone.PLAIN if aim.revision else Tone.DIM),
            (pinned, Tone.PLAIN),
        ]


def _why_not(one: Choosing) -> str:
    if one.problem:
        return one.problem.removeprefix(f"{one.host} ")  # the row or line begins with it
    if not one.read:
        return "being read"
    return "left out" if one.left_out else one.why or "nowhere to go"


def generation_words(one: Choosing, generation: Generation) -> str:
    """What a generation is to its host, in words: it runs, it boots next time, it is kept, it is chosen."""
    now = one.now
    words = [
        *(["runs now"] if now is not None and now.number == generation.number else []),
        *(["boots next"] if generation.boot_default and not generation.running else []),
        *(["booted"] if generation.booted and not generation.running else []),
        *([f"pinned: {generation.reason}" if generation.reason else "pinned"] if generation.pinned else []),
        *(["goes here"] if one.aim is not None and one.aim.number == generation.number else []),
    ]
    return ", ".join(words)


def generation_lines(one: Choosing, now: float) -> list[Line]:
    """All generations of a host, newest first."""
    lines: list[Line] = [(("Generations", Tone.TITLE),)]
    for each in one.generations:
        words = generation_words(one, each)
        aimed = one.aim is not None and one.aim.number == each.number
        tone = Tone.ACCENT if aimed else Tone.STRONG if words else Tone.PLAIN
        text = (
            f"  {each.number:>4}  {age(each.date, now):>4}  {each.revision[:7] or 'none':<7}  {_dated(each.nixos):<14}"
        )
        lines.append((*text_line(text, tone), *text_line(f"  {words}", tone)))
    return lines


def _dated(nixos: str) -> str:
    """A version of NixOS up to its date: `25.11.20260510`, without the commit of nixpkgs."""
    return ".".join(nixos.split(".")[:3])[:14]


def summary_lines(model: RollbackModel, method: Method = Method.SWITCH) -> list[Line]:
    """Every host's effects for the plan: what goes where, what changes, and what is not known."""
    lines: list[Line] = []
    if left := model.left_as_they_are():
        lines += [
            (("Left as they are", Tone.TITLE),),
            *(text_line(f"  {host}: {why}", Tone.WARN) for host, why in left),
        ]
    lines.append((("Changes", Tone.TITLE),))
    for host, aim in model.aims.items():
        one = model.hosts[host]
        now = str(one.now.number) if one.now else "?"
        lines.append(
            (*text_line(f"  {host}", Tone.STRONG), *text_line(f"  generation {now} to {aim.number}", Tone.ACCENT))
        )
        found = model.effects.get((host, aim.number))
        if found is None:
            problem = model.failed.get((host, aim.number), "not read")
            lines.append(text_line(f"    what changes is not known: {problem}", Tone.BAD))
            continue
        lines += [(("    ", Tone.PLAIN), *line) for line in effect_lines(found, method=method)]
    lines.append((("  ", Tone.PLAIN), *checks_line(method)))
    return lines


def aim_numbers(aims: Mapping[str, Generation]) -> dict[str, int]:
    """The number of each host's generation."""
    return {host: aim.number for host, aim in aims.items()}
