"""The console script `pvenix-tui`."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pvenix.engine.calls import CALLS
from pvenix.engine.readonly import VARIABLE as READ_ONLY
from pvenix_tui.prefs import Preferences, load, path_of_preferences
from pvenix_tui.themes import ThemeName

if TYPE_CHECKING:
    from pvenix.wiring import Workspace

WAYS = """Two ways to go on:
  pvenix-tui --lab               a throw-away simulated site, nothing to set up
  pvenix init DIR                a fleet of your own; then: pvenix-tui --fleet DIR"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="pvenix-tui", description="pvenix at a terminal: watch and drive a fleet.")
    parser.add_argument("--lab", action="store_true", help="bring up a throw-away simulated site for this session")
    parser.add_argument(
        "--fleet", metavar="DIR", type=Path, help="the fleet's checkout (default: found upwards from here)"
    )
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII alone")
    parser.add_argument("--theme", choices=[each.value for each in ThemeName], help="colours of this session")
    parser.add_argument("--read-only", action="store_true", help="look, and change nothing")
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of tui.yaml, for editors and checks"
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument(
        "--debug-lag", metavar="FILE", type=Path, help="write how late the event loop is, in milliseconds, to FILE"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """The process's exit code: 2 when there is no fleet or its files are wrong."""
    options = parser().parse_args(argv)
    if options.version:
        from pvenix import __version__

        sys.stdout.write(f"pvenix-tui {__version__}\n")
        return 0
    if options.schema:
        from pvenix_tui.prefsschema import schema_text

        sys.stdout.write(schema_text())
        return 0
    os.environ.setdefault("TEXTUAL_FPS", "120")  # read when textual is imported; halves the time from key to paint
    gc.set_threshold(20_000, 50, 1000)  # start-up and live logs make many objects and little garbage
    from pvenix.fleet.root import find_root
    from pvenix.model.errors import ExitCode, InvalidInput, PvenixError

    try:
        preferences = preferred(options)
        with _workspace(lab=options.lab, fleet=options.fleet) as workspace:
            return _run(workspace, preferences, throwaway=options.lab, lag=options.debug_lag)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except InvalidInput as error:
        _complain(error.what, *(str(finding) for finding in error.findings))
        return int(error.exit_code)
    except PvenixError as error:
        homeless = not options.lab and find_root(options.fleet or Path.cwd()) is None
        _complain(str(error), *([f"hint: {error.hint}"] if error.hint else []), *([WAYS] if homeless else []))
        return int(error.exit_code)


def preferred(options: argparse.Namespace) -> Preferences:
    """What tui.yaml says, overruled by the command line; the drawing and the engine obey from here on.

    Raises: InvalidInput with what is wrong in tui.yaml.
    """
    from pvenix_tui.glyphs import says_utf8, use_ascii

    said = load(path_of_preferences())
    locale = [os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    use_ascii(options.ascii or said.ascii or not says_utf8(locale))
    read_only = options.read_only or said.read_only
    if read_only:
        os.environ[READ_ONLY] = "1"  # whatever this window starts obeys too
    theme = ThemeName(options.theme) if options.theme else said.theme
    return replace(said, theme=theme, read_only=read_only)


@contextmanager
def _workspace(*, lab: bool, fleet: Path | None) -> Iterator[Workspace]:
    from pvenix.fleet.root import find_root

    if not lab:
        start = fleet or Path.cwd()
        found = find_root(start)
        workspace = _opening(found) if found is not None else _open(start)
        _need_terminal()
        yield workspace
        return
    from pvenix.cli.lab import throwaway_lab

    _need_terminal()
    say("bringing up a simulated site; it goes away with this window")
    with throwaway_lab(fleet or Path.cwd(), say=say) as root:
        yield _opening(root)


def _opening(root: Path) -> Workspace:
    """The fleet at `root`; the engine is loaded when something is first asked of it."""
    from pvenix_tui.opening import Opening

    return cast("Workspace", Opening(root, _open))


def _open(start: Path) -> Workspace:
    """Raises: UsageError when `start` is in no fleet."""
    from pvenix.wiring import Workspace

    return Workspace.open(start)


def _need_terminal() -> None:
    """Raises: UsageError where there is nothing to draw on; Textual reads stdin and draws on stderr."""
    from pvenix.model.errors import UsageError

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("pvenix-tui needs a terminal", hint="`pvenix status` shows the fleet as text")


def say(text: str) -> None:
    """Talk beside the screen, on stderr, before and after it."""
    sys.stderr.write(f"pvenix-tui: {text}\n")
    sys.stderr.flush()


def _run(workspace: Workspace, preferences: Preferences, *, throwaway: bool, lag: Path | None) -> int:
    from pvenix_tui.app import PvenixApp
    from pvenix_tui.remembered.firstlook import show_remembered
    from pvenix_tui.session import Session

    def prepare() -> None:
        """Where the log goes is known only from the inventory; the process's objects so far stay."""
        from pvenix.adapters.logs import clean_logs

        workspace.state_dir.mkdir(parents=True, exist_ok=True)
        logging.basicConfig(filename=workspace.state_dir / "tui.log", level=logging.WARNING, force=True)
        clean_logs()
        gc.freeze()

    CALLS.keep()
    session = Session(workspace, throwaway=throwaway, prepare=prepare, preferences=preferences)
    show_remembered(workspace.root, session.fleet, session.memory)
    app = PvenixApp(session)
    if lag is not None:
        from pvenix_tui.lag import LagSampler

        app.call_later(LagSampler(lag).start)
    code = app.run(mouse=preferences.mouse)
    if session.refused is not None:
        raise session.refused
    return code if isinstance(code, int) else (app.return_code or 0)


def _complain(*lines: str) -> None:
    from pvenix_tui.text import safe

    for line in lines:
        for part in line.splitlines():
            sys.stderr.write(f"{safe(part)}\n")


if __name__ == "__main__":
    raise SystemExit(main())
