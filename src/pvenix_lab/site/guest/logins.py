"""Who may log in to a guest by SSH, and what runs then: read from the guest's own files at every login, as sshd does."""

from __future__ import annotations

import shlex

from pvenix_lab.site.guest.keys import AuthorizedKey, parse_authorized
from pvenix_lab.site.guest.process import UIDS
from pvenix_lab.site.guest.vfs import VirtualRoot

HOMES = {"root": "/root", "tappaas": "/home/tappaas", "git": "/srv/git"}
_DECLARED = "/run/current-system/etc/ssh/authorized_keys.d"


def authorized_key(tree: VirtualRoot, user: str, blob: str) -> AuthorizedKey | None:
    """The line that lets this key (type and base 64 body) log in as `user`; None when there is none."""
    if user not in UIDS:
        return None
    text = tree.read_text(f"{HOMES[user]}/.ssh/authorized_keys")
    text += tree.read_text(f"{_DECLARED}/{user}") if user != "git" else ""
    return next((entry for entry in parse_authorized(text) if entry.blob == blob), None)


def forced_words(forced: str, asked: str) -> tuple[str, ...]:
    """The words of a key's forced command; `$SSH_ORIGINAL_COMMAND` in it is what the client asked for."""
    return tuple(asked if word == "$SSH_ORIGINAL_COMMAND" else word for word in shlex.split(forced))
