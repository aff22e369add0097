"""What the wizard draws of an onboarding: its steps, what each recorded and said, and what a person may do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pvenix.model.outcome import Status
from pvenix.model.sofar import SoFar
from pvenix.model.verbs import VERBS
from pvenix_tui.models.lines import Column, Line, Span, Tone, text_line
from pvenix_tui.models.states import QUEUED, RUNNING, clock_word, epoch, status_span
from pvenix_tui.models.wizard import StepSeen, WizardModel

STEP_COLUMNS: Final = (
    Column(title="", width=2),
    Column(title="STEP", width=10),
    Column(title="", width=12, grow=1),
    Column(title="TIME", width=5),
)


_LABELS: Final = {
    "vmid": "VM", "node": "node", "storage": "storage", "route": "way", "template": "template", "upid": "task",
    "address": "address", "uuid": "smbios uuid", "boot_id": "boot", "host_key": "host key", "branch": "branch",
    "commit": "commit", "registered": "registered", "base": "base", "unit": "unit", "attempt": "attempt",
    "path": "system", "generation": "generation", "old": "was", "new": "system", "asked": "asks for",
}  # fmt: skip
"""What is worth a line of what a step recorded, in words; the rest is in the journal."""


def _state(step: StepSeen, *, dead: bool) -> Span:
    """A step's state in a word; where the run's process died, nothing runs, whatever was begun."""
    return status_span("interrupted" if dead and step.state == RUNNING else step.state)


def step_cells(step: StepSeen, number: int, now: float, *, dead: bool = False) -> Sequence[Span]:
    """A step in the list."""
    word, tone = _state(step, dead=dead)
    time = clock_word(step.elapsed(now)) if step.started_at and not (dead and step.state == RUNNING) else ""
    name_tone = Tone.STRONG if step.gate or step.state == RUNNING else Tone.PLAIN if step.good else Tone.DIM
    return ((f"{number:>2}", Tone.DIM), (step.task.verb, name_tone), (word, tone), (time, Tone.DIM))


def breadcrumb(model: WizardModel, now: float, *, paused: bool = False, dead: bool = False) -> Line:
    """All steps in one line: where it is, since when, and how many are behind it."""
    step = model.current
    if step is None:
        return text_line(" no steps", Tone.DIM)
    number, good = model.steps.index(step) + 1, sum(1 for one in model.steps if one.good)
    skipped = sum(1 for one in model.steps if one.state == Status.SKIPPED)
    word, tone = _state(step, dead=dead)
    spans: list[Span] = [
        (f" {number}/{len(model.steps)} ", Tone.STRONG),
        *text_line(step.task.verb, Tone.STRONG),
        (f"  {word} ", tone),
        (_timer(step, now, dead=dead), Tone.DIM),
        ("  pauses next", Tone.WARN) if paused else ("", Tone.PLAIN),
        (f"   done {good - skipped}", Tone.OK),
        (f"  skipped {skipped}", Tone.DIM) if skipped else ("", Tone.PLAIN),
        (f"  to go {len(model.steps) - good}", Tone.DIM),
    ]
    return tuple(spans)


def _timer(step: StepSeen, now: float, *, dead: bool) -> str:
    if not step.started_at or (dead and step.state == RUNNING):
        return ""
    limit = f" of at most {clock_word(step.limit_s)}" if step.limit_s and step.state == RUNNING else ""
    return f"{clock_word(step.elapsed(now))}{limit}"


def narrow_lines(model: WizardModel, step: StepSeen | None, *, dead: bool = False) -> list[Line]:
    """The steps from the one before this on, for a step without detail where the list has no room: what is ahead of it."""
    at = model.steps.index(step) if step in model.steps else 0
    return [
        (
            (f" {number:>2} ", Tone.DIM),
            *text_line(f"{each.task.verb:<11}", Tone.STRONG if each is step else Tone.PLAIN),
            _state(each, dead=dead),
            *text_line(f"  {_beside(each)}" if each.ended else "", Tone.DIM),
        )
        for number, each in enumerate(model.steps, 1)
        if number >= at
    ]


def step_title(step: StepSeen | None, now: float, *, dead: bool = False) -> Line:
    """The heading of what shows of a step."""
    if step is None:
        return text_line(" no step", Tone.DIM)
    word, tone = _state(step, dead=dead)
    spec = VERBS.get(step.task.verb)
    return (
        *text_line(f" {step.task.verb} ", Tone.TITLE),
        (f"{word}  ", tone),
        (_timer(step, now, dead=dead), Tone.DIM),
        *text_line(f"  {spec.help if spec else step.task.name}", Tone.DIM),
    )


def detail_lines(step: StepSeen | None) -> list[Line]:
    """What a step recorded, what it showed, and its phases, the newest last."""
    if step is None:
        return []
    lines: list[Line] = []
    known = [(_LABELS[key], value) for key, value in step.data.items() if key in _LABELS and value]
    width = max((len(label) for label, _ in known), default=0)
    lines += [((f" {label:<{width}}  ", Tone.TITLE), *text_line(value)) for label, value in known]
    lines += [text_line(f"   {line}", Tone.DIM) for line in step.evidence]
    lines += [((f" {_since(step, at)} ", Tone.DIM), *text_line(text)) for at, text in step.phases]
    return lines


def _beside(step: StepSeen) -> str:
    """What a step came to, where its state stands before it: no word is said twice."""
    return step.said.removeprefix(f"{step.state} ")


def said_lines(model: WizardModel, step: StepSeen | None) -> list[Line]:
    """What the step came to and what helps; of one that waits for its turn, what the one before it came to."""
    if step is None:
        return []
    if step.gate or step.state == QUEUED:
        number = model.steps.index(step)
        before = next((one for one in reversed(model.steps[:number]) if one.ended and one.said), None)
        if before is None:
            return []
        word, tone = status_span(before.state)
        return [
            (*text_line(f" {before.task.verb} ", Tone.DIM), (f"{word} ", tone), *text_line(_beside(before), Tone.DIM))
        ]
    lines: list[Line] = []
    if step.ended and step.said:
        lines.append(text_line(f" {step.said}", Tone.BAD if _went_wrong(step) else Tone.PLAIN))
    return [*lines, *([((" hint  ", Tone.WARN), *text_line(step.hint, Tone.WARN))] if step.hint else [])]


def _went_wrong(step: StepSeen) -> bool:
    return step.ended and not step.good and step.state != Status.WAITING


def _since(step: StepSeen, at: str) -> str:
    start, moment = epoch(step.started_at), epoch(at)
    return "     " if start is None or moment is None else f"+{clock_word(max(0.0, moment - start))}"


def next_lines(model: WizardModel, state: str, *, can_skip: bool) -> list[Line]:
    """What a person may do now, when something waits for one."""
    step = model.current
    if model.note:
        return [((" ! ", Tone.WARN), *text_line(model.note, Tone.WARN))]
    if model.done:
        return [((" + ", Tone.OK), *text_line(f"{model.host} is part of the fleet; esc leaves", Tone.OK))]
    if step is None or state == "starting":
        return []
    if step.task.verb == "review" and step.state == Status.WAITING and step.ended:
        return [((" v ", Tone.ACCENT), ("reviews and merges it here; then ", Tone.PLAIN), *_key("enter", "goes on"))]
    if step.state == Status.WAITING and step.ended:
        return [((" a ", Tone.ACCENT), ("approves what it asks about, or leaves it waiting", Tone.PLAIN))]
    skip = _key("K", "goes on without it   ") if can_skip else ()
    if step.gate:
        return [(*_key(" enter", f"starts {step.task.verb}   "), *skip)]
    if _went_wrong(step):
        return [(*_key(" r", "tries it again   "), *skip, *_key("z", "takes all back"))]
    if state == "interrupted":
        return [((" ! its process died; ", Tone.WARN), *_key("enter", "looks and goes on"))]
    if state == "ended":
        return [((" ! the run has ended; ", Tone.WARN), *_key("enter", "goes on where it stopped"))]
    return []


def _key(key: str, words: str) -> tuple[Span, ...]:
    return ((f"{key} ", Tone.ACCENT), (words, Tone.PLAIN))


def about_lines(model: WizardModel, found: SoFar | None) -> list[Line]:
    """The host so far, and what its undo would take back."""
    facts = model.facts()
    lines: list[Line] = []
    if facts.get("vmid"):
        at = f" on {facts['node']}" if facts.get("node") else ""
        lines.append(text_line(f" VM {facts['vmid']}{at}", Tone.STRONG))
    lines += [
        text_line(f" {word} {facts[key]}")
        for key, word in (("address", "address"), ("host_key", "host key"))
        if key in facts
    ]
    if found is None:
        return lines
    lines += [(), ((" Undo so far", Tone.TITLE),)]
    lines += [text_line(f"   {text}") for text in found.lines] or [text_line("   nothing to take back", Tone.DIM)]
    return [*lines, *(text_line(f"   {text}", Tone.DIM) for text in found.stays)]
