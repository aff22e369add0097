"""The backend's new hosts: tried by the real functions on a small real fleet, placed on two nodes, added in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pvenix.engine.journalfile import open_journal
from pvenix.engine.runfiles import RunDir
from pvenix.fleet.load import load_fleet
from pvenix.fleet.newhost import listed_text, try_host
from pvenix.model.errors import Unreachable, UsageError
from pvenix.model.newhost import Added, NewHost, Option, Placing, Trial
from pvenix.model.sofar import SoFar

SITE = """\
apiVersion: pvenix/v1
kind: Site
site: {name: test}
clusters:
  lab:
    endpoints: ["https://n1:8006"]
    tls: {system: true}
    auth: {token_id: a@pve!b, token_secret: {env: T}}
    vmid: {range: [200, 499]}
templates:
  nixos: {cluster: lab, vmid: 8100}
zones:
  core13: {bridge: lan, vlan: 13, cidr: 10.69.13.0/24, gateway: 10.69.13.1}
classes:
  small: {cores: 2, memory: 4G, disk: 32G}
  medium: {cores: 4, memory: 8G, disk: 40G}
roles:
  base: {modules: [role-base], ports: {tcp: [22]}}
  dns: {modules: [role-dns], ports: {tcp: [53]}}
defaults:
  class: small
"""
HOSTS = """\
all:
  children:
    core:
      hosts:
        dns01: {machine: {roles: [base, dns], network: {zone: core13, address: 10.69.13.5/24}}}
        old01: {machine: {state: absent}}
    apps:
      hosts:
        docker01:
"""


class FakeNewHosts:
    """What the form and the wizard ask of the engine; part of a FakeBackend."""

    root: Path
    unreachable: str
    calls: list[tuple[Any, ...]]
    fleet_now: Any
    found = SoFar(
        lines=("delete the branch registration/web01", "stop and destroy VM 210 on tappaas2"),
        verbs=("unregister", "destroy"),
        stays=("the inventory of this checkout keeps its line",),
    )

    def try_host(self, new: NewHost) -> Trial:
        return try_host(load_fleet(self._small_fleet()), new, {}).trial

    def _small_fleet(self) -> Path:
        folder = self.root / "small" / "inventory"
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / "site.yaml").write_text(SITE)
            (folder / "hosts.yaml").write_text(HOSTS)
        return folder.parent

    async def place_host(self, new: NewHost) -> Placing:
        self._cluster_answers()
        self.calls.append(("place", new.name))
        nodes = (
            Option(value="tappaas2", help="92.1 points; a linked clone of 8100"),
            Option(value="tappaas1", help="80.0 points; a full clone"),
            Option(value="tappaas3", help="it is offline"),
        )
        words = "tappaas2, storage tanka1, VM id 210; a linked clone of 8100"
        return Placing(node="tappaas2", words=words, nodes=nodes, refused=frozenset({"tappaas3"}))

    async def add_host(self, new: NewHost) -> Added:
        from tests.tui.fake_inventory import fake_host

        self._cluster_answers()
        path = self._small_fleet() / "inventory" / "hosts.yaml"
        path.write_text(listed_text(path.read_text(), new))
        self.calls.append(("add", new))
        self.fleet_now.hosts[new.name] = fake_host(new.name, (new.groups or ("all",))[0], *new.machine.get("roles", ()))
        return Added(file="inventory/hosts.yaml", diff="", staged=True)

    def so_far(self, run: RunDir, host: str) -> SoFar:
        steps = [event for event in run.events()[0] if event.kind == "step.ended"]
        return self.found if steps else replace(self.found, lines=(), verbs=())

    async def skip(self, run: RunDir, host: str, step: str = "") -> str:
        self._cluster_answers()
        if step.endswith("review"):
            raise UsageError(f"{step} of {host} is not skipped", why="nobody has approved")
        open_journal(run.journal_path).close()
        self.calls.append(("skip", run.run, host, step))
        return step

    def _cluster_answers(self) -> None:
        if self.unreachable:
            raise Unreachable(self.unreachable, hint="is the site up?")
