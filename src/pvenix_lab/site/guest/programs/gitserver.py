"""The two server programs behind the fleet repository, and the forced command that guards them."""

from __future__ import annotations

import shlex

from pvenix_lab.site.guest import git
from pvenix_lab.site.guest.call import Call, ProgramError

_DENIED = 128


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
