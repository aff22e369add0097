"""A lab on a port of its own, and the ways in which a stranger's program asks it: requests, proxmoxer, curl.

Nothing here looks into the lab to learn an answer. `hands` does what happens at a real site besides the API: a daemon dies,
a network goes, an hour passes.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import pytest
import requests
from proxmoxer import ProxmoxAPI

from pvenix_lab.faces.https import HttpsFace
from pvenix_lab.site.core import Site, Timings
from pvenix_lab.site.guest.install import install
from pvenix_lab.site.guest.store import System
from pvenix_lab.site.guest.vfs import VirtualRoot
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.whole import whole_site

T = TypeVar("T")
QUICK = Timings(unauthorized_s=0.03, agent_silence_s=0.05, broken_reply_s=0.03, no_route_s=0.03)
"""The waits of the protocol itself, shortened; the modules that are about them take the true ones."""
NODE = "/nodes/tappaas1"
TEMPLATE = f"{NODE}/qemu/8100"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIADTFS6A8gH8puGCiYx3kntVdDJIESTaTbdrAX16NQCE a+b@c"
KEY_ENCODED = "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIADTFS6A8gH8puGCiYx3kntVdDJIESTaTbdrAX16NQCE%20a%2Bb%40c"
PASSWORD = "correct horse"
_SYSTEM = "/nix/store/0000000000000000000000000000000a-nixos-system-nixos-25.05.1"
_TASK_S = 20.0

Function = TypeVar("Function", bound=Callable[..., object])


def row(*ids: str) -> Callable[[Function], Function]:
    """Says which rows of docs/lab.md a test is about; a parametrised test names each in the id of its parameter."""

    def mark(function: Function) -> Function:
        function.rows = ids  # type: ignore[attr-defined]
        return function

    return mark


class Case(NamedTuple):
    """A call and the words that it must be answered with; VM in the path stands for the test's own VM."""

    method: str
    path: str
    params: dict[str, Any]
    text: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A task that has stopped."""

    upid: str
    exitstatus: str
    log: list[str]


class Client:
    """A person's `requests` session with one way of signing in; `ask` gives the raw answer."""

    def __init__(self, base: str, ca: str, headers: Mapping[str, str]) -> None:
        self.base = base
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = ca
        self.session.headers.update(headers)

    def ask(self, method: str, path: str, /, **params: Any) -> requests.Response:
        """One call; an underscore in a parameter's name stands for a hyphen."""
        wire = {key.replace("_", "-"): value for key, value in params.items()}
        query, body = (wire, None) if method in {"GET", "DELETE"} else (None, wire)
        return self.session.request(method, self.base + path, params=query, data=body, timeout=40)

    def get(self, path: str, /, **params: Any) -> Any:
        """The data of a GET that must succeed."""
        answer = self.ask("GET", path, **params)
        assert answer.status_code == 200, (answer.status_code, answer.reason)
        return answer.json()["data"]

    def put(self, path: str, /, **params: Any) -> None:
        """A PUT that must succeed."""
        answer = self.ask("PUT", path, **params)
        assert answer.status_code == 200, (answer.status_code, answer.reason)

    def start(self, method: str, path: str, /, **params: Any) -> str:
        """The UPID of the task that the call starts."""
        answer = self.ask(method, path, **params)
        assert answer.status_code == 200, (answer.status_code, answer.reason)
        return str(answer.json()["data"])

    def wait(self, upid: str) -> Ended:
        """The end of a task, by polling."""
        task, until = f"/nodes/{upid.split(':')[1]}/tasks/{upid}", time.monotonic() + _TASK_S
        while (status := self.get(f"{task}/status"))["status"] == "running":
            assert time.monotonic() < until, f"{upid} still runs"
            time.sleep(0.005)
        log = [line["t"] for line in self.get(f"{task}/log", limit=0)]
        return Ended(upid=upid, exitstatus=status["exitstatus"], log=log)

    def run(self, method: str, path: str, /, **params: Any) -> Ended:
        """The end of the task that the call starts."""
        return self.wait(self.start(method, path, **params))

    def ok(self, method: str, path: str, /, **params: Any) -> Ended:
        """The same, and it must have succeeded."""
        ended = self.run(method, path, **params)
        assert ended.exitstatus == "OK", ended
        return ended


@dataclass
class WireLab:
    """A lab that serves on 127.0.0.1 in a thread of its own."""

    root: Path
    flavour: Flavour = Flavour.PVE_8_4
    timings: Timings = QUICK
    time_scale: float = 0.01
    ahead_s: float = 0.0
    port: int = 0
    clients: list[Client] = field(default_factory=list)
    _next: int = 300

    def __post_init__(self) -> None:
        self._up, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="lab")
        self._end = asyncio.Event()

    @property
    def base(self) -> str:
        """Where the API is."""
        return f"https://127.0.0.1:{self.port}/api2/json"

    @property
    def ca(self) -> str:
        """The cluster's CA."""
        return str(self.root / "ca.pem")

    @property
    def secret(self) -> str:
        """The secret of pvenix@pve!lab."""
        return self.site.cluster.tokens["pvenix@pve!lab"].secret

    @property
    def root_password(self) -> str:
        """The password of root@pam."""
        return self.site.cluster.rights.users["root@pam"].password or ""

    def _work(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()
            self._up.set()

    async def _serve(self) -> None:
        self.site = whole_site(
            root=self.root,
            seed=7,
            time_scale=self.time_scale,
            timings=self.timings,
            wall=lambda: time.time() + self.ahead_s,
            pve=self.flavour,
        )
        face = HttpsFace()
        async with self.site:
            system = System(host_name="", nixos_version="25.05.1", nixpkgs_revision="0" * 40, kernel="6.12.30")
            install(VirtualRoot(self.site.guest_root(8100)), _SYSTEM, system, now=time.time())
            self.port = await face.start(self.site, self.root)
            self._up.set()
            await self._end.wait()
            await face.stop()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(30)
        assert self.port, "the lab did not start"
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.session.close()
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        assert self.site.defects == []

    def hands(self, do: Callable[[Site], T]) -> T:
        """The result of what somebody does at the site itself."""

        async def done() -> T:
            return do(self.site)

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(60)

    @contextmanager
    def fault(self, name: str, /, **args: Any) -> Iterator[None]:
        """The site with a fault that lasts at most as long as the block."""
        self.hands(lambda site: site.faults.arm(name, **args))
        try:
            yield
        finally:
            self.hands(lambda site: site.faults.clear(name))

    def client(self, headers: Mapping[str, str]) -> Client:
        """A session with these headers."""
        client = Client(self.base, self.ca, headers)
        self.clients.append(client)
        return client

    def token(self, token_id: str = "pvenix@pve!lab", secret: str = "") -> Client:
        """A session that shows an API token."""
        return self.client({"Authorization": f"PVEAPIToken={token_id}={secret or self.secret}"})

    def nobody(self) -> Client:
        """A session that shows nothing."""
        return self.client({})

    def ticket(self, user: str = "root@pam", password: str = "") -> Client:
        """A session with the ticket of a user and its token against forgery."""
        known = password or self.root_password
        answer = self.nobody().ask("POST", "/access/ticket", username=user, password=known)
        assert answer.status_code == 200, answer.reason
        data = answer.json()["data"]
        cookie, csrf = f"PVEAuthCookie={data['ticket']}", data["CSRFPreventionToken"]
        return self.client({"Cookie": cookie, "CSRFPreventionToken": csrf})

    def granted(self, name: str, grants: Mapping[str, Sequence[str]]) -> Client:
        """A session whose token has these privileges on these paths and no other, made over the API by root."""
        root, user = self.ticket(), f"{name}@pve"
        assert root.ask("POST", "/access/users", userid=user, password=PASSWORD).status_code == 200
        for number, (path, privileges) in enumerate(grants.items()):
            role = f"{name}-{number}"
            made = root.ask("POST", "/access/roles", roleid=role, privs=",".join(privileges))
            assert made.status_code == 200, (made.reason, made.text)
            root.put("/access/acl", path=path, roles=role, users=user)
        made = root.ask("POST", f"/access/users/{user}/token/only", privsep=0)
        return self.token(f"{user}!only", made.json()["data"]["value"])

    def free_id(self) -> int:
        """An id that no test has taken."""
        self._next += 1
        return self._next

    def vm(self, **config: Any) -> str:
        """The path of a new clone, stopped, its configuration changed to `config`."""
        vmid, client = self.free_id(), self.token()
        client.ok("POST", f"{TEMPLATE}/clone", newid=vmid, name=f"vm-{vmid}")
        path = f"{NODE}/qemu/{vmid}"
        if config:
            client.put(f"{path}/config", **config)
        return path

    def running(self, **config: Any) -> str:
        """The path of a new clone that was started; its agent answers."""
        path, client = self.vm(**config), self.token()
        client.ok("POST", f"{path}/status/start")
        until = time.monotonic() + 30
        while client.ask("POST", f"{path}/agent/ping").status_code != 200:
            assert time.monotonic() < until, "the agent never came up"
        return path

    def proxmoxer(self, **given: Any) -> Any:
        """The library as its documentation shows it, with the site's token."""
        named = {"user": "pvenix@pve", "token_name": "lab", "token_value": self.secret} if not given else {}
        return ProxmoxAPI("127.0.0.1", port=self.port, verify_ssl=self.ca, **named, **given)

    def curl(self, *arguments: str, ca: bool = True, path: str = "/version") -> subprocess.CompletedProcess[str]:
        """The curl program as a person types it."""
        program = shutil.which("curl")
        if program is None:
            pytest.skip("curl is not installed")
        header = f"Authorization: PVEAPIToken=pvenix@pve!lab={self.secret}"
        trust = ("--cacert", self.ca) if ca else ()
        command = (program, "-sS", "--noproxy", "*", "--http1.1", *trust, "-H", header, *arguments, self.base + path)
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=30, env={"HOME": "/nonexistent"}
        )


def refused(answer: requests.Response) -> tuple[int, str]:
    """Status and reason line."""
    return answer.status_code, answer.reason
