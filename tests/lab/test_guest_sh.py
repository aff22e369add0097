"""sh -c on a guest: commands in sequence, where their output goes, how it ends; what the lab does not take is refused."""

from __future__ import annotations

import pytest

from pvenix_lab.site.guest.guest import Guest
from tests.lab.guest_support import Ran, root, run


def ran(status: int, out: str = "", err: str = "") -> Ran:
    return Ran(status=status, out=out, err=err)


CASES = {
    "echo out; echo err >&2; exit 3": ran(3, "out\n", "err\n"),
    "true && echo yes || echo no": ran(0, "yes\n"),
    "false && echo yes || echo no": ran(0, "no\n"),
    "false || false": ran(1),
    "false; true": ran(0),
    "false\nexit": ran(1),
    "exit 300; echo never": ran(44),
    "": ran(0),
    "echo 'a  b' \"c;d\" e\\ f '$HOME'": ran(0, "a  b c;d e f $HOME\n"),
    "echo x >/dev/null; echo y 1>&2": ran(0, "", "y\n"),
    "cat /nowhere 2>&1": ran(1, "cat: /nowhere: No such file or directory\n"),
    "cat /nowhere 2>/dev/null || echo gone": ran(0, "gone\n"),
    ": && echo a#b x=y": ran(0, "a#b x=y\n"),
    "no-such-program": ran(127, "", "sh: line 1: no-such-program: command not found\n"),
    "/no/such": ran(127, "", "sh: line 1: /no/such: No such file or directory\n"),
    "; true": ran(2, "", "sh: -c: line 1: syntax error near unexpected token `;'\n"),
    "true &&": ran(2, "", "sh: -c: line 2: syntax error: unexpected end of file\n"),
}


@pytest.mark.parametrize("text", CASES)
async def test_commands_in_sequence_run_as_in_bash(guest: Guest, text: str) -> None:
    assert await run(guest, "sh", "-c", text) == CASES[text]


REFUSED = (
    "echo a | cat", "sleep 1 &", "echo $HOME", "echo `id`", "echo >file", "cat <file", "(true)", "{ true; }", "! true", "ls *",
    "echo {a,b}", "A=1 env", "if true; then true; fi", "echo a # rest", "cd /", "set -e; true", "echo 2>&3",
)  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
async def test_what_the_lab_does_not_take_is_refused_before_anything_runs(guest: Guest, text: str) -> None:
    done = await root(guest, "sh", "-c", f"mkdir /var/lib/made; {text}")
    assert (done.status, "the lab" in done.err) == (127, True)
    assert not guest.tree.exists("/var/lib/made")


async def test_a_script_runs_where_a_program_of_the_guest_stands_behind_it(guest: Guest) -> None:
    assert (await run(guest, "bash", "/run/current-system/sw/bin/hostname")).out == "dns01\n"
    assert await run(guest, "sh", "/nowhere") == ran(127, "", "sh: /nowhere: No such file or directory\n")
    assert (await run(guest, "sh", "/etc/hostname")).status == 127
    assert await run(guest, "sh", stdin=b"echo a\necho b\n") == ran(0, "a\nb\n")


async def test_only_sh_and_env_stand_outside_of_the_store(guest: Guest) -> None:
    assert (await run(guest, "/bin/sh", "-c", "/usr/bin/env id -u")).out == "1000\n"
    assert (await run(guest, "/bin/bash", "-c", "true")).status == 127
