"""A site under a virtual clock, with a guest that is just good enough for the API: it boots, answers and keeps files."""

from __future__ import annotations

import asyncio
import selectors
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

from pvenix_lab.site.core import AgentError, Site, Timings
from pvenix_lab.site.faults import Faults
from pvenix_lab.site.pve.api import answer
from pvenix_lab.site.pve.auth import Credentials, new_csrf_token, new_ticket
from pvenix_lab.site.pve.flavour import Flavour

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pvenix_lab.site.pve.call import Response
    from pvenix_lab.site.pve.vm import Vm

T = TypeVar("T")
EPOCH = 1_795_165_341
NODE = "/nodes/tappaas1"
TEMPLATE = f"{NODE}/qemu/8100"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIADTFS6A8gH8puGCiYx3kntVdDJIESTaTbdrAX16NQCE a+b@c"
KEY_ENCODED = "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIADTFS6A8gH8puGCiYx3kntVdDJIESTaTbdrAX16NQCE%20a%2Bb%40c"


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that never waits: the time to wait is added to the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task waits and no timer is set: a deadlock")
        self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer."""

    def __init__(self) -> None:
        self.jumping = _JumpingSelector()
        super().__init__(self.jumping)

    @override
    def time(self) -> float:
        return self.jumping.now


def run_virtual(main: Callable[[], Awaitable[T]]) -> T:
    """Run `main` under a virtual clock that starts at 0."""

    async def body() -> T:
        return await main()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(body())


@dataclass
class FakeGuest:
    """A guest whose agent answers `boot_s` after power on."""

    site: Site
    vm: Vm
    root: Path
    files: dict[str, str] = field(default_factory=dict)
    boots: int = 0
    ready_at: float | None = None
    hangs: bool = False

    async def power_on(self) -> None:
        self.boots += 1
        self.ready_at = asyncio.get_running_loop().time() + self.site.timings.boot_s

    async def power_off(self, *, graceful: bool) -> None:
        if graceful and self.hangs:
            await asyncio.sleep(10_000)
        self.ready_at = None

    def agent_ready(self) -> bool:
        return self.ready_at is not None and asyncio.get_running_loop().time() >= self.ready_at

    def agent(self, command: str, params: Mapping[str, object]) -> object:
        match command:
            case "file-read":
                return self._read(str(params["file"]))
            case "file-write":
                self.files[str(params["file"])] = str(params["content"])
                return None
            case "exec":
                raise AgentError(
                    "Failed to execute child process \N{LEFT DOUBLE QUOTATION MARK}/nope\N{RIGHT DOUBLE QUOTATION MARK}"
                )
            case "exec-status":
                raise AgentError("Invalid parameter 'pid'")
            case "get-host-name":
                return {"host-name": self.vm.name}
            case _:
                return {}

    def _read(self, path: str) -> dict[str, object]:
        if path not in self.files:
            raise AgentError(f"failed to open file '{path}' (mode: 'r'): No such file or directory")
        return {"content": self.files[path]}


def copy_disk(_site: Site, source: Path, target: Path) -> None:
    """What a clone copies: everything, if there is anything."""
    if source.exists():
        shutil.copytree(source, target, dirs_exist_ok=True)


class PveLab:
    """A site and short ways to ask it."""

    def __init__(
        self,
        root: Path,
        *,
        timings: Timings | None = None,
        virtual: bool = True,
        pve: Flavour = Flavour.PVE_8_4,
    ) -> None:
        self.site = Site(
            root=root,
            seed=7,
            timings=timings,
            wall=self.wall if virtual else lambda: float(EPOCH),
            guest_factory=FakeGuest,
            clone_disk=copy_disk,
            pve=pve,
            faults=Faults,
        )

    def wall(self) -> float:
        """Wall clock that follows the loop's; before the loop runs it is the epoch."""
        try:
            return EPOCH + asyncio.get_running_loop().time()
        except RuntimeError:
            return float(EPOCH)

    @property
    def operator(self) -> str:
        """Authorization header of the token that may do the work."""
        token = self.site.cluster.tokens["pvenix@pve!lab"]
        return f"PVEAPIToken={token.token_id}={token.secret}"

    @property
    def viewer(self) -> str:
        """Authorization header of the token that may read."""
        token = self.site.cluster.tokens["viewer@pve!lab"]
        return f"PVEAPIToken={token.token_id}={token.secret}"

    @property
    def root(self) -> Credentials:
        """A ticket of root@pam with its token against forgery."""
        cookie = f"PVEAuthCookie={new_ticket(self.site, 'root@pam')}"
        return Credentials(cookie=cookie, csrf=new_csrf_token(self.site, "root@pam"))

    async def login(self, user: str, password: str) -> Credentials:
        """A ticket for a user that has a password."""
        form = {"username": user, "password": password}
        given = (await answer(self.site, "POST", "/access/ticket", form, None)).data
        return Credentials(cookie=f"PVEAuthCookie={given['ticket']}", csrf=given["CSRFPreventionToken"])

    def token(self, token_id: str, roles: Mapping[str, Iterable[str]], *, privsep: bool = False) -> str:
        """Authorization header of a new token that has these privileges on these paths and no other."""
        rights = self.site.cluster.rights
        named: dict[str, str] = {}
        for number, (path, privileges) in enumerate(roles.items()):
            named[path] = f"{token_id.partition('!')[2]}-{number}"
            rights.roles[named[path]] = frozenset(privileges)
        token = rights.add_token(token_id, "secret", roles=named, privsep=privsep)
        return f"PVEAPIToken={token.token_id}={token.secret}"

    async def ask(
        self, method: str, path: str, auth: str | Credentials | None = None, /, **params: str | Sequence[str]
    ) -> Response:
        """One call; an underscore in a parameter's name stands for a hyphen."""
        wire = {key.replace("_", "-"): value for key, value in params.items()}
        return await answer(self.site, method, path, wire, auth or self.operator)

    async def get(self, path: str, /, **params: str) -> Any:
        """The data of a GET that must succeed."""
        response = await self.ask("GET", path, **params)
        assert response.status == 200, response
        return response.data

    async def done(self, method: str, path: str, **params: str) -> str:
        """Exit status of the task that the call starts."""
        response = await self.ask(method, path, **params)
        assert response.status == 200, response
        return await self.finished(str(response.data))

    async def finished(self, upid: str) -> str:
        """Exit status of a task, waited for by polling as a client does."""
        node = upid.split(":")[1]
        while True:
            status = await self.get(f"/nodes/{node}/tasks/{upid}/status")
            if status["status"] == "stopped":
                return str(status["exitstatus"])
            await asyncio.sleep(0.05)

    async def clone(self, newid: int = 250, name: str = "fix", **params: str) -> str:
        """Exit status of a clone of the template."""
        return await self.done("POST", f"{TEMPLATE}/clone", newid=str(newid), name=name, **params)

    def guest(self, vmid: int) -> FakeGuest:
        """The fake guest of a VM that was started."""
        guest = self.site.guests[vmid]
        assert isinstance(guest, FakeGuest)
        return guest


async def booted(lab: PveLab) -> None:
    """A clone 250 named `fix`, started, its agent up."""
    await lab.clone()
    await lab.done("POST", f"{NODE}/qemu/250/status/start")
    await asyncio.sleep(lab.site.timings.boot_s)


def in_lab(
    root: Path,
    story: Callable[[PveLab], Awaitable[None]],
    *,
    timings: Timings | None = None,
    pve: Flavour = Flavour.PVE_8_4,
) -> PveLab:
    """Run a story on a fresh site under the virtual clock; a defect inside the site fails the test."""
    lab = PveLab(root, timings=timings, pve=pve)

    async def main() -> None:
        async with lab.site:
            await story(lab)

    run_virtual(main)
    assert lab.site.defects == []
    return lab
