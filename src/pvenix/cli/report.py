"""How a command ends: an exit code, and for an error what failed, why, the evidence and the next command."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import click

from pvenix.cli.nothing import NothingToDo
from pvenix.cli.settings import Output, Settings, talk
from pvenix.cli.text import clean, style
from pvenix.model.errors import ExitCode, InvalidInput, LocalResource, PvenixError, Unreachable
from pvenix.model.findings import Finding
from pvenix.model.secret import KNOWN

_FULL = (errno.ENOSPC, errno.EDQUOT)


def guarded(command: Callable[[], object], settings: Settings) -> int:
    """The exit code of `command`; its errors are told on stderr."""
    try:
        code = command()
    except PvenixError as error:
        tell(error, settings)
        return error.exit_code
    except NothingToDo as reason:
        talk(str(reason))
        if settings.output is not Output.TEXT:
            click.echo(json.dumps({"schema": "pvenix/nothing-to-do/v1", "reason": str(reason)}))
        return ExitCode.OK
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        tell(_from_click(error), settings)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        talk("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - a bug: the person gets a file to send instead of a traceback
        if isinstance(error, OSError) and error.errno in _FULL:
            full = LocalResource("the disk is full", why=str(error), hint="make room; pvenix resume goes on with a run")
            talk("\n".join(error_lines(full)))
            return full.exit_code
        _tell_bug(error, settings)
        return ExitCode.FAILED
    if code == ExitCode.UNREACHABLE:
        _name_ways(settings)
    return code if isinstance(code, int) and not isinstance(code, bool) else ExitCode.OK


def tell(error: PvenixError, settings: Settings) -> None:
    """Print an error a person can act on; with JSON output a document of it goes to stdout too."""
    if settings.debug:
        talk("".join(traceback.format_exception(error)))
    if isinstance(error, InvalidInput):
        for finding in sorted(error.findings):
            talk("\n".join(finding_lines(finding)))
    for line in error_lines(error):
        talk(line)
    if isinstance(error, Unreachable):
        _name_ways(settings)
    if settings.output is not Output.TEXT:
        click.echo(json.dumps(KNOWN.masked(error_document(error))))


def error_lines(error: PvenixError) -> list[str]:
    """The error as lines: what, why, evidence, and the hint behind an empty line."""
    lines = [f"{style(f'error[{error.code}]', 'failed')}: {clean(error.what)}"]
    lines += [f"  {line}" for line in clean(error.why).splitlines()]
    lines += [f"  | {clean(line)}" for line in error.evidence]
    if error.hint:
        lines += ["", f"{style('hint', 'hint')}: {clean(error.hint)}"]
    return lines


def error_document(error: PvenixError) -> dict[str, object]:
    """The error as JSON, schema `pvenix/error/v1`."""
    return {
        "schema": "pvenix/error/v1",
        "code": error.code,
        "exit_code": int(error.exit_code),
        "what": error.what,
        "why": error.why,
        "hint": error.hint,
        "evidence": list(error.evidence),
        "findings": [finding_document(each) for each in error.findings] if isinstance(error, InvalidInput) else [],
    }


def finding_lines(finding: Finding) -> list[str]:
    """The finding as file:line:col, what is wrong, and a hint if there is one."""
    kind = style("warning", "waiting") if finding.warning else style("error", "failed")
    lines = [f"{style(clean(finding.place), 'strong')}: {kind}[{finding.code}]: {clean(finding.what)}"]
    return [*lines, f"  {style('hint', 'hint')}: {clean(finding.hint)}"] if finding.hint else lines


def finding_document(finding: Finding) -> dict[str, object]:
    """The finding as JSON."""
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "code": finding.code,
        "severity": "warning" if finding.warning else "error",
        "what": finding.what,
        "hint": finding.hint,
    }


def _name_ways(settings: Settings) -> None:
    """Where a site does not answer: what says which site that is, and how to try without one."""
    if settings.site_asked and not settings.lab:
        talk(
            f"{style('hint', 'hint')}: which site this is stands in inventory/site.yaml (clusters, access, repository)"
        )
        talk(f"{style('hint', 'hint')}: to try it on a simulated site that goes away afterwards, add --lab")


def _from_click(error: click.ClickException) -> PvenixError:
    hint = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"{error.ctx.command_path} --help"
    return PvenixError(error.format_message(), hint=hint, code="PVX0002")


def _tell_bug(error: Exception, settings: Settings) -> None:
    text = KNOWN.clean("".join(traceback.format_exception(error)))
    talk(f"{style('error[PVX0000]', 'failed')}: this is a bug in pvenix: {type(error).__name__}: {clean(str(error))}")
    if settings.debug:
        talk(text)
    try:
        path = _write_crash(text)
    except OSError as problem:
        talk(f"  its details could not be written: {problem}; run again with --debug")
    else:
        talk(f"\n{style('hint', 'hint')}: details are in {path}")


def _write_crash(text: str) -> Path:
    import platform

    import platformdirs

    from pvenix import __version__

    folder = platformdirs.user_state_path("pvenix") / "crashes"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}.txt"
    header = f"pvenix {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{header}arguments: {sys.argv[1:2]}\n\n{text}")
    return path


def _silence_stdout() -> None:
    """Keep Python from failing once more when it flushes stdout at exit; the reader is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
