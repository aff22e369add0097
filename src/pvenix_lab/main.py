"""`python -m pvenix_lab serve DIR`: build a site in DIR, serve it on loopback until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvenix_lab.clientfiles import ClientFiles
from pvenix_lab.faces.control import ControlFace
from pvenix_lab.faces.https import HttpsFace
from pvenix_lab.faces.ssh import SshFace
from pvenix_lab.seed import BARE, Plan, Seed, Seeded, host_key
from pvenix_lab.site.guest.fabric import fabric_of
from pvenix_lab.site.guest.firstboot import GIT_KEY
from pvenix_lab.site.memorydisks import MANY, MemoryDisks
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.whole import whole_site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pvenix_lab.site.core import Site
    from pvenix_lab.site.guest.guest import Guest

OPERATOR = "pvenix@pve!lab"
VIEWER = "viewer@pve!lab"
_USED = ("lab.json", "guests", "fleet", "keys")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="pvenix_lab", description="A simulated Proxmox and NixOS site on loopback.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="build a site in DIR and serve it until SIGTERM")
    serve.add_argument("directory", type=Path, metavar="DIR")
    serve.add_argument(
        "--fleet-source", type=Path, required=True, metavar="PATH", help="holds inventory, playbooks, nix"
    )
    serve.add_argument("--hosts", type=int, default=0, metavar="N", help="extra hosts web-001 …")
    serve.add_argument("--seed", type=int, default=1, metavar="S", help="of every random choice but keys")
    serve.add_argument("--speed", type=float, default=1.0, metavar="F", help="2 halves every simulated duration")
    serve.add_argument(
        "--pve", choices=[flavour.value for flavour in Flavour], default="8.4", help="release of Proxmox VE"
    )
    options = parser.parse_args(arguments)
    if options.speed <= 0 or options.hosts < 0:
        parser.error("--speed must be above 0 and --hosts 0 or more")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 after a clean end, 1 when the site could not be built, 2 for wrong use."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("asyncssh", "asyncio"):  # both warn about clients that go away, which is what clients do
        logging.getLogger(chatty).setLevel(logging.ERROR)
    directory = options.directory.absolute()
    used = [name for name in _USED if (directory / name).exists()]
    if used:
        sys.stderr.write(
            f"pvenix_lab: {directory} holds an earlier lab ({', '.join(used)}); remove it or take another one\n"
        )
        return 2
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        asyncio.run(_serve(directory, options))
    except (OSError, ValueError) as exc:
        sys.stderr.write(f"pvenix_lab: the site was not built: {exc}\n")
        return 1
    return 0


async def _serve(directory: Path, options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        disks = MemoryDisks()
        made: dict[str, Any] = {"guest_factory": disks.guest, "clone_disk": disks.clone} if options.hosts > MANY else {}
        site = await stack.enter_async_context(
            whole_site(
                root=directory, seed=options.seed, time_scale=1 / options.speed, pve=Flavour(options.pve), **made
            )
        )
        description = await _open(stack, site, options, stop)
        disks.built = True
        path = directory / "lab.json"
        _write_private(path, json.dumps(description, indent=2) + "\n")
        sys.stdout.write(f"{description['name']}: {len(description['guests'])} guests, described in {path}\n")
        sys.stdout.flush()
        await stop.wait()


async def _open(
    stack: contextlib.AsyncExitStack, site: Site, options: argparse.Namespace, stop: asyncio.Event
) -> dict[str, Any]:
    """Open every port, build the site, and describe it as lab.json does."""
    https = HttpsFace()
    api_port = await https.start(site, site.root)
    stack.push_async_callback(https.stop)
    ssh = SshFace(site, jump=0)
    jump_port = ssh.reserve()
    plan = Plan(
        directory=site.root,
        source=options.fleet_source.absolute(),
        hosts=options.hosts,
        api_port=api_port,
        jump_port=jump_port,
    )
    seeded = Seed(site, plan).run()
    ssh.jump = seeded.controller_vmid
    await ssh.start()
    stack.push_async_callback(ssh.stop)
    token = secrets.token_hex(16)
    control = ControlFace(site, token, stop.set)
    control_port = await control.start()
    stack.push_async_callback(control.stop)
    _follow(site, seeded, jump_port)
    return _describe(site, seeded, (api_port, jump_port, control_port), token)


def _follow(site: Site, seeded: Seeded, jump_port: int) -> None:
    """Keep ssh_config and known_hosts up to date when guests come up."""
    files = ClientFiles(directory=site.root, jump=seeded.controller, jump_port=jump_port)

    def observe(guest: Guest, what: str) -> None:
        del guest
        if what == "ssh":
            files.write(site)

    fabric_of(site).observers.append(observe)


def _describe(site: Site, seeded: Seeded, ports: tuple[int, int, int], token: str) -> dict[str, Any]:
    directory, cluster = site.root, site.cluster
    api_port, jump_port, control_port = ports
    controller = seeded.guests[seeded.controller]
    jump = {"host": "127.0.0.1", "port": jump_port, "user": "tappaas", "host_key": host_key(controller)}
    return {
        "version": 1,
        "pid": os.getpid(),
        "seed": site.seed,
        "name": seeded.name,
        "fleet": str(seeded.fleet),
        "pve": {
            "endpoint": f"https://127.0.0.1:{api_port}",
            "ca": str(directory / "ca.pem"),
            "fingerprint": cluster.fingerprint,
            "version": cluster.flavour.release.version,
            "token_id": OPERATOR,
            "token_secret": cluster.tokens[OPERATOR].secret,
            "token_secret_file": str(directory / "keys/pve-token"),
            "root_password_file": str(directory / "keys/root-password"),
            "viewer_token_id": VIEWER,
            "viewer_token_secret": cluster.tokens[VIEWER].secret,
        },
        "ssh": {
            "jump": jump,
            "user": "tappaas",
            "key": str(directory / "keys/operator"),
            "config": str(directory / "ssh_config"),
            "known_hosts": str(directory / "known_hosts"),
        },
        "git": {
            "url": seeded.url,
            "key": str(directory / "keys/operator"),
            "bare": str(controller.tree.real(BARE)),
        },
        "control": {"host": "127.0.0.1", "port": control_port, "token": token},
        "guests": {name: _describe_guest(guest) for name, guest in seeded.guests.items()},
    }


def _describe_guest(guest: Guest) -> dict[str, Any]:
    return {
        "vmid": guest.vm.vmid,
        "node": guest.vm.node,
        "address": guest.addresses[0].partition("/")[0] if guest.addresses else "",
        "root": str(guest.root),
        "git_key": f"{guest.root}{guest.tree.resolve(GIT_KEY)}",
    }


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
