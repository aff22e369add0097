"""sh and bash without a terminal: `-c` with commands in sequence, a script that is a program of the guest; texts of bash 5.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.guest.call import Call, ProgramError
from pvenix_lab.site.guest.process import NOT_FOUND
from pvenix_lab.site.guest.script import Step, parse

if TYPE_CHECKING:
    from pvenix_lab.site.guest.streams import ByteWriter

_NOT_A_NUMBER = 2


class _Nowhere:
    """/dev/null."""

    def write(self, data: bytes, /) -> None:
        """Forget it."""

    async def drain(self) -> None:
        """Nothing to wait for."""


async def sh(call: Call) -> int:
    """`sh -c TEXT`, `sh PROGRAM …`, or `sh` with the text on standard input: the exit status is the last command's."""
    name, words = call.argv[0], call.args
    if words[:1] in (("-c",), ("-lc",)):
        if len(words) == 1:
            raise ProgramError(f"{name}: -c: option requires an argument", 2)
        text = words[1]
    elif not words or words == ("-s",):
        text = (await call.stdin.read()).decode("utf-8", "replace")
    elif words[0].startswith("-"):
        raise ProgramError(f"{name}: the lab's takes -c TEXT, not {words[0]}", NOT_FOUND)
    else:
        return await _script(call)
    return await _run(call, parse(text, name), name)


async def _script(call: Call) -> int:
    path = call.full(call.args[0])
    if not call.tree.exists(path):
        raise ProgramError(f"{call.argv[0]}: {call.args[0]}: No such file or directory", NOT_FOUND)
    inner = call.with_argv((path, *call.args[1:]))
    if not call.guest.shell.has(inner):
        raise ProgramError(f"{call.argv[0]}: the lab's runs no script of its own making: {call.args[0]}", NOT_FOUND)
    return await call.guest.shell.execute(inner)


async def _run(call: Call, steps: list[Step], name: str) -> int:
    status = 0
    for step in steps:
        if (step.after == "&&" and status) or (step.after == "||" and not status):
            continue
        inner = _joined(call, step)
        if step.words[0] == "exit":
            return _exit_status(inner, status, name)
        status = await _one(inner, name)
    return status


def _joined(call: Call, step: Step) -> Call:
    """The step's call, its two outputs where the redirections lead."""
    outputs: dict[str, ByteWriter] = {"1": call.stdout, "2": call.stderr}
    for number, target in step.outputs:
        outputs[number] = outputs[target[1:]] if target.startswith("&") else _Nowhere()
    return call.with_argv(tuple(step.words), stdout=outputs["1"], stderr=outputs["2"], path="")


def _exit_status(call: Call, last: int, name: str) -> int:
    if not call.args:
        return last
    if not call.args[0].lstrip("+-").isdigit():
        call.err(f"{name}: line 1: exit: {call.args[0]}: numeric argument required")
        return _NOT_A_NUMBER
    return int(call.args[0]) & 0xFF


async def _one(call: Call, name: str) -> int:
    word = call.argv[0]
    if word == ":":
        return 0
    if not call.guest.shell.has(call):
        text = "No such file or directory" if "/" in word else "command not found"
        call.err(f"{name}: line 1: {word}: {text}")
        return NOT_FOUND
    return await call.guest.shell.execute(call)
