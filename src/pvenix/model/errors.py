"""What can go wrong, and what the person should do next.

    PvenixError                     exit 1   something failed
    ├── UsageError                  exit 2   the command line, inventory or playbook is invalid
    │   └── InvalidInput            exit 2   findings with file:line:col
    ├── Unreachable                 exit 4   no answer from a host or from Proxmox
    ├── OutcomeUnknown              exit 5   a remote effect may or may not have happened
    ├── LockHeld                    exit 7   another run owns the host, the run or the fleet
    ├── Refused                     exit 8   authentication, host key, TLS or permission
    │   └── ReadOnly                exit 8   this program was told to change nothing
    ├── LocalResource               exit 9   disk, file or directory on this machine
    └── RemoteFailure               exit 1   a remote command or task ended with an error

An operator can act on every one of these; anything else that escapes is a bug.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from typing_extensions import override

from pvenix.model.findings import Finding


class ExitCode(IntEnum):
    """Process exit codes; a run exits with the worst one by `worst`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CHANGES = 3
    UNREACHABLE = 4
    UNKNOWN = 5
    ROLLED_BACK = 6
    LOCKED = 7
    REFUSED = 8
    LOCAL = 9
    APPROVAL = 10
    WINDOW = 11
    INTERRUPTED = 130


_WORST_FIRST = (
    ExitCode.LOCAL,
    ExitCode.REFUSED,
    ExitCode.UNKNOWN,
    ExitCode.ROLLED_BACK,
    ExitCode.FAILED,
    ExitCode.UNREACHABLE,
    ExitCode.LOCKED,
    ExitCode.USAGE,
    ExitCode.INTERRUPTED,
    ExitCode.APPROVAL,
    ExitCode.WINDOW,
    ExitCode.CHANGES,
    ExitCode.OK,
)


def worst(codes: Sequence[ExitCode]) -> ExitCode:
    """The code a run exits with when its hosts ended with `codes`; OK when there are none."""
    return min(codes, key=_WORST_FIRST.index, default=ExitCode.OK)


class PvenixError(Exception):
    """An error a person can act on: what failed, where, why, and the next command.

    `code` is stable (`PVX0123`) and has an entry in docs/errors.md.
    """

    exit_code = ExitCode.FAILED
    code = "PVX0001"

    def __init__(
        self, what: str, *, why: str = "", hint: str = "", code: str = "", evidence: Sequence[str] = ()
    ) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint
        self.code = code or type(self).code
        self.evidence = tuple(evidence)

    @override
    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what


class UsageError(PvenixError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = ExitCode.USAGE
    code = "PVX0002"


class InvalidInput(UsageError):
    """A file of the fleet is wrong; carries every finding, not only the first."""

    code = "PVX0003"

    def __init__(self, findings: Sequence[Finding]) -> None:
        count = len(findings)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the fleet's files")
        self.findings = tuple(findings)


class Unreachable(PvenixError):
    """Nobody answered; nothing was changed by this attempt."""

    exit_code = ExitCode.UNREACHABLE
    code = "PVX0004"


class OutcomeUnknown(PvenixError):
    """The connection ended before the answer: the effect must be read before it is judged."""

    exit_code = ExitCode.UNKNOWN
    code = "PVX0005"


class LockHeld(PvenixError):
    """Somebody else is at work on the same thing."""

    exit_code = ExitCode.LOCKED
    code = "PVX0007"


class Refused(PvenixError):
    """Identity or permission was not accepted, by us or by the far side."""

    exit_code = ExitCode.REFUSED
    code = "PVX0008"


class ReadOnly(Refused):
    """Something was to be changed where only looking is allowed; nothing was."""

    code = "PVX0011"


class LocalResource(PvenixError):
    """This machine cannot keep the record it must keep; nothing further is started."""

    exit_code = ExitCode.LOCAL
    code = "PVX0009"


class RemoteFailure(PvenixError):
    """A remote command or task ran and reported failure; `evidence` holds its last lines."""

    code = "PVX0010"
