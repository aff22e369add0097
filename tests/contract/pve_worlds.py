"""Every implementation of Pve over a site of each release: in memory, and over the site's HTTPS."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from pvenix.adapters.clock import SystemClock
from pvenix.adapters.pve.cluster import PveCluster
from pvenix.adapters.pve.login import Login, TicketLogin, TokenLogin
from pvenix.adapters.pve.proxmox import ProxmoxerTransport
from pvenix.engine.ports import NewVm, Pve
from pvenix.model.names import Vmid, node_name, vmid
from pvenix.model.secret import Secret
from pvenix_lab.faces.https import HttpsFace
from pvenix_lab.site.core import Site
from pvenix_lab.site.pve.flavour import Flavour
from tests.contract.pve_world import TOKEN, ImpatientClock, cluster, make_site

NODE: Final = node_name("tappaas1")
OTHER: Final = node_name("tappaas2")
TEMPLATE: Final = vmid(8100)
NEW: Final = vmid(200)
VIEWER: Final = "viewer@pve!lab"


@dataclass(frozen=True, kw_only=True)
class PveWorld:
    """One site as seen by its provisioner, by a token that may only look, and by one with a wrong secret."""

    pve: Pve
    viewer: Pve
    stranger: Pve
    site: Site

    async def clone(self, new: Vmid = NEW, name: str = "dns01") -> str:
        """Start a clone of the template."""
        return await self.pve.clone(NODE, TEMPLATE, NewVm(vmid=new, name=name, description="pvenix-host: x\nb"))

    async def done(self, upid: str) -> str:
        """How a task ended, in its own words."""
        return (await self.pve.wait(upid, timeout_s=10, on_line=lambda _: None)).exit_text

    async def settled(self) -> None:
        """Until every task has ended."""
        for upid in self.site.cluster.tasks:
            await self.done(upid)


Make = Callable[[Path, Flavour], AbstractAsyncContextManager[PveWorld]]


@asynccontextmanager
async def in_memory(folder: Path, flavour: Flavour) -> AsyncIterator[PveWorld]:
    """Requests go straight into the site."""
    async with make_site(folder / "site", flavour) as site:
        viewer, stranger = cluster(site, token_id=VIEWER), cluster(site, secret="wrong")
        yield PveWorld(pve=cluster(site), viewer=viewer, stranger=stranger, site=site)


@asynccontextmanager
async def over_https(folder: Path, flavour: Flavour) -> AsyncIterator[PveWorld]:
    """proxmoxer against the site's own server, with API tokens."""
    async with _served(folder, flavour, lambda token, secret: TokenLogin(token, Secret(secret))) as world:
        yield world


@asynccontextmanager
async def with_tickets(folder: Path, flavour: Flavour) -> AsyncIterator[PveWorld]:
    """The same with passwords of the tokens' users."""

    def login(token: str, secret: str) -> TicketLogin:
        async def typed(_question: str) -> Secret:
            return Secret(secret)

        return TicketLogin(token.partition("!")[0], typed, typed, SystemClock(), tries=1)

    async with _served(folder, flavour, login) as world:
        yield world


@asynccontextmanager
async def _served(folder: Path, flavour: Flavour, login: Callable[[str, str], Login]) -> AsyncIterator[PveWorld]:
    async with make_site(folder / "site", flavour) as site:
        face = HttpsFace()
        port = await face.start(site, folder)

        def connect(token_id: str, secret: str) -> PveCluster:
            assert face.certificate
            transport = ProxmoxerTransport(
                endpoints=[f"https://127.0.0.1:{port}"],
                login=login(token_id, secret),
                ca=face.certificate.ca,
                workers=2,
            )
            return PveCluster(transport, clock=ImpatientClock(), cluster="lab", token=token_id)

        secrets = {name: token.secret for name, token in site.cluster.tokens.items()}
        for name, secret in secrets.items():
            site.cluster.rights.users[name.partition("!")[0]].password = secret
        pve, viewer, stranger = (
            connect(TOKEN, secrets[TOKEN]), connect(VIEWER, secrets[VIEWER]), connect(TOKEN, "wrong"),
        )  # fmt: skip
        yield PveWorld(pve=pve, viewer=viewer, stranger=stranger, site=site)
        for made in (pve, viewer, stranger):
            await made.close()
        await face.stop()


MAKERS: Final[dict[str, Make]] = {"in memory": in_memory, "https": over_https, "tickets": with_tickets}


def pve_params(*ways: tuple[str, Flavour]) -> list[object]:
    """Ways to a release as parameters of a fixture."""
    return [pytest.param((MAKERS[name], flavour), id=f"{flavour.value}, {name}") for name, flavour in ways]


EVERY_WAY: Final = tuple(itertools.product(MAKERS, Flavour))
EVERY_RELEASE: Final = (*((name, Flavour.PVE_8_4) for name in ("in memory", "https")), ("in memory", Flavour.PVE_9_2))
"""Without HTTPS to the newer release, whose bytes on the wire are those of the older one."""
