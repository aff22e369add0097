"""The console script: answers `--version` before the command-line library is loaded, and hands the rest to it."""

from __future__ import annotations

import sys

from pvenix import __version__


def main() -> int:
    """The process's exit code."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"pvenix {__version__}\n")
        return 0
    from pvenix.cli.main import main as command_line

    return command_line()
