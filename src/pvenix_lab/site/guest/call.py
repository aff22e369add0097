"""One program run on a guest: its arguments, streams and user, and how programs report wrong use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.process import UIDS, Process
from pvenix_lab.site.guest.vfs import VirtualRoot, reason

__all__ = ["UIDS", "Call", "Options", "Program", "ProgramError", "parse_options", "reason"]


_COREUTILS = (
    "cat chmod chown date dd df echo env head id ln ls mkdir mv readlink rm rmdir sleep stat tail touch uname wc whoami"
)
_HINTING = frozenset((*_COREUTILS.split(), "flock", "lslocks"))
"""coreutils and util-linux: a wrong option is answered with where to read on."""


class ProgramError(Exception):
    """A program ends here: `text` (with no newline) on standard error and this exit status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


@dataclass(slots=True, kw_only=True)
class Call(Process):
    """What a program gets; `path` is the resolved file that runs (empty when found by name alone)."""

    guest: Guest
    path: str = ""

    @property
    def name(self) -> str:
        """The program's own name, as it stands in its messages."""
        return self.argv[0].rpartition("/")[2]

    @property
    def args(self) -> tuple[str, ...]:
        """The arguments after the name."""
        return self.argv[1:]

    @property
    def tree(self) -> VirtualRoot:
        """The guest's files."""
        return self.guest.tree

    def full(self, path: str) -> str:
        """`path` as an absolute path of the guest."""
        return path if path.startswith("/") else f"{self.cwd.rstrip('/')}/{path}"

    def out(self, text: str) -> None:
        """Write text to standard output."""
        self.stdout.write(text.encode())

    def err(self, text: str) -> None:
        """Write text and a newline to standard error."""
        self.stderr.write(text.encode() + b"\n")

    def mutates(self) -> None:
        """Count this run as one that changes the guest."""
        self.guest.site.counters.guest_mutations += 1

    def with_argv(self, argv: tuple[str, ...], **changes: object) -> Call:
        """The same call with other arguments: what `sudo` and `env` pass on."""
        return replace(self, argv=argv, **changes)  # type: ignore[arg-type]  # keyword types are checked by the caller


Program = Callable[[Call], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Parsed arguments: flags that were given, values by option, and the rest."""

    flags: frozenset[str]
    values: dict[str, list[str]]
    rest: tuple[str, ...]

    def value(self, name: str, default: str = "") -> str:
        """The last value of the option."""
        return self.values.get(name, [default])[-1]

    def has(self, *names: str) -> bool:
        """True if one of the flags was given."""
        return not self.flags.isdisjoint(names)


def parse_options(
    call: Call, *, flags: tuple[str, ...] = (), values: tuple[str, ...] = (), stop_early: bool = False, usage: int = 1
) -> Options:
    """Split the arguments as getopt_long does: `--x=v`, `--x v`, `-x v`, `-xv`; `stop_early` ends at the first word.

    Raises:
        ProgramError: an option that is not in `flags` or `values`, with getopt's text and the status `usage`.
    """
    given: set[str] = set()
    found: dict[str, list[str]] = {}
    rest: list[str] = []
    words = list(call.args)[::-1]
    while words:
        word = words.pop()
        if word == "--" or (stop_early and not word.startswith("-")):
            rest += ([] if word == "--" else [word]) + words[::-1]
            break
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in values:
            if not equals and not words:
                short = f"option requires an argument -- '{name[1:]}'"
                raise _wrong(call, f"option '{name}' requires an argument" if name.startswith("--") else short, usage)
            found.setdefault(name, []).append(value if equals else words.pop())
        elif name in flags and not equals:
            given.add(name)
        else:
            _short(call, word, (flags, values), (given, found), usage)
    return Options(flags=frozenset(given), values=found, rest=tuple(rest))


def _short(
    call: Call,
    word: str,
    known: tuple[tuple[str, ...], tuple[str, ...]],
    result: tuple[set[str], dict[str, list[str]]],
    usage: int,
) -> None:
    flags, values = known
    given, found = result
    if word.startswith("--"):
        raise _wrong(call, f"unrecognized option '{word.partition('=')[0]}'", usage)
    if word[:2] in values and len(word) > 2:
        found.setdefault(word[:2], []).append(word[2:])
        return
    for letter in word[1:]:
        if f"-{letter}" not in flags:
            raise _wrong(call, f"invalid option -- '{letter}'", usage)
        given.add(f"-{letter}")


def _wrong(call: Call, text: str, usage: int) -> ProgramError:
    hint = f"\nTry '{call.name} --help' for more information." if call.name in _HINTING else ""
    return ProgramError(f"{call.name}: {text}{hint}", usage)
