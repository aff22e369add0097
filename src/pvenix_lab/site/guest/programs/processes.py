"""pgrep of procps-ng 4.0, for the one program that the lab runs as a process of its own: git."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from pvenix_lab.site.guest.call import Call, ProgramError, parse_options
from pvenix_lab.site.guest.guest import Guest

_AT_WORK: WeakKeyDictionary[Guest, Counter[str]] = WeakKeyDictionary()
_FIRST_PID = 4200


@contextmanager
def at_work(guest: Guest, program: str) -> Iterator[None]:
    """Let the guest's list of processes show the program."""
    running = _AT_WORK.setdefault(guest, Counter())
    running[program] += 1
    try:
        yield
    finally:
        running[program] -= 1


async def pgrep(call: Call) -> int:
    """`pgrep -x NAME`: the processes of that name, and 0; 1 when there is none."""
    options = parse_options(call, flags=("-x", "--exact"))
    if not options.has("-x", "--exact") or len(options.rest) != 1:
        raise ProgramError("pgrep: the lab's takes -x and one name", 2)
    found = _AT_WORK.get(call.guest, Counter[str]())[options.rest[0]]
    for number in range(found):
        call.out(f"{_FIRST_PID + number}\n")
    return 0 if found else 1
