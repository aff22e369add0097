"""The playbooks that a fleet has, and those that ship with pvenix, as lists show them; a broken one with its findings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

from pvenix.fleet.playbook import load_playbook
from pvenix.fleet.plays import Play
from pvenix.fleet.root import shown
from pvenix.fleet.starter import starter
from pvenix.model.errors import InvalidInput, LocalResource
from pvenix.model.findings import Finding
from pvenix.model.plan import ArgValue
from pvenix.model.verbs import VERBS, Arg

FOLDER: Final = "playbooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A value that `-e` may give."""

    name: str
    arg: Arg
    verbs: tuple[str, ...]
    default: ArgValue | None = None
    """What the playbook gives; None when it gives nothing, or several things."""
    required: bool = False
    """Whether some task has no value without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """One file."""

    path: Path
    """Absolute."""
    name: str
    """As the command line takes it: relative to the fleet's root where it is below it."""
    description: str = ""
    """The comment that the file begins with, its first sentence."""
    comment: tuple[str, ...] = ()
    """All of that comment, line by line."""
    plays: tuple[Play, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What is wrong with it, when it is no playbook."""
    ships: bool = False
    """True for one that comes with pvenix and that the fleet has not."""

    @property
    def title(self) -> str:
        """What its runs are called."""
        return self.path.stem

    @property
    def tags(self) -> tuple[str, ...]:
        """Every tag of its tasks, in order."""
        return tuple(dict.fromkeys(tag for play in self.plays for task in play.tasks for tag in task.tags))

    @property
    def hosts(self) -> str:
        """The patterns of its plays."""
        return " ".join(dict.fromkeys(play.hosts.text for play in self.plays))

    @property
    def tasks(self) -> int:
        """How many tasks it has."""
        return sum(len(play.tasks) for play in self.plays)


def playbooks(root: Path) -> tuple[Playbook, ...]:
    """The playbooks of the fleet at `root` by name, then those that only ship with pvenix."""
    own = _files(root / FOLDER)
    names = {path.name for path in own}
    try:
        shipped = [path for path in _files(starter() / FOLDER) if path.name not in names]
    except LocalResource:
        shipped = []
    return (*(read(path, root) for path in own), *(read(path, root, ships=True) for path in shipped))


def _is_prose(line: str) -> bool:
    """Whether a line of a comment is text; what is set off from the margin is a command line."""
    return not line.startswith(" ")


def read(path: Path, root: Path, *, ships: bool = False) -> Playbook:
    """The playbook in a file, or what is wrong with it."""
    path = path.absolute()
    comment = _comment(path)
    plays: tuple[Play, ...] = ()
    findings: tuple[Finding, ...] = ()
    try:
        plays = load_playbook(path, root)
    except InvalidInput as error:
        findings = error.findings
    return Playbook(
        path=path,
        name=shown(path, root.absolute()),
        description=" ".join(takewhile(_is_prose, comment)).partition(". ")[0].rstrip(".:"),
        comment=comment,
        plays=plays,
        findings=findings,
        ships=ships,
    )


def parameters(plays: tuple[Play, ...]) -> tuple[Parameter, ...]:
    """What `-e` may give to these plays, by name in the order of the verbs."""
    found: dict[str, Parameter] = {}
    for play in plays:
        for task in play.tasks:
            for name, arg in VERBS[task.verb].args.items():
                given = task.args.get(name, play.vars.get(name))
                before = found.get(name)
                found[name] = Parameter(
                    name=name,
                    arg=arg if before is None else before.arg,
                    verbs=(task.verb,) if before is None else tuple(dict.fromkeys((*before.verbs, task.verb))),
                    default=given if before is None or before.default == given else None,
                    required=(arg.required and given is None) or (before is not None and before.required),
                )
    return tuple(found.values())


def _files(folder: Path) -> list[Path]:
    return sorted(path for pattern in ("*.yaml", "*.yml") for path in folder.glob(pattern) if path.is_file())


def _comment(path: Path) -> tuple[str, ...]:
    """The lines of the comment that a file begins with, without its signs."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = [line.rstrip("\n") for _, line in zip(range(60), file, strict=False)]
    except OSError:
        return ()
    found: list[str] = []
    for line in lines:
        if not line.startswith("#"):
            break
        found.append(line.removeprefix("#").removeprefix(" ").rstrip())
    return tuple(found)
