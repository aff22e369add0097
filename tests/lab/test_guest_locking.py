"""flock and sed on a guest, as measured with util-linux 2.38.1 and GNU sed 4.9."""

from __future__ import annotations

import asyncio

from pvenix_lab.site.guest.guest import Guest
from tests.lab.guest_support import root

KEYS = "/srv/git/keys"
TAKE = ("sed", "-i", "-e", r'\%^[^#].*guest:dns01[ "]%d', KEYS)


def keys(guest: Guest, text: str) -> None:
    guest.tree.mkdir("/srv/git")
    guest.tree.write(KEYS, text, mode=0o600)


async def test_lines_are_taken_out_and_the_file_keeps_its_mode_and_its_last_line(guest: Guest) -> None:
    keys(guest, 'a\nx guest:dns01" AA\n# guest:dns01 \nx guest:dns011" AA\nb')
    ran = await root(guest, *TAKE)
    assert (ran.status, ran.err) == (0, "")
    assert guest.tree.read_text(KEYS) == 'a\n# guest:dns01 \nx guest:dns011" AA\nb'
    assert guest.tree.stat(KEYS).st_mode & 0o777 == 0o600


async def test_what_is_literal_in_a_basic_expression_is_literal(guest: Guest) -> None:
    keys(guest, "x AA+/= \nx AAA/= \n")
    assert (await root(guest, "sed", "-i", "-e", r"\%AA+/=[ ]%d", KEYS)).status == 0
    assert guest.tree.read_text(KEYS) == "x AAA/= \n"


async def test_a_file_that_is_not_there_is_status_2(guest: Guest) -> None:
    ran = await root(guest, "sed", "-i", "-e", "/b/d", "/srv/none")
    assert (ran.status, ran.err) == (2, "sed: can't read /srv/none: No such file or directory\n")


async def test_a_lock_is_had_by_one_at_a_time_and_waited_for_as_long_as_said(guest: Guest) -> None:
    keys(guest, "")
    async with asyncio.TaskGroup() as group:
        first = group.create_task(root(guest, "flock", "/srv/git", "sleep", "2"))
        await asyncio.sleep(0)
        second = group.create_task(root(guest, "flock", "-w", "0", "/srv/git", "true"))
    assert (first.result().status, second.result().status) == (0, 1)
    assert (await root(guest, "flock", "-w", "1", "/srv/git", "true")).status == 0


async def test_a_program_that_is_not_there_is_status_69(guest: Guest) -> None:
    ran = await root(guest, "flock", "/srv", "nosuch")
    assert (ran.status, ran.err) == (69, "flock: failed to execute nosuch: No such file or directory\n")
    assert (await root(guest, "flock", "-w", "3")).status == 64
