"""Plain lines: what ended goes to stdout, what goes on to stderr. Also the table at the end of a run."""

from __future__ import annotations

import click

from pvenix.cli.render.view import HostView, RunView
from pvenix.cli.settings import talk
from pvenix.cli.text import clean, one_line, style, table, verbatim
from pvenix.model.errors import ExitCode
from pvenix.model.events import Command, Event, Progress, RunStarted, StepEnded, StepEvidence, StepWaiting, WaveStarted

_EVIDENCE = 12
"""Last lines of a failed step that the table shows; the log has all of them."""
_WORDS = {ExitCode.CHANGES: "something is pending", ExitCode.ROLLED_BACK: "rolled back"}


class Plain:
    """One line for each step that ended; commands with `-v` and under `--check`."""

    def __init__(self, *, verbose: int = 0, diff: bool = False) -> None:
        self.view = RunView()
        self._verbose = verbose
        self._diff = diff
        self.width = 8

    def event(self, event: Event) -> None:
        """Print what the event says."""
        self.view.feed(event)
        match event:
            case RunStarted():
                self.width = max((len(host) for host in event.hosts), default=8)
                self.say(_opening(event))
            case WaveStarted() if event.of > 1:
                self.say(f"wave {event.number} of {event.of}: {', '.join(event.hosts)}")
            case StepEnded():
                self._ended(event)
            case Command():
                self._command(event)
            case Progress():
                self.say(self._line(event, one_line(event.text)))
            case StepEvidence() if self._verbose:
                self.say(self._line(event, f"records {one_line(', '.join(f'{k}={v}' for k, v in event.data.items()))}"))
            case StepWaiting():
                self.say(self._line(event, f"waits: {one_line(event.reason)}"))
            case _:
                pass

    def output(self, host: str, line: str) -> None:
        """Say a line of a host's output."""
        self.say(f"{host:<{self.width}}  | {verbatim(line)}")

    def tick(self) -> None:
        """Nothing changes with time."""

    def pause(self) -> None:
        """Nothing is in the way."""

    def go_on(self) -> None:
        """Nothing was given away."""

    def finish(self, exit_code: int) -> None:
        """Print the table of hosts."""
        click.echo(closing(self.view, exit_code))

    def say(self, text: str) -> None:
        """Talk that is not the result."""
        talk(text)

    def show(self, text: str) -> None:
        """A part of the result."""
        click.echo(text)

    def _ended(self, event: StepEnded) -> None:
        status = style(f"{event.status:<11}", event.status)
        took = f"  ({event.seconds:.1f} s)" if event.seconds >= 0.1 else ""
        self.show(self._line(event, f"{status} {one_line(event.summary)}{took}".rstrip()))
        if event.evidence and (self._diff or self._verbose) and event.status in ("ok", "changed", "pending"):
            self.show("\n".join(f"    {clean(line)}" for line in event.evidence))

    def _command(self, event: Command) -> None:
        if self.view.check and event.writes:
            self.show(self._line(event, f"would run [{event.channel}] {verbatim(event.text)}"))
        elif self._verbose:
            word = "runs" if event.writes else "reads"
            self.say(self._line(event, f"{word} [{event.channel}] {verbatim(event.text)}"))

    def _line(self, event: Event, text: str) -> str:
        return f"{event.host:<{self.width}}  {event.step.rpartition('.')[2]:<9}  {text}"


def closing(view: RunView, exit_code: int) -> str:
    """The end of a run in words: hosts with their status, the failing lines with their hints, counts, exit code."""
    rows = [(host.host, host.status or "unfinished", _last_word(host)) for host in view.hosts.values()]
    parts = ["", table(("HOST", "STATUS", "SUMMARY"), rows, status=1)]
    parts += [text for host in view.hosts.values() if (text := _trouble(host))]
    counts = ", ".join(f"{count} {status}" for status, count in view.counts().items() if count)
    took = f" in {view.end.seconds:.1f} s" if view.end else ""
    code = ExitCode(exit_code) if exit_code in set(ExitCode) else None
    word = _WORDS.get(code, code.name.lower()) if code is not None else "no code of ours"
    parts += ["", f"run {view.run}: {counts or 'no host ended'}{took}; exit code {exit_code} ({word})"]
    return "\n".join(parts)


def _last_word(host: HostView) -> str:
    if host.summary:
        return one_line(host.summary)
    ended = [step for step in host.steps.values() if step.end]
    return one_line(f"{ended[-1].verb}: {ended[-1].end.summary}") if ended and ended[-1].end else ""


def _trouble(host: HostView) -> str:
    end = host.trouble
    if end is None or not (end.evidence or end.hint):
        return ""
    lines = ["", f"{style(host.host, 'strong')} {end.verb}: {style(end.status, end.status)}: {one_line(end.summary)}"]
    lines += [f"  | {clean(line)}" for line in end.evidence[-_EVIDENCE:]]
    if end.hint:
        lines.append(f"  {style('hint', 'hint')}: {clean(end.hint)}")
    return "\n".join(lines)


def _opening(event: RunStarted) -> str:
    hosts = f"{len(event.hosts)} host{'s' if len(event.hosts) != 1 else ''}"
    mode = " (check: nothing is changed)" if event.check else ""
    return f"run {event.run}: {one_line(event.title)}, {hosts}{', resumed' if event.resumed else ''}{mode}"
