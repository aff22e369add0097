"""Renderers for programs: every event as a line of JSON, or one document at the end."""

from __future__ import annotations

import json

import click
from typing_extensions import override

from pvenix.cli.render.view import RunView
from pvenix.cli.settings import talk
from pvenix.cli.text import verbatim
from pvenix.model.events import Event


class JsonLines:
    """Every event verbatim on stdout, a line each."""

    def __init__(self) -> None:
        self.view = RunView()

    def event(self, event: Event) -> None:
        """Print the event."""
        self.view.feed(event)
        click.echo(json.dumps(event.to_json(), separators=(",", ":")))

    def output(self, host: str, line: str) -> None:
        """Say the line on stderr: output is not an event."""
        talk(f"{host}: {verbatim(line)}")

    def tick(self) -> None:
        """Nothing changes with time."""

    def pause(self) -> None:
        """Nothing is in the way."""

    def go_on(self) -> None:
        """Nothing was given away."""

    def finish(self, exit_code: int) -> None:
        """Nothing: the last event said it."""


class JsonDocument(JsonLines):
    """One document at the end, schema `pvenix/run-result/v1`."""

    @override
    def event(self, event: Event) -> None:
        """Remember the event."""
        self.view.feed(event)

    @override
    def finish(self, exit_code: int) -> None:
        """Print the document."""
        click.echo(json.dumps(self.view.document(exit_code)))
