"""Lists as people and as programs read them: a table, one JSON document, or one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import click

from pvenix.cli.settings import Output, Settings
from pvenix.cli.text import table
from pvenix.model.secret import KNOWN


def show_rows(
    settings: Settings,
    name: str,
    items: Sequence[Mapping[str, object]],
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    status: int = -1,
    **more: object,
) -> None:
    """Print a list; its document has the schema `pvenix/<name>/v1` and the items under `name`."""
    match settings.output:
        case Output.JSON:
            click.echo(json.dumps(KNOWN.masked({"schema": f"pvenix/{name}/v1", **more, name: list(items)})))
        case Output.JSONL:
            for item in items:
                click.echo(json.dumps(KNOWN.masked({**more, **item})))
        case Output.TEXT:
            click.echo(table(header, rows, status=status) if items else f"no {name}")


def show_document(settings: Settings, name: str, item: Mapping[str, object], text: str) -> None:
    """Print one thing; its document has the schema `pvenix/<name>/v1`."""
    if settings.output is Output.TEXT:
        click.echo(text)
    else:
        click.echo(json.dumps(KNOWN.masked({"schema": f"pvenix/{name}/v1", **item})))
