"""git for people and programs on a guest, and the two server programs behind the fleet repository."""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING

from pvenix_lab.site.guest import git
from pvenix_lab.site.guest.call import Call, ProgramError

if TYPE_CHECKING:
    from collections.abc import Iterator

_READS = frozenset(
    {
        "branch",
        "bundle",
        "cat-file",
        "diff",
        "log",
        "ls-files",
        "ls-tree",
        "merge-base",
        "rev-list",
        "rev-parse",
        "show",
        "status",
    }
)
_WRITES = frozenset({"checkout", "fetch", "stash"})
_BRANCH = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
_MAKING = {
    "init": (("--quiet", f"--initial-branch={_BRANCH}"),
             ("--quiet", "--bare", f"--initial-branch={_BRANCH}", r"/srv/git/[A-Za-z0-9._/-]+")),
    "config": (("receive\\.fsckObjects", "true"),),
    "add": (("--all",),),
    "commit": (("--quiet", "-m", ".+"),),
    "update-ref": ((f"refs/heads/{_BRANCH}", "[0-9a-f]{40}", "0{40}"),),
}  # fmt: skip
"""How a repository is made (seed 000, step 1): these forms and no other."""
_IDENTITY = re.compile(r"user\.(?:name|email)=[^\n]+")
_REFUSED = (
    "--upload-pack",
    "--exec",
    "--output",
    "--ext-diff",
    "--textconv",
    "--git-dir",
    "--work-tree",
    "-u",
    "-o",
    "-O",
)
_DENIED = 128


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
        else:
            raise ProgramError(
                f"unknown option: {word}\nusage: git [-C <path>] [--git-dir=<path>] <command> [<args>]", 129
            )
    if not words:
        raise ProgramError("usage: git [-C <path>] [--git-dir=<path>] <command> [<args>]")
    return directory, identity, words


def _mapped(call: Call, words: list[str]) -> Iterator[str]:
    """The arguments with absolute paths of the guest turned into those of its tree."""
    for word in words:
        if word.partition("=")[0] in _REFUSED:
            raise ProgramError(f"fatal: the lab's git does not take {word}", _DENIED)
        yield str(call.tree.real(word)) if word.startswith("/") else word


async def run_git(call: Call) -> int:
    """`git -C D COMMAND …` for the commands that pvenix and people need there; the real git does the work."""
    directory, identity, (command, *rest) = _split(call)
    making = any(_fits(form, rest) for form in _MAKING.get(command, ()))
    if not making and (command not in _READS | _WRITES or rest[:1] == ["create"]):
        raise ProgramError(f"git: '{command}' is not a git command. See 'git --help'.")
    if not call.tree.is_dir(directory):
        raise ProgramError(f"fatal: cannot change to '{directory}': No such file or directory", _DENIED)
    writes = making or (command in _WRITES and rest[:1] not in (["list"], ["show"]))
    if writes:
        if call.uid != 0:
            raise ProgramError(f"error: cannot open '.git/{_file_of(command)}': Permission denied", 255)
        call.mutates()
    if any(".." in word.split("/") for word in rest):
        raise ProgramError("fatal: the lab's git takes no path with '..'", _DENIED)
    arguments = (*identity, command, *_mapped(call, rest))
    streams = (call.stdin, call.stdout, call.stderr)
    status = await git.stream(call.tree, arguments, streams, cwd=directory)
    call.tree.touch()
    return status


def _fits(form: tuple[str, ...], words: list[str]) -> bool:
    return len(form) == len(words) and all(map(re.fullmatch, form, words))


def _file_of(command: str) -> str:
    return {"fetch": "FETCH_HEAD", "checkout": "index.lock", "stash": "index.lock"}.get(command, "index.lock")


async def git_shell(call: Call) -> int:
    """`git-shell -c "git-upload-pack '/path'"`: nothing but the two server programs."""
    if len(call.args) != 2 or call.args[0] != "-c":
        raise ProgramError("fatal: Interactive git shell is not enabled.", _DENIED)
    words = shlex.split(call.args[1])
    if not words:
        raise ProgramError("fatal: Interactive git shell is not enabled.", _DENIED)
    if words[0] not in ("git-upload-pack", "git-receive-pack") or len(words) != 2:
        raise ProgramError(f"fatal: unrecognized command '{call.args[1]}'", _DENIED)
    return await serve(call.with_argv(tuple(words)))


async def fleet_git_serve(call: Call) -> int:
    """`fleet-git-serve operator|guest:<host>`: the forced command of nix/files/fleet-git-serve, with its words."""
    who = call.args[0] if call.args else ""
    repository = call.args[1] if len(call.args) > 1 else "/srv/git/tappaas-nixos-config.git"
    if who != "operator" and not (who.startswith("guest:") and who != "guest:"):
        raise ProgramError("fleet: refused: the key is not set up for anybody")
    asked = call.env.get("SSH_ORIGINAL_COMMAND", "")
    if not asked:
        raise ProgramError("fleet: refused: this key is for git, not for a shell")
    if asked not in (f"git-upload-pack '{repository}'", f"git-receive-pack '{repository}'"):
        raise ProgramError(f"fleet: refused: this key is for {repository} only")
    return await git_shell(call.with_argv(("git-shell", "-c", asked), env=call.env | {"PVENIX_PUSHER": who}))


async def serve(call: Call) -> int:
    """git-upload-pack or git-receive-pack on a repository of this guest, by the real git with the repository's own hooks."""
    path = call.args[0] if len(call.args) == 1 else ""
    counters = call.guest.site.counters
    if not call.tree.exists(f"{path}/HEAD"):
        raise ProgramError(f"fatal: '{path}' does not appear to be a git repository", _DENIED)
    receive = call.name == "git-receive-pack"
    if receive:
        counters.receive_packs += 1
    else:
        counters.upload_packs += 1
    extra = {"PVENIX_PUSHER": call.env["PVENIX_PUSHER"]} if "PVENIX_PUSHER" in call.env else {}
    arguments = ("receive-pack" if receive else "upload-pack", str(call.tree.real(path)))
    streams = (call.stdin, call.stdout, call.stderr)
    return await git.stream(call.tree, arguments, streams, cwd="/", extra=extra, hooks=True)
