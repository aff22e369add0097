"""The root of the command line: from arguments to an exit code, with every error told in one way."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
from typing_extensions import override

from pvenix import __version__
from pvenix.cli.lazy import LazyGroup
from pvenix.cli.report import guarded
from pvenix.cli.settings import Settings, global_options


class Root(LazyGroup):
    """`pvenix`; its `main` never shows a traceback unless asked."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = [param for param in self.params if param.expose_value or param.is_eager]
        self.params = [*own, *global_options(environment=True)]

    @override
    def main(self, args: Sequence[str] | None = None, *rest: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        settings = extra.pop("obj", None) or Settings()
        extra.setdefault("prog_name", "pvenix")
        inherited: Callable[..., Any] = super().main

        def command() -> object:
            return inherited(args, *rest, standalone_mode=False, obj=settings, color=_color(), **extra)

        code = guarded(command, settings)
        if standalone_mode:
            sys.exit(code)
        return code


def _color() -> bool | None:
    """Whether to colour, by the environment; None is up to each stream being a terminal (no-color.org, clicolors)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return True if os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0") else None


@click.command(
    "pvenix",
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    examples=(
        "pvenix lab up /tmp/lab && cd /tmp/lab/fleet    a simulated site to try everything on",
        "pvenix run playbooks/onboard.yaml -l dns02     from a line in the inventory to a running host",
        "pvenix status                                  what every host runs, against what it should run",
    ),
)
@click.version_option(__version__, prog_name="pvenix", message="%(prog)s %(version)s")
def cli() -> None:
    """The cockpit for a NixOS fleet on Proxmox VE."""


def main() -> int:
    """The process's exit code for its own arguments."""
    code: int = cli.main(standalone_mode=False)
    return code
