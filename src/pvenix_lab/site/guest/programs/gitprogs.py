"""git for people and programs on a guest: the real one, kept to the guest's tree and to the other guests of the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from pvenix_lab.site.guest import git
from pvenix_lab.site.guest.call import Call, ProgramError
from pvenix_lab.site.guest.dialling import Dial, Streams
from pvenix_lab.site.guest.logins import HOMES
from pvenix_lab.site.guest.programs.processes import at_work
from pvenix_lab.site.guest.vfs import USER_OWNED

_READS = frozenset(
    [
        "branch",
        "bundle",
        "cat-file",
        "describe",
        "diff",
        "for-each-ref",
        "grep",
        "log",
        "ls-files",
        "ls-remote",
        "ls-tree",
        "merge-base",
        "name-rev",
        "reflog",
        "remote",
        "rev-list",
        "rev-parse",
        "shortlog",
        "show",
        "show-ref",
        "status",
        "tag",
        "version",
    ]
)
_WRITES = frozenset(
    [
        "add",
        "checkout",
        "cherry-pick",
        "clean",
        "clone",
        "commit",
        "config",
        "fetch",
        "init",
        "merge",
        "mv",
        "pull",
        "push",
        "rebase",
        "reset",
        "restore",
        "revert",
        "rm",
        "stash",
        "switch",
        "update-ref",
    ]
)
_REMOTE = frozenset({"clone", "fetch", "ls-remote", "pull", "push"})
_READING_FORMS = {"config": ("--get", "--get-all", "--list", "-l"), "stash": ("list", "show")}
_IDENTITY = re.compile(r"user\.(?:name|email)=[^\n]+")
_SETTABLE = re.compile(r"(?:branch|init|pull|push|receive|remote|user)\.|core\.sharedrepository$", re.IGNORECASE)
_REFUSED = (
    "--upload-pack",
    "--receive-pack",
    "--exec",
    "--output",
    "--ext-diff",
    "--textconv",
    "--git-dir",
    "--work-tree",
    "--template",
    "--config",
    "-O",
    "-x",
)
"""What would start programs of the machine that the lab runs on, or lead out of the guest's tree."""
_SHORT = {
    "clone": ("-u", "-c"),
    "fetch": ("-u",),
    "ls-remote": ("-u",),
    "bundle": ("create",),
    "config": ("-f", "--file", "-e"),
}
_DENIED = 128
_USAGE = "usage: git [-C <path>] [--git-dir=<path>] <command> [<args>]\n"
_PASSED = ("GIT_SSH_COMMAND", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")


def _split(call: Call) -> tuple[str, list[str], list[str]]:
    """The directory to run in, who commits (`-c user.…`), and the words from the subcommand on."""
    words = list(call.args)
    identity: list[str] = []
    directory = call.cwd
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "-C" and words:
            directory = posixpath.join(directory, words.pop(0))
        elif word == "-c" and words and _IDENTITY.fullmatch(words[0]):
            identity += ["-c", words.pop(0)]
        elif word.startswith("--git-dir="):
            directory = call.full(word.partition("=")[2])
        elif word == "--version":
            return directory, identity, ["version"]
        elif word not in ("--no-pager", "--no-optional-locks"):
            raise ProgramError(
                f"unknown option: {word}\nusage: git [-C <path>] [--git-dir=<path>] <command> [<args>]", 129
            )
    if not words:
        raise ProgramError(_USAGE)
    return directory, identity, words


def _check(command: str, words: list[str]) -> None:
    for word in words:
        if word.partition("=")[0] in (*_REFUSED, *_SHORT.get(command, ())):
            raise ProgramError(f"fatal: the lab's git does not take {word}", _DENIED)
        if ".." in word.split("/") or "::" in word:
            raise ProgramError(f"fatal: the lab's git takes no '{word}'", _DENIED)
    keys = [word for word in words if not word.startswith("-")]
    if command == "config" and len(keys) > 1 and not _SETTABLE.match(keys[0]):
        raise ProgramError(f"fatal: the lab's git does not set {keys[0]}", _DENIED)


def _mapped(call: Call, words: list[str]) -> Iterator[str]:
    """The arguments with absolute paths of the guest turned into those of its tree."""
    for word in words:
        yield str(call.tree.real(word)) if word.startswith("/") else word


def _writes(command: str, words: list[str]) -> bool:
    if command in _READING_FORMS and words[:1] and words[0] in _READING_FORMS[command]:
        return False
    options = {word for word in words if word.startswith("-")}
    changes = (command in ("branch", "tag") and bool({"-d", "-D", "-f", "-m", "-u"} & options)) or (
        command == "remote" and words[:1] and words[0] in ("add", "remove", "rm", "set-url", "rename")
    )
    return command in _WRITES or bool(changes)


async def run_git(call: Call) -> int:
    """`git -C D COMMAND …` for the commands that pvenix and people need there; the real git does the work."""
    if not call.args:
        call.out(_USAGE)
        return 1
    directory, identity, (command, *rest) = _split(call)
    if command not in _READS | _WRITES:
        raise ProgramError(f"git: '{command}' is not a git command. See 'git --help'.")
    if not call.tree.is_dir(directory):
        raise ProgramError(f"fatal: cannot change to '{directory}': No such file or directory", _DENIED)
    _check(command, rest)
    _check_owner(call, directory)
    operands = [word for word in rest if not word.startswith("-")]
    if _writes(command, rest):
        made = operands[-1:] if command == "init" or (command == "clone" and len(operands) > 1) else []
        _check_rights(call, call.full(made[0]) if made else directory, command)
        call.mutates()
    away = command in _REMOTE and not (operands and operands[0].startswith("/"))
    extra = {key: call.env[key] for key in _PASSED if key in call.env} | {"GIT_EDITOR": ":"}
    streams = (call.stdin, call.stdout, call.stderr)
    arguments = (*identity, command, *_mapped(call, rest))
    with at_work(call.guest, "git"):
        if away:
            status = await git.stream(call.tree, arguments, streams, cwd=directory, extra=extra, dial=dial_of(call))
        else:
            status = await git.stream(call.tree, arguments, streams, cwd=directory, extra=extra)
    call.tree.touch()
    return status


def dial_of(call: Call) -> Dial:
    """The guest's own ssh, as the user that runs git."""

    async def dial(words: tuple[str, ...], streams: Streams) -> int:
        stdin, stdout, stderr = streams
        inner = call.with_argv(("ssh", *words), stdin=stdin, stdout=stdout, stderr=stderr)
        return await call.guest.shell.execute(inner)

    return dial


def _check_owner(call: Call, directory: str) -> None:
    """A repository of somebody else's is not read (git 2.35.2 and later, safe.directory); root's sudo is let through."""
    parts = call.tree.resolve(directory).strip("/").split("/")
    tops = ("/" + "/".join(parts[:count]) for count in range(len(parts), 0, -1))
    top = next((top for top in tops if call.tree.exists(f"{top}/.git") or call.tree.exists(f"{top}/HEAD")), "")
    if not top or call.uid == 0:
        return
    own = (HOMES[call.user], *(USER_OWNED if call.user == "tappaas" else ()))
    if not any(top == place or top.startswith(f"{place}/") for place in own):
        raise ProgramError(
            f"fatal: detected dubious ownership in repository at '{top}'\nTo add an exception for this directory, call:\n\n"
            f"\tgit config --global --add safe.directory {top}",
            _DENIED,
        )


def _check_rights(call: Call, directory: str, command: str) -> None:
    try:
        call.tree.check_write(directory, call.uid)
    except OSError as exc:
        name = "FETCH_HEAD" if command == "fetch" else "index.lock"
        raise ProgramError(f"error: cannot open '.git/{name}': Permission denied", 255) from exc
