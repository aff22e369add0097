"""What looks at services from the guest itself: nc, curl and getent, which every NixOS has.

A port of the simulated guest answers while the running system declares it (22: while sshd runs) and no declared unit has failed.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pvenix_lab.site.guest.call import UIDS, ProgramError, parse_options
from pvenix_lab.site.guest.logins import HOMES
from pvenix_lab.site.guest.neighbours import find

if TYPE_CHECKING:
    from pvenix_lab.site.guest.call import Call

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def _listens(call: Call, host: str, port: int) -> bool:
    guest = call.guest
    own = {address.partition("/")[0] for address in guest.addresses}
    if host not in _LOCAL | own:
        return False
    if port == 22:
        return guest.current.sshd
    return guest.service_listens(port)


async def nc(call: Call) -> int:
    """`nc -z [-w S] HOST PORT` (LibreSSL's netcat): silent; 0 when the port takes a connection, else 1."""
    options = parse_options(call, flags=("-z", "-v"), values=("-w",))
    if not options.has("-z") or len(options.rest) != 2 or not options.rest[1].isdigit():
        raise ProgramError("usage: nc [-46cDdFhklNnrStUuvz] [-w timeout] [destination] [port]")
    return 0 if _listens(call, options.rest[0], int(options.rest[1])) else 1


async def curl(call: Call) -> int:
    """`curl [-f] [-s] [-S] [-o F] [--max-time S] URL`: 0, or 7 with curl's own words when nothing listens."""
    options = parse_options(
        call,
        flags=("--fail", "--silent", "--show-error", "-f", "-s", "-S"),
        values=("--output", "-o", "--max-time"),
    )
    if len(options.rest) != 1:
        raise ProgramError("curl: (2) no URL specified", 2)
    url = urlsplit(options.rest[0])
    port = url.port or (443 if url.scheme == "https" else 80)
    if _listens(call, url.hostname or "", port):
        return 0
    raise ProgramError(
        f"curl: (7) Failed to connect to {url.hostname} port {port} after 0 ms: Couldn't connect to server", 7
    )


def _passwd(call: Call, user: str) -> int:
    home = HOMES.get(user, "")
    if not home or not call.tree.is_dir(home):  # the git user is role-cicd's, which makes its home
        return 2
    uid = UIDS[user]
    call.out(f"{user}:x:{uid}:{0 if uid == 0 else 100}::{home}:/run/current-system/sw/bin/bash\n")
    return 0


def _group(call: Call, name: str) -> int:
    groups = {"root": "0:", "wheel": "1:tappaas", "users": "100:", "git": "998:"}
    if name not in groups:
        return 2
    call.out(f"{name}:x:{groups[name]}\n")
    return 0


async def getent(call: Call) -> int:
    """`getent ahosts NAME`, `getent passwd USER` or `getent group NAME`; 2 for a name that nobody knows."""
    database, *names = call.args or ("",)
    if database == "passwd" and len(names) == 1:
        return _passwd(call, names[0])
    if database == "group" and len(names) == 1:
        return _group(call, names[0])
    if database not in ("ahosts", "hosts") or len(names) != 1:
        call.out("Try `getent --help' or `getent --usage' for more information.\n")
        raise ProgramError("wrong number of arguments" if not database else f"Unknown database: {database}")
    name = names[0]
    found = find(call.guest.site, name)
    addresses = _own_name(name) or [address.partition("/")[0] for address in (found.addresses if found else ())]
    for address in addresses:
        call.out(f"{address:<15} STREAM {name}\n")
    return 0 if addresses else 2


def _own_name(name: str) -> list[str]:
    """What needs nobody's answer: addresses, and the names in /etc/hosts (nixpkgs, nixos/modules/config/networking.nix)."""
    try:
        return [str(ip_address(name))]
    except ValueError:
        return ["::1", "127.0.0.1"] if name == "localhost" else []
