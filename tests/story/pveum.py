"""`pveum` as a person at a node's console has it: its lines as the API calls that they stand for (pve-access-control CLI/pveum.pm)."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Final

from pvenix_lab.site.core import Site
from pvenix_lab.site.pve.api import answer
from pvenix_lab.site.pve.call import Response

_ROOT: Final = "root@pam!console"


def console(site: Site) -> str:
    """The Authorization header of root, whose rights a person at the node has."""
    token = site.cluster.tokens.get(_ROOT) or site.cluster.rights.add_token(_ROOT, "root-of-the-node")
    return f"PVEAPIToken={token.token_id}={token.secret}"


async def paste(site: Site, lines: Iterable[str]) -> None:
    """Run the lines; of `a || b` the second only when the first fails. A line that fails is an AssertionError."""
    for line in lines:
        problem = ""
        for words in _alternatives(line):
            response = await _call(site, words)
            if response.status == 200:
                break
            problem = f"{line}: {response.status} {response.reason}"
        else:
            raise AssertionError(problem)


def _alternatives(line: str) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for word in shlex.split(line):
        if word == "||":
            found.append([])
        else:
            found[-1].append(word)
    return found


async def _call(site: Site, words: list[str]) -> Response:
    program, *rest = words
    assert program == "pveum", words
    positional = rest[: next((index for index, word in enumerate(rest) if word.startswith("--")), len(rest))]
    options = dict(zip(*[iter(rest[len(positional) :])] * 2, strict=True))
    params = {key.removeprefix("--"): value for key, value in options.items()}
    match positional:
        case ["user", "add", user]:
            method, path, params = "POST", "/access/users", {"userid": user, **params}
        case ["user", "token", "add", user, token]:
            method, path = "POST", f"/access/users/{user}/token/{token}"
        case ["role", "add", role]:
            method, path, params = "POST", "/access/roles", {"roleid": role, **params}
        case ["role", "modify", role]:
            method, path = "PUT", f"/access/roles/{role}"
        case ["acl", "modify", where]:
            method, path, params = "PUT", "/access/acl", {"path": where, **params}
        case _:
            raise AssertionError(f"pveum has no such command: {words}")
    return await answer(site, method, path, params, console(site))


def forget_everybody(site: Site) -> None:
    """A cluster as it was installed: no user but root, no role of anybody's, no entry."""
    rights = site.cluster.rights
    for name in [name for name in rights.users if name != "root@pam"]:
        del rights.users[name]
    rights.tokens.clear()
    rights.roles.clear()
    rights.acl.clear()
