"""Two ways to ask the simulated API for what a fault does to it: straight into the site, and by requests over HTTPS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from pvenix_lab.faces.https import HttpsFace
from pvenix_lab.site.core import Site, Timings
from pvenix_lab.site.faults.wire import Breach, Broken
from pvenix_lab.site.pve.api import answer as entry
from tests.lab.pve_support import EPOCH, NODE, TEMPLATE, PveLab

QUICK = Timings(unauthorized_s=0.03, agent_silence_s=0.05, broken_reply_s=0.03, no_route_s=0.03, boot_s=0.01)
VMID = 250
VM = f"{NODE}/qemu/{VMID}"
HOST = "fix"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a client saw: an answer with its data, or how there was none."""

    status: int = 0
    reason: str = ""
    data: Any = None
    broken: Breach | None = None


class InMemory:
    """Asks without a socket; what breaks the transport is told, as an adapter would be."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def ask(self, method: str, path: str, **params: str) -> Seen:
        """One call."""
        wire = {key.replace("_", "-"): value for key, value in params.items()}
        answer = await entry(self.site, method, path, wire, operator(self.site))
        breach = answer.breach if isinstance(answer, Broken) else None
        return Seen(status=answer.status, reason=answer.reason, data=answer.data, broken=breach)


class OverHttps:
    """Asks with requests, in a thread; follows no redirect."""

    def __init__(self, site: Site, port: int, ca: Path) -> None:
        self.site = site
        self.base = f"https://127.0.0.1:{port}/api2/json"
        self.ca = ca

    async def ask(self, method: str, path: str, **params: str) -> Seen:
        """One call on a connection of its own."""
        return await asyncio.to_thread(self._ask, method, path, params)

    def _ask(self, method: str, path: str, params: dict[str, str]) -> Seen:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self.ca)
            session.headers["Authorization"] = operator(self.site)
            wire = {key.replace("_", "-"): value for key, value in params.items()}
            where: dict[str, Any] = {"data": wire} if method in ("POST", "PUT") else {"params": wire}
            if path.endswith("/upload"):  # anything but multipart is dropped without an answer
                where["files"] = {"filename": ("x.iso", b"x")}
            try:
                answer = session.request(method, self.base + path, allow_redirects=False, timeout=10, **where)
            except requests.ConnectionError:
                return Seen(broken=Breach.RESET)
        return _seen(answer)


def _seen(answer: requests.Response) -> Seen:
    if answer.is_redirect:
        return Seen(status=answer.status_code, broken=Breach.REDIRECT)
    if answer.headers.get("content-type", "").startswith("text/html"):
        return Seen(status=answer.status_code, broken=Breach.HTML)
    try:
        body = answer.json() if answer.content else {}
    except ValueError:
        return Seen(status=answer.status_code, broken=Breach.TRUNCATED)
    return Seen(status=answer.status_code, reason=answer.reason, data=body.get("data"))


def operator(site: Site) -> str:
    """Authorization header of the token that may do the work."""
    token = site.cluster.tokens["pvenix@pve!lab"]
    return f"PVEAPIToken={token.token_id}={token.secret}"


@asynccontextmanager
async def served(site: Site, directory: Path, face: str) -> AsyncIterator[InMemory | OverHttps]:
    """A way to ask a running site."""
    if face == "memory":
        yield InMemory(site)
        return
    https = HttpsFace()
    port = await https.start(site, directory)
    try:
        yield OverHttps(site, port, directory / "ca.pem")
    finally:
        await https.stop()


@dataclass(frozen=True, kw_only=True)
class Client:
    """A site with a VM, and a way to ask it."""

    lab: PveLab
    api: InMemory | OverHttps

    async def ask(self, method: str, path: str, **params: str) -> Seen:
        """One call."""
        return await self.api.ask(method, path, **params)


@asynccontextmanager
async def client(directory: Path, face: str) -> AsyncIterator[Client]:
    """A small quick site with a running VM `fix`, and a way to ask it."""
    lab = PveLab(directory, timings=QUICK, virtual=False)
    lab.site.time_scale = 0.01
    async with lab.site:
        lab.site.wall = lambda: EPOCH + asyncio.get_running_loop().time()
        async with served(lab.site, directory, face) as api:
            assert await lab.clone(VMID, HOST) == "OK"
            assert await lab.done("POST", f"{VM}/status/start") == "OK"
            yield Client(lab=lab, api=api)
            lab.site.faults.clear()
    assert lab.site.defects == []


async def task(asked: Client, method: str, path: str, **params: str) -> str:
    """Exit status of the task that a call starts."""
    started = await asked.ask(method, path, **params)
    assert started.status == 200, started
    return await ended(asked, str(started.data))


async def ended(asked: Client, upid: str) -> str:
    """Exit status of a task, polled on the node that its UPID names."""
    node = upid.split(":")[1]
    while True:
        status = (await asked.ask("GET", f"/nodes/{node}/tasks/{upid}/status")).data
        if status["status"] == "stopped":
            return str(status["exitstatus"])
        await asyncio.sleep(0.02)


async def clone(asked: Client, newid: int = 251, name: str = "new") -> str:
    """Exit status of a clone of the template."""
    return await task(asked, "POST", f"{TEMPLATE}/clone", newid=str(newid), name=name)


Check = Callable[[Client], Coroutine[Any, Any, None]]


class Checks:
    """Checks by the name of the fault that each shows."""

    def __init__(self) -> None:
        self.by_fault: dict[str, list[Check]] = {}

    def __call__(self, *faults: str) -> Callable[[Check], Check]:
        """Register a check for its faults."""

        def register(check: Check) -> Check:
            for fault in faults:
                self.by_fault.setdefault(fault, []).append(check)
            return check

        return register

    @property
    def cases(self) -> list[tuple[str, Check]]:
        """Every pair of fault and check."""
        return [(fault, check) for fault, checks in self.by_fault.items() for check in checks]
