"""Faults of the fleet's bare repository: what other people push, and what its host refuses. Over real Git only."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix_lab.site.armed.fault import Fault, Spec, Undo
from pvenix_lab.site.armed.spec import Arg, Face, Kind
from pvenix_lab.site.faults.corpus import REFS, TERMINAL, yaml_bomb
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.process import Process

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

_ROOT = "/srv/git"
_RECEIVE = "git-receive-pack"
_HOOK = "#!/bin/sh\necho 'this repository is frozen' >&2\nexit 1\n"
_FULL = b"error: file write error: No space left on device\nfatal: unable to write loose object file\n"
_DIED = 128


def struck(guest: Guest, process: Process) -> int | None:
    """The exit status of a push that the host cannot take; somebody else's push comes first where that is asked for."""
    asked = f"{' '.join(process.argv)} {process.env.get('SSH_ORIGINAL_COMMAND', '')}"
    if _RECEIVE not in asked:
        return None
    faults = guest.site.faults
    if race := faults.take("push-race", guest.name):
        _commit(_bare(guest), race.text("branch"))
    if faults.peek("repository-full", guest.name):
        process.stderr.write(_FULL)
        return _DIED
    return None


def _bare(guest: Guest) -> Path:
    found = sorted(guest.tree.real(_ROOT).glob("*.git"))
    if not found:
        raise ValueError(f"{guest.name} keeps no repository")
    return found[0]


def _keeper(site: Site, fault: Fault) -> Path:
    """The bare repository of the host that the fault is for, else of the only host that has one."""
    guests = [g for g in site.guests.values() if isinstance(g, Guest) and fault.host in (None, g.name)]
    found = [path for guest in guests for path in sorted(guest.tree.real(_ROOT).glob("*.git"))]
    if not found:
        raise ValueError(f"fault {fault.name!r}: {fault.host or 'no host'} keeps no repository")
    return found[0]


def _git(bare: Path, *words: str, text: str = "", author: str = "Somebody") -> str:
    identity = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", author), ("EMAIL", "somebody@example.org"))
    }
    env = {"PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(bare), **identity}
    command = ("git", f"--git-dir={bare}", *words)
    done = subprocess.run(command, input=text.encode(), env=env, capture_output=True, check=True)
    return done.stdout.decode().strip()


def _commit(bare: Path, branch: str, *, message: str = "Somebody was faster", author: str = "Somebody") -> str:
    """Another commit on a branch, past every hook: what somebody with the right to it pushed a moment before."""
    tip = _git(bare, "rev-parse", f"refs/heads/{branch}")
    commit = _git(bare, "commit-tree", f"{tip}^{{tree}}", "-p", tip, text=message, author=author)
    _git(bare, "update-ref", f"refs/heads/{branch}", commit, tip)
    return commit


def _frozen(site: Site, fault: Fault) -> Undo:
    hook = _keeper(site, fault) / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_HOOK)
    hook.chmod(0o755)
    return lambda: hook.unlink(missing_ok=True)


def _hostile(site: Site, fault: Fault) -> None:
    """Push a branch that is a trap, as whoever may push registrations could."""
    bare, main = _keeper(site, fault), "refs/heads/main"
    tree = _git(bare, "rev-parse", f"{main}^{{tree}}")
    message, author = "Register web-099", "Somebody"
    refs: tuple[str, ...] = ("registration/web-099",)
    match fault.text("what"):
        case "subject":
            message, author = TERMINAL.replace("\n", " "), "Some\x1b]0;owned\x07body"
        case "ref":
            refs = REFS
        case "bomb":
            tree = _with_file(bare, main, "inventory/host_vars/web-099.yaml", yaml_bomb())
    commit = _git(bare, "commit-tree", tree, "-p", _git(bare, "rev-parse", main), text=message, author=author)
    for ref in refs:
        target = bare / "refs/heads" / ref  # written as a file: some git versions refuse such a name, all read it
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"{commit}\n")


def _with_file(bare: Path, rev: str, path: str, text: str) -> str:
    """The tree of `rev` with one file more."""
    blob = _git(bare, "hash-object", "-w", "--stdin", text=text)
    directory, _, name = path.rpartition("/")
    old = _git(bare, "ls-tree", f"{rev}:{directory}") if directory else _git(bare, "ls-tree", rev)
    entry = f"100644 blob {blob}\t{name}"
    tree = _git(bare, "mktree", text="\n".join([*filter(None, old.split("\n")), entry]) + "\n")
    while directory:
        directory, _, name = directory.rpartition("/")
        lines = _git(bare, "ls-tree", f"{rev}:{directory}" if directory else rev).split("\n")
        kept = [line for line in lines if line and line.partition("\t")[2] != name]
        tree = _git(bare, "mktree", text="\n".join([*kept, f"040000 tree {tree}\t{name}"]) + "\n")
    return tree


SPECS = (
    Spec(
        name="push-race",
        rows=("R5",),
        what="somebody else pushes to the branch just before the next push",
        args=(Arg(name="branch", default="main", what="the branch"),),
        face=Face.REPOSITORY,
    ),
    Spec(
        name="push-refused",
        rows=("R5",),
        what="the repository refuses every push, until cleared",
        face=Face.REPOSITORY,
        kind=Kind.STATE,
        begin=_frozen,
    ),
    Spec(
        name="repository-full",
        rows=("R6",),
        what="no space is left where the repository lies, until cleared",
        face=Face.REPOSITORY,
        kind=Kind.STATE,
    ),
    Spec(
        name="hostile-branch",
        rows=("T3", "T5", "T11", "T12", "R8", "R9"),
        what="somebody pushes a branch that is a trap",
        args=(
            Arg(
                name="what",
                default="subject",
                what="control sequences in its commit, names that look like options, or YAML that explodes",
                choices=("subject", "ref", "bomb"),
            ),
        ),
        face=Face.REPOSITORY,
        kind=Kind.EVENT,
        begin=_hostile,
    ),
)
