"""The five ports of a simulated run. Every call is counted, so that a fault or the run's death can come at any one of them.

A dead process does nothing more: each further call of it ends before it begins, while what it had sent goes on at the site.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from typing_extensions import override

from pvenix.adapters.pve.transport import ApiPath, Params
from pvenix.engine.ports import CommandResult, OutputSink, Target
from pvenix_lab.site.core import Site
from pvenix_lab.site.faults import Fault, Faults
from pvenix_lab.site.faults.guests import is_impostor, is_silent, listens
from pvenix_lab.site.guest.fabric import fabric_of
from pvenix_lab.site.guest.firstboot import HOST_KEY
from pvenix_lab.site.guest.guest import Guest
from tests.contract.machine import ByteReader, ByteWriter
from tests.contract.memory_guest import MemoryGuest, MemorySession
from tests.contract.pve_world import LabTransport

T = TypeVar("T")
IMPOSTOR = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIADTFS6A8gH8puGCiYx3kntVdDJIESTaTbdrAX16NQCE somebody"
"""The host key of whoever answers in a guest's place."""


@dataclass
class Calls:
    """Counts the port calls of one process and ends it at one of them."""

    die_at: int = 0
    """The call at which the process is killed; 0 never."""
    die_on: str = ""
    """Or the first call whose name contains this."""
    before: bool = True
    """Whether it dies before the call has its effect, or after it and before the answer."""
    due: dict[int | str, list[Callable[[], object]]] = field(default_factory=dict)
    """What happens to the site at the n-th call, or at the first one whose name contains a text."""
    fails_too: bool = False
    """Whether the process also dies after a call that raises an error, which it never hears of then."""
    task: asyncio.Task[Any] | None = None
    count: int = 0
    dead: bool = False
    last: str = ""
    trace: list[str] = field(default_factory=list)

    async def make(self, name: str, effect: Callable[[], Awaitable[T]]) -> T:
        """One call of the process."""
        if self.dead:
            raise asyncio.CancelledError
        self.count += 1
        number, self.last = self.count, name
        self.trace.append(name)
        named: list[int | str] = [at for at in self.due if isinstance(at, str) and at in name]
        for at in (number, *named):
            for happen in self.due.pop(at, ()):
                happen()
        last = number == self.die_at or (self.die_on != "" and self.die_on in name)
        if last and self.before:
            self.kill()
            raise asyncio.CancelledError
        try:
            result = await effect()
        except Exception:  # raised again; whatever it is, its far side has acted, and who dies now is not told
            if last and self.fails_too:
                self.kill()
                raise asyncio.CancelledError from None
            raise
        if last:
            self.kill()
            raise asyncio.CancelledError
        return result

    def kill(self) -> None:
        """End the process here and now."""
        self.dead = True
        if self.task is not None:
            self.task.cancel()


class SimTransport(LabTransport):
    """Requests go on at the site when their client dies."""

    def __init__(self, site: Site, calls: Calls) -> None:
        super().__init__(site)
        self._calls = calls

    @override
    async def request(self, method: str, path: ApiPath, params: Params) -> object:
        return await self._calls.make(f"{method} /{path}", lambda: self._detached(method, path, params))

    async def _detached(self, method: str, path: ApiPath, params: Params) -> object:
        answer: asyncio.Future[tuple[object, Exception | None]] = asyncio.get_running_loop().create_future()

        async def job() -> None:
            try:
                found = await LabTransport.request(self, method, path, params)
                outcome: tuple[object, Exception | None] = (found, None)
            except Exception as error:  # noqa: BLE001 - handed to whoever asked
                outcome = (None, error)
            if not answer.done():
                answer.set_result(outcome)

        self._site.spawn(job(), f"{method} {path}")
        found, error = await answer
        if error is not None:
            raise error
        return found


@dataclass
class SimMachine:
    """A guest of the site, as MemoryGuest connects to it."""

    guest: Guest
    epoch: int = 0

    @property
    def ssh_ready(self) -> bool:
        return self.guest.running and self.guest.ssh_ready and listens(self.guest) and not is_silent(self.guest)

    @property
    def host_key(self) -> str:
        return IMPOSTOR if is_impostor(self.guest) else self.guest.tree.read_text(f"{HOST_KEY}.pub")

    async def run(
        self, argv: Sequence[str], stdin: ByteReader, stdout: ByteWriter, stderr: ByteWriter, *, user: str
    ) -> int:
        return await self.guest.run(tuple(argv), stdin, stdout, stderr, user=user)


class Machines:
    """The guests of a site by address; an epoch ends when connections are cut."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[int, SimMachine] = {}
        fabric_of(site).observers.append(self._observe)

    def find(self, target: Target) -> SimMachine | None:
        for vmid, guest in self._site.guests.items():
            own = guest.addresses if isinstance(guest, Guest) and guest.running else []
            if isinstance(guest, Guest) and target.address in {address.partition("/")[0] for address in own}:
                return self._machine(vmid, guest)
        return None

    def _machine(self, vmid: int, guest: Guest) -> SimMachine:
        known = self._known.get(vmid)
        if known is None or known.guest is not guest:
            known = self._known[vmid] = SimMachine(guest)
        return known

    def _observe(self, guest: Guest, what: str) -> None:
        if what in ("cut", "off"):
            self._machine(guest.vm.vmid, guest).epoch += 1


class ForwardFaults(Faults):
    """Faults of an activation strike the way forward only: a way back that fails as well is for a person."""

    ACTIVATION = (
        "activation-hangs",
        "activation-killed",
        "activation-script-fails",
        "activation-slow",
        "bootloader-fails",
        "daemon-reload-fails",
        "init-changed",
        "network-changed-by-new-system",
        "port-closed-by-new-system",
        "switch-inhibited",
        "switch-lock-taken",
        "unit-fails",
    )

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._site = site
        self.struck: Counter[str] = Counter()

    @override
    def take_any(
        self, name: str, hosts: Collection[str | None], *, accept: Callable[[Fault], bool] | None = None
    ) -> Fault | None:
        if name in self.ACTIVATION and not any(map(self._goes_forward, hosts)):
            return None
        found = super().take_any(name, hosts, accept=accept)
        self.struck[name] += found is not None
        return found

    def _goes_forward(self, host: str | None) -> bool:
        return any(
            unit.startswith("pvenix-activate-") and state.active == "active"
            for guest in self._site.guests.values()
            if isinstance(guest, Guest) and guest.name == host
            for unit, state in guest.units.units.items()
        )


class SimSession:
    """A session whose calls are counted."""

    def __init__(self, inner: MemorySession, host: str, calls: Calls) -> None:
        self._inner = inner
        self._host = host
        self._calls = calls

    @property
    def alive(self) -> bool:
        return not self._calls.dead and self._inner.alive

    async def run(
        self,
        argv: Sequence[str],
        *,
        sudo: bool = False,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        on_output: OutputSink | None = None,
        limit: int = 1 << 20,
    ) -> CommandResult:
        def heard(text: str) -> None:
            if on_output is not None and not self._calls.dead:
                on_output(text)

        return await self._calls.make(
            f"{self._host}$ {' '.join(argv)}",
            lambda: self._inner.run(argv, sudo=sudo, stdin=stdin, timeout_s=timeout_s, on_output=heard, limit=limit),
        )

    @asynccontextmanager
    async def stream(self, argv: Sequence[str], *, sudo: bool = False) -> AsyncIterator[AsyncIterator[str]]:
        if self._calls.dead:
            raise asyncio.CancelledError
        async with self._inner.stream(argv, sudo=sudo) as chunks:
            yield chunks


class SimGuest(MemoryGuest):
    """Connections of one process."""

    def __init__(self, machines: Machines, calls: Calls) -> None:
        super().__init__(machines.find)
        self._calls = calls

    @override
    async def session(self, target: Target) -> SimSession:  # type: ignore[override]
        inner = await self._calls.make(f"connect {target.host}", lambda: MemoryGuest.session(self, target))
        return _counted(inner, target, self._calls)

    @override
    async def fresh_session(self, target: Target) -> SimSession:  # type: ignore[override]
        if self._calls.dead:
            raise asyncio.CancelledError
        inner = await self._calls.make(f"reconnect {target.host}", lambda: MemoryGuest.fresh_session(self, target))
        return _counted(inner, target, self._calls)

    @override
    async def reachable(self, target: Target, *, timeout_s: float) -> float | None:
        return await self._calls.make(
            f"probe {target.host}", lambda: MemoryGuest.reachable(self, target, timeout_s=timeout_s)
        )


def _counted(inner: MemorySession | SimSession, target: Target, calls: Calls) -> SimSession:
    return inner if isinstance(inner, SimSession) else SimSession(inner, target.host, calls)
