"""A site of the lab as seen through `PveCluster`: in memory, or over its HTTPS."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from pvenix.adapters.clock import SystemClock
from pvenix.adapters.pve.cluster import PveCluster
from pvenix.adapters.pve.transport import AnswerLost, ApiPath, ApiStatus, BadAnswer, NotSent, Params
from pvenix_lab.site.core import AgentError, Site, Timings
from pvenix_lab.site.faults import Faults
from pvenix_lab.site.faults.wire import Broken
from pvenix_lab.site.pve.api import answer
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.vm import Vm

TOKEN = "pvenix@pve!lab"
FAST = Timings(
    unauthorized_s=0.01, agent_silence_s=0.01, broken_reply_s=0.01, fork_s=0.001, clone_s=0.02, start_s=0.01,
    stop_s=0.01, destroy_s=0.01, resize_s=0.01, snapshot_s=0.01, boot_s=0.02, ssh_s=0.01, cloud_init_s=0.01,
)  # fmt: skip


class ImpatientClock(SystemClock):
    """The machine's clock, but a pause lasts at most ten milliseconds."""

    @override
    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.01))


class LabTransport:
    """A Transport straight into a site, without sockets."""

    def __init__(self, site: Site, token_id: str = TOKEN, secret: str | None = None) -> None:
        self._site = site
        known = site.cluster.tokens[token_id].secret if secret is None else secret
        self._auth = f"PVEAPIToken={token_id}={known}"

    async def request(self, method: str, path: ApiPath, params: Params) -> object:
        """The data of the site's answer."""
        if self._site.faults.peek("tls"):
            raise NotSent("certificate verify failed", refused=True)
        response = await answer(self._site, method, f"/{path}", params, self._auth)
        if response.status == 0:
            raise NotSent("No route to host")
        if isinstance(response, Broken):
            raise AnswerLost("connection reset") if response.is_lost else BadAnswer(response.breach.value)
        if response.status >= 400:
            errors = (response.body or {}).get("errors")
            raise ApiStatus(response.status, response.reason, errors if isinstance(errors, dict) else None)
        return response.data

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class ToyGuest:
    """A guest with an agent that knows two files and two interfaces."""

    site: Site
    vm: Vm
    root: Path
    up: asyncio.Event = field(default_factory=asyncio.Event)
    runs_for_ever: bool = False

    async def power_on(self) -> None:
        self.up.set()

    async def power_off(self, *, graceful: bool) -> None:
        self.up.clear()

    def agent_ready(self) -> bool:
        return self.up.is_set()

    def agent(self, command: str, params: Mapping[str, object]) -> object:
        if command == "file-read":
            if params["file"] != "/etc/ssh/ssh_host_ed25519_key.pub":
                raise AgentError(f"failed to open file '{params['file']}' (mode: 'r'): No such file or directory")
            return {"content": "ssh-ed25519 AAAA root@x\n"}
        if command == "network-get-interfaces":
            return [
                {"name": "lo", "hardware-address": "00:00:00:00:00:00"},
                {
                    "name": "eth0\x1b[2J",
                    "hardware-address": "BC:24:11:00:00:01",
                    "ip-addresses": [{"ip-address": "10.0.0.5", "ip-address-type": "ipv4", "prefix": 24}],
                },
            ]
        if command == "exec":
            return {"pid": 7}
        if command == "exec-status":
            if self.runs_for_ever:
                return {"exited": 0}
            return {"exited": 1, "exitcode": 3, "out-data": "out\n", "err-data": "err\n"}
        return {}


def copy_nothing(_site: Site, _source: Path, _target: Path) -> None:
    """A clone of a guest without a disk."""


def make_site(root: Path, pve: Flavour = Flavour.PVE_8_4) -> Site:
    """A small fast site of one release."""
    return Site(
        root=root, seed=3, timings=FAST, guest_factory=ToyGuest, clone_disk=copy_nothing, pve=pve, faults=Faults
    )


def cluster(site: Site, **token: str) -> PveCluster:
    """The typed calls over a site in memory."""
    return PveCluster(LabTransport(site, **token), clock=ImpatientClock(), cluster="lab", token=TOKEN)
