"""The small programs of a guest, against what GNU coreutils 9 and the shell print."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from pvenix_lab.site.guest.call import ProgramError
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.shell import split_command
from pvenix_lab.site.guest.streams import BytesReader, BytesWriter
from tests.lab.guest_support import Ran, root, run


@pytest.mark.parametrize(
    ("argv", "status", "out", "err"),
    [
        (("hostname",), 0, "dns01\n", ""),
        (("true",), 0, "", ""),
        (("id", "-u"), 0, "1000\n", ""),
        (("sudo", "-n", "id", "-u"), 0, "0\n", ""),
        (("nope", "x"), 127, "", "bash: line 1: nope: command not found\n"),
        (("/bin/nope",), 127, "", "bash: line 1: /bin/nope: No such file or directory\n"),
        (("sudo", "-n", "nope"), 1, "", "sudo: nope: command not found\n"),
        (("cat", "/etc/none"), 1, "", "cat: /etc/none: No such file or directory\n"),
        (("cat", "/etc/ssh/ssh_host_ed25519_key"), 1, "", "cat: /etc/ssh/ssh_host_ed25519_key: Permission denied\n"),
        (("cat", "/var/lib/fleet/id_ed25519.pub"), 1, "", "cat: /var/lib/fleet/id_ed25519.pub: Permission denied\n"),
        (("mkdir", "/var/lib/x"), 1, "", "mkdir: cannot create directory '/var/lib/x': Permission denied\n"),
        (("sudo", "-n", "mkdir", "/etc"), 1, "", "mkdir: cannot create directory '/etc': File exists\n"),
        (("sudo", "-n", "mkdir", "-p", "/etc"), 0, "", ""),
        (("readlink", "/nix/var/nix/profiles/system"), 0, "system-1-link\n", ""),
        (("readlink", "-f", "/none/at/all"), 1, "", ""),
        (("test", "-e", "/etc/none"), 1, "", ""),
        (("test", "-d", "/etc"), 0, "", ""),
        (("ls", "-1", "/none"), 2, "", "ls: cannot access '/none': No such file or directory\n"),
        (("ls", "-1", "/var"), 0, "empty\nlib\nlog\ntmp\n", ""),
        (("sudo", "-n", "rm", "-rf", "/etc/ssh"), 1, "", "rm: cannot remove '/etc/ssh': Operation not permitted\n"),
        (("rm", "-f", "/tmp/none"), 0, "", ""),
        (
            ("dd", "if=/dev/zero"),
            1,
            "",
            "dd: unrecognized operand 'if=/dev/zero'\nTry 'dd --help' for more information.\n",
        ),
        (("mkdir", "--frob"), 1, "", "mkdir: unrecognized option '--frob'\nTry 'mkdir --help' for more information.\n"),
        (("uname", "-r"), 0, "6.12.72\n", ""),
        (("systemd-detect-virt",), 0, "kvm\n", ""),
    ],
)
async def test_a_program_answers_as_the_real_one(
    guest: Guest, argv: tuple[str, ...], status: int, out: str, err: str
) -> None:
    assert await run(guest, *argv) == Ran(status=status, out=out, err=err)


async def test_what_is_written_through_dd_is_read_back(guest: Guest) -> None:
    await root(guest, "mkdir", "-p", "/var/lib/pvenix/a")
    written = await root(guest, "dd", "of=/var/lib/pvenix/a/file", "status=none", stdin=b"\x00\xffdata")
    assert (written.status, written.err) == (0, "")
    assert (guest.root / "var/lib/pvenix/a/file").read_bytes() == b"\x00\xffdata"


async def test_the_second_mover_of_a_fence_is_refused_and_its_file_stays(guest: Guest) -> None:
    for attempt in ("a", "b"):
        await root(guest, "mkdir", "-p", f"/var/lib/pvenix/{attempt}/fence", "/run/pvenix")
        await root(guest, "dd", f"of=/var/lib/pvenix/{attempt}/fence/{attempt}", "status=none")
    moves = [
        await root(guest, "mv", "-T", "-n", f"/var/lib/pvenix/{attempt}/fence", "/run/pvenix/fence") for attempt in "ab"
    ]
    assert [move.status for move in moves] == [0, 1]
    assert (await root(guest, "ls", "-1", "/run/pvenix/fence")).out == "a\n"
    assert (guest.root / "var/lib/pvenix/b/fence/b").exists()


async def test_links_are_followed_inside_the_guest_and_never_out_of_it(guest: Guest) -> None:
    (guest.root / "tmp/out").symlink_to("../../../../../../etc/passwd")
    (guest.root / "tmp/loop").symlink_to("/tmp/loop")
    assert (await run(guest, "readlink", "-f", "/tmp/out")).out == "/etc/passwd\n"
    assert (await run(guest, "cat", "/tmp/out")).err == "cat: /tmp/out: No such file or directory\n"
    assert (await run(guest, "cat", "/tmp/loop")).err == "cat: /tmp/loop: Too many levels of symbolic links\n"


async def test_a_file_shared_with_other_guests_gets_its_own_copy_before_a_write(guest: Guest) -> None:
    shared = guest.root / "tmp/shared"
    shared.write_text("all")
    (guest.root / "tmp/mine").hardlink_to(shared)
    await run(guest, "dd", "of=/tmp/mine", "status=none", stdin=b"mine")
    assert (shared.read_text(), (guest.root / "tmp/mine").read_text()) == ("all", "mine")


async def test_a_following_tail_waits_for_the_file_and_prints_what_is_appended(guest: Guest) -> None:
    out, err = BytesWriter(), BytesWriter()
    argv = ("sudo", "-n", "tail", "-c", "+3", "-F", "/var/log/x")
    async with asyncio.TaskGroup() as group:
        tail = group.create_task(guest.run(argv, BytesReader(), out, err, user="tappaas"))
        for _ in range(4):
            await asyncio.sleep(0)
        for text in (b"ab12", b"34"):
            guest.tree.write("/var/log/x", text, append=True)
            for _ in range(3):
                await asyncio.sleep(0)
        tail.cancel()
        with suppress(asyncio.CancelledError):
            await tail
    assert out.text == "ab1234"  # a file that appears is printed from its start
    assert err.text.splitlines() == [
        "tail: cannot open '/var/log/x' for reading: No such file or directory",
        "tail: '/var/log/x' has appeared;  following new file",
    ]


async def test_only_programs_that_change_something_are_counted_as_mutations(guest: Guest) -> None:
    await run(guest, "cat", "/etc/hostname")
    await run(guest, "readlink", "-f", "/run/current-system")
    await run(guest, "systemctl", "list-units")
    assert guest.site.counters.guest_mutations == 0
    await root(guest, "mkdir", "-p", "/var/lib/pvenix/a")
    assert (guest.site.counters.guest_mutations, guest.site.counters.guest_commands) == (1, 4)


def test_words_are_split_as_a_posix_shell_splits_them() -> None:
    assert split_command("""sudo -n dd 'of=/a b' status=none "x y" z\\ w '$HOME;'""") == (
        *("sudo", "-n", "dd", "of=/a b", "status=none", "x y", "z w", "$HOME;"),
    )


@pytest.mark.parametrize(
    "command", ["a; b", "a | b", "a & b", "echo $HOME", 'echo "$HOME"', "echo `a`", "a > f", "a\nb"]
)
def test_what_would_need_a_shell_is_refused(command: str) -> None:
    with pytest.raises(ProgramError) as caught:
        split_command(command)
    assert caught.value.status == 127
