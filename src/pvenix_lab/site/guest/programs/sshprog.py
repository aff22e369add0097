"""ssh from one guest to another, with the checks and texts of OpenSSH 9 and 10: names, host keys, keys, forced commands."""

from __future__ import annotations

import base64
import hashlib
import re

from pvenix_lab.site.guest.call import Call, Options, ProgramError, parse_options
from pvenix_lab.site.guest.firstboot import HOST_KEY
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.keys import public_blob
from pvenix_lab.site.guest.logins import authorized_key, forced_words
from pvenix_lab.site.guest.neighbours import find
from pvenix_lab.site.guest.shell import split_command

_FLAGS = ("-4", "-6", "-T", "-n", "-q", "-x", "-a", "-t", "-C", "-v")
_VALUES = ("-i", "-o", "-p", "-l", "-F")
_FAILED = 255
_CONNECT_S = 127.0  # six retransmissions of a SYN, the default of Linux
_USAGE = "usage: ssh [-46aCnqTtvx] [-F configfile] [-i identity_file] [-l login_name] [-o option] [-p port] destination [command]"
_CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
{fingerprint}.
Please contact your system administrator.
Add correct host key in {file} to get rid of this message.
Offending ED25519 key in {where}
Host key for {host} has changed and you have requested strict checking.
Host key verification failed."""
_SYSTEM_KNOWN = "/run/current-system/etc/ssh/ssh_known_hosts"


async def ssh(call: Call) -> int:
    """`ssh [-i KEY] [-o OPTION=VALUE] [-l USER] [USER@]HOST COMMAND…`: its exit status is the command's, 255 for ssh's own."""
    options = _options(call)
    if not options.rest:
        raise ProgramError(_USAGE, _FAILED)
    destination, *words = options.rest
    user, _, host = destination.removeprefix("ssh://").rpartition("@")
    host, _, port = host.partition(":")
    user = user or options.value("-l", call.user)
    target = await _reach(call, options, host, options.value("-p", port) or "22")
    _check_host_key(call, options, (host, target))
    entry = next(
        (found for blob in _offered(call, options) if (found := authorized_key(target.tree, user, blob))), None
    )
    if entry is None:
        raise ProgramError(f"{user}@{host}: Permission denied (publickey).", _FAILED)
    asked = " ".join(words)
    env = {"SSH_ORIGINAL_COMMAND": asked} if entry.command else {}
    argv = forced_words(entry.command, asked) if entry.command else split_command(asked)
    if not argv:
        raise ProgramError("Pseudo-terminal will not be allocated because stdin is not a terminal.", _FAILED)
    try:
        return await target.run(argv, call.stdin, call.stdout, call.stderr, user=user, env=env)
    except ConnectionResetError as exc:
        raise ProgramError(f"Connection to {host} closed by remote host.", _FAILED) from exc


def _options(call: Call) -> Options:
    try:
        return parse_options(call, flags=_FLAGS, values=_VALUES, stop_early=True, usage=_FAILED)
    except ProgramError as exc:
        letter = re.search(r"invalid option -- '(.)'", exc.text)
        raise ProgramError(f"unknown option -- {letter[1]}\n{_USAGE}" if letter else exc.text, _FAILED) from exc


async def _reach(call: Call, options: Options, host: str, port: str) -> Guest:
    target = find(call.guest.site, host)
    if target is None and re.fullmatch(r"[\d.]+", host):
        raise ProgramError(f"ssh: connect to host {host} port {port}: No route to host", _FAILED)
    if target is None:
        raise ProgramError(f"ssh: Could not resolve hostname {host}: Name or service not known", _FAILED)
    if target.current.firewall and port.isdigit() and int(port) not in target.current.tcp_ports:
        await call.guest.sleep(float(_settings(options).get("connecttimeout", _CONNECT_S)))  # dropped, not refused
        raise ProgramError(f"ssh: connect to host {host} port {port}: Connection timed out", _FAILED)
    if port != "22" or not target.ssh_ready:
        raise ProgramError(f"ssh: connect to host {host} port {port}: Connection refused", _FAILED)
    return target


def _settings(options: Options) -> dict[str, str]:
    pairs = (text.replace(" ", "=", 1).partition("=")[::2] for text in options.values.get("-o", []))
    return {key.lower(): value for key, value in reversed([*pairs])}  # the first one given counts


def _known_file(call: Call) -> str:
    return f"{'/root' if call.uid == 0 else f'/home/{call.user}'}/.ssh/known_hosts"


def _check_host_key(call: Call, options: Options, where: tuple[str, Guest]) -> None:
    host, target = where
    shown = " ".join(target.tree.read_text(f"{HOST_KEY}.pub").split()[:2])
    own = call.tree.read_text(_known_file(call)).splitlines()
    lines = own + call.tree.read_text(_SYSTEM_KNOWN).splitlines()
    known = {" ".join(line.split()[1:3]) for line in lines if _names(line, host)}
    if shown in known:
        return
    settings = _settings(options)
    strict = settings.get("stricthostkeychecking", "ask")
    if known:
        number = next(number for number, line in enumerate(lines, 1) if _names(line, host))
        place = f"{_known_file(call)}:{number}" if number <= len(own) else f"{_SYSTEM_KNOWN}:{number - len(own)}"
        text = _CHANGED.format(fingerprint=_fingerprint(shown), file=_known_file(call), where=place, host=host)
        raise ProgramError(text, _FAILED)
    if strict in ("yes", "ask"):
        if strict == "yes":
            call.err(f"No ED25519 host key is known for {host} and you have requested strict checking.")
        raise ProgramError("Host key verification failed.", _FAILED)
    call.err(f"Warning: Permanently added '{host}' (ED25519) to the list of known hosts.")
    path = _known_file(call)
    call.tree.mkdir(path.rpartition("/")[0], mode=0o700)
    call.tree.write(path, f"{host} {shown}\n", append=True)


def _fingerprint(key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _names(line: str, host: str) -> bool:
    return host in line.partition(" ")[0].split(",")


def _offered(call: Call, options: Options) -> list[str]:
    """The public halves of the keys that this user would offer."""
    home = _known_file(call).rpartition("/")[0]
    blobs = []
    for path in options.values.get("-i", []) or [f"{home}/id_ed25519"]:
        try:
            call.tree.check_read(call.full(path), call.uid)
            blobs.append(public_blob(call.tree.read(call.full(path))))
        except OSError:
            if "-i" in options.values:
                call.err(f"Warning: Identity file {path} not accessible: No such file or directory.")
    return [blob for blob in blobs if blob]
