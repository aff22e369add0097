"""The ways to a host's console: SSH, the serial port through its node, and the screen in Proxmox' web page."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlencode

from pvenix.engine.ports import Target
from pvenix.lifecycle.evidence import SERIAL, serial_command
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.world import World
from pvenix.model.errors import LocalResource, PvenixError, Refused
from pvenix.model.names import host_name
from pvenix.model.status import Console, Way


async def console(world: World, name: str, *, known_hosts: Path) -> Console:
    """Every way to the host's console, with what stands against it; nothing is connected.

    `known_hosts` is where the SSH command finds the pinned keys (`write_known`).
    """
    problem, found, power = "", None, ""
    try:
        found = await world.vms.find(name)
        if found is not None:
            power = (await world.pve.power(found.node, found.vmid)).status
        else:
            problem = "it has no VM"
    except PvenixError as error:
        problem = str(error)
    return Console(
        host=name,
        vmid=found.vmid if found else 0,
        node=found.node if found else "",
        power=power,
        problem=problem,
        ways=(await _ssh(world, name, power, known_hosts), *(_of_vm(world, name, found, power) if found else ())),
    )


async def _ssh(world: World, name: str, power: str, known_hosts: Path) -> Way:
    try:
        target = await world.target(name)
    except PvenixError as error:
        return Way(kind="ssh", problem=str(error), hint=error.hint)
    problem = "the VM is stopped" if power == "stopped" else ""
    return Way(kind="ssh", argv=ssh_command(target, known_hosts), problem=problem)


def _of_vm(world: World, name: str, found: Found, power: str) -> Iterable[Way]:
    problem = "" if power != "stopped" else "the VM is stopped"
    hint = ""
    if SERIAL not in found.config.values:
        problem, hint = "the VM has no serial port", f"qm set {found.vmid} --serial0 socket, then stop and start it"
    yield Way(kind="serial", argv=serial_command(found), problem=problem, hint=hint)
    for endpoint in world.cluster(world.fleet.hosts[name]).endpoints:
        yield Way(kind="web", url=web_page(endpoint, name, found))


def web_page(endpoint: str, name: str, found: Found) -> str:
    """The VM's screen in the browser, for who may VM.Console (pve-manager: www/manager6/Utils.js, openVNCViewer)."""
    query = {"console": "kvm", "novnc": 1, "vmid": found.vmid, "vmname": name, "node": found.node, "resize": "off"}
    return f"{endpoint.rstrip('/')}/?{urlencode(query)}"


def ssh_command(target: Target, known_hosts: Path) -> tuple[str, ...]:
    """OpenSSH's command line to `target`, through its jump, that accepts the pinned keys only and offers one key.

    A jump host given with `-J` would be reached by the user's own configuration: none of these options holds for it.
    """
    through = () if target.jump is None else ("-o", f"ProxyCommand={shlex.join(_forward(target.jump, known_hosts))}")
    return ("ssh", "-t", *_options(target, known_hosts), *through, f"{target.user}@{target.address}")


def _forward(jump: Target, known_hosts: Path) -> tuple[str, ...]:
    return ("ssh", *_options(jump, known_hosts), "-W", "[%h]:%p", f"{jump.user}@{jump.address}")


def _options(target: Target, known_hosts: Path) -> tuple[str, ...]:
    """-F none: as for our own connections, nothing of the user's SSH configuration counts."""
    settings = {
        "HostKeyAlias": _alias(target),
        "UserKnownHostsFile": str(known_hosts),
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
    }
    pairs = (word for key, value in settings.items() for word in ("-o", f"{key}={value}"))
    return ("-F", "none", "-i", target.key_file, "-p", str(target.port), *pairs)


def _alias(target: Target) -> str:
    return f"pvenix-{target.host}"


def write_known(world: World, name: str, directory: Path) -> Path:
    """The file with the pinned keys of a host and of its jump host, written anew; sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.

    Raises: LocalResource when it cannot be written.
    """
    path = directory / f"{host_name(name)}.known_hosts"
    hops: list[Target] = []
    with contextlib.suppress(Refused):  # nothing is pinned: `console` says so
        target = world.target_at(name, "")
        hops = [target, *([target.jump] if target.jump else [])]
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text("".join(f"{_alias(hop)} {hop.host_key}\n" for hop in hops), encoding="utf-8")
    except OSError as error:
        raise LocalResource(f"{path} cannot be written", why=str(error), code="PVX0594") from error
    return path
