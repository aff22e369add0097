"""The part of the shell's language that a guest's `sh -c` takes: commands in sequence, their words, where output goes.

What is not taken is refused before anything runs: pipes, variables, globs, files to read or write, compound commands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pvenix_lab.site.guest.call import ProgramError
from pvenix_lab.site.guest.process import NOT_FOUND
from pvenix_lab.site.guest.shell import split_command

_TOKEN = re.compile(
    r"[ \t]*(?:(?P<joint>&&|\|\||;|\n)"
    r"|(?P<redirection>(?:[12]?>&[12]|[12]?>[ \t]*/dev/null)(?=[ \t;&|\n]|$))"
    r"|(?P<word>(?:'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.|[^\s;|&<>'\"\\])+)"
    r"|(?P<end>$)|(?P<other>.))",
    re.DOTALL,
)
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.", re.DOTALL)
_EXPANDS = re.compile(r"[*?\[()]|^[~#]|^[{}!]$|\{.*(?:,|\.\.).*\}")
_BUILTINS = (
    ". alias bg bind break builtin caller cd command continue declare dirs disown enable eval exec export fc fg getopts hash help "
    "jobs kill let local logout mapfile popd printf pushd read readonly return set shift shopt source suspend times trap type "
    "typeset ulimit umask unalias unset wait"
)
_KEYWORDS = "case coproc do done elif else esac fi for function if in select then time until while [["
_RESERVED = frozenset(f"{_KEYWORDS} {_BUILTINS}".split())
"""Words of bash that would mean something else, or nothing, here."""
_ASSIGNS = re.compile(r"[A-Za-z_]\w*\+?=")


@dataclass(slots=True, kw_only=True)
class Step:
    """One command: `after` is what stands before it (`;`, `&&` or `||`), `outputs` its redirections from left to right."""

    after: str
    words: list[str]
    outputs: list[tuple[str, str]]


def parse(text: str, name: str) -> list[Step]:
    """The commands of a script that `name` was given.

    Raises:
        ProgramError: 2 with bash's words for a syntax error, 127 for what the lab's shell does not take.
    """
    steps: list[Step] = []
    step = Step(after=";", words=[], outputs=[])
    for match in _TOKEN.finditer(text):  # whatever stands there is some token: nothing is passed over
        if joint := match["joint"]:
            step = _joined(steps, step, joint, name)
        elif redirection := match["redirection"]:
            number, _, target = redirection.partition(">")
            step.outputs.append((number or "1", target.strip()))
        elif match["word"]:
            step.words.append(_word(match["word"], name, first=not step.words))
        elif match["other"]:
            raise _refused(match["other"], name)
    if step.words or step.outputs:
        _joined(steps, step, ";", name)
    elif step.after != ";":
        raise ProgramError(f"{name}: -c: line {text.count(chr(10)) + 2}: syntax error: unexpected end of file", 2)
    return steps


def _joined(steps: list[Step], step: Step, joint: str, name: str) -> Step:
    """Take a command whose end was found, and begin the next one."""
    if not step.words:
        if joint == "\n" and not step.outputs:
            return step
        if step.outputs:
            raise _refused("a redirection without a command", name)
        raise ProgramError(f"{name}: -c: line 1: syntax error near unexpected token `{joint}'", 2)
    steps.append(step)
    return Step(after=";" if joint == "\n" else joint, words=[], outputs=[])


def _word(raw: str, name: str, *, first: bool) -> str:
    bare = _QUOTED.sub("", raw)
    if _EXPANDS.search(bare) or (first and (bare in _RESERVED or _ASSIGNS.match(bare))):
        raise _refused(raw, name)
    return split_command(raw)[0]


def _refused(what: str, name: str) -> ProgramError:
    shown = {"\n": "newline"}.get(what, what)
    return ProgramError(f"{name}: the lab's shell does not take '{shown}'", NOT_FOUND)
