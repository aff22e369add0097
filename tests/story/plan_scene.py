"""Planning and applying on a simulated site, with a fleet whose files a test edits."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from pvenix.adapters.pve.cluster import PveCluster
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.fleet.edit import set_machine
from pvenix.fleet.load import load_fleet
from pvenix.lifecycle.planning.building import fleet_plan
from pvenix.lifecycle.planning.running import decisions_of, plays_of
from pvenix.lifecycle.unfinished import Made
from pvenix.lifecycle.world import World
from pvenix.model.fleetplan import FleetPlan, HostPlan
from pvenix.model.paths import vars_file
from pvenix.model.plan import RunPlan
from tests.contract.memory_repo import MemoryRepo
from tests.contract.pve_world import TOKEN
from tests.sim.ports import Calls, SimGuest, SimTransport
from tests.sim.records import SimJournal, counted_repo
from tests.sim.virtual import LoopClock
from tests.story.fault_scene import Done, Scene

COMMIT = "c" * 40


def edited(scene: Scene, host: str, **fields: object) -> None:
    """Let the fleet say more of a host; `proxmox__onboot` is the field `proxmox.onboot`."""
    path = own_files(scene) / vars_file(host)
    text = path.read_text() if path.exists() else ""
    for name, value in fields.items():
        text = set_machine(text, name.split("__"), value)
    path.write_text(text)
    scene.sim.fleet = load_fleet(own_files(scene))


def unlisted(scene: Scene, host: str) -> None:
    """Take a host out of the inventory."""
    path = own_files(scene) / "inventory/hosts.yaml"
    lines = path.read_text().splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.strip() == f"{host}:")
    depth = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > depth:
        end += 1
    path.write_text("".join(lines[:start] + lines[end:]))
    scene.sim.fleet = load_fleet(own_files(scene))


def own_files(scene: Scene) -> Path:
    """The checkout of this scene alone."""
    root = scene.sim.root / "fleet"
    if not root.exists():
        shutil.copytree(scene.golden.fleet.root, root, ignore=shutil.ignore_patterns(".git"))
        scene.sim.fleet = load_fleet(root)
    return root


def world_of(scene: Scene) -> World:
    """The site as a new process sees it."""
    sim, calls, clock = scene.sim, Calls(), LoopClock()
    return World(
        fleet=sim.fleet,
        pve=PveCluster(SimTransport(sim.site, calls), clock=clock, cluster="lab", token=TOKEN),
        guest=SimGuest(sim.machines, calls),
        repo=counted_repo(MemoryRepo(sim.remote), calls),
        clock=clock,
        trust=sim.trust,
    )


async def planned(
    scene: Scene, pattern: str = "all", *, limit: str = "", commit: str = COMMIT, made: Mapping[int, Made] | None = None
) -> FleetPlan:
    """A plan, for which nothing may be written."""
    writes = scene.writes
    plan = await fleet_plan(world_of(scene), pattern=pattern, limit=limit, commit=commit, extra={}, made=made)
    assert scene.writes == writes
    return plan


async def host_plan(scene: Scene, host: str) -> HostPlan:
    """The plan of one host."""
    [plan] = (await planned(scene, host)).hosts
    return plan


async def applied(scene: Scene, plan: FleetPlan, *, reboot: bool = False) -> Done:
    """The one run that does what a plan says, executed."""
    scene._run = run_of(scene, plan, reboot=reboot)
    return await scene._go(scene._run, Calls(), resume=False)


def run_of(scene: Scene, plan: FleetPlan, *, reboot: bool = False) -> RunDir:
    """The one run that does what a plan says."""
    sim = scene.sim
    run = RunStore(sim.root / "state/runs" / str(len(sim.journals))).create(
        RunPlan(
            title="apply",
            plays=plays_of(sim.fleet, plan, reboot=reboot),
            fleet=str(sim.fleet.root),
            decisions=decisions_of(plan),
        )
    )
    sim.journals[run.run] = SimJournal()
    sim.began[run.run] = sim.main()
    return run


def fields_of(plan: HostPlan) -> Mapping[str, str]:
    """The state of each field that is not as it should be, without what is nobody's wish."""
    return {one.field: str(one.state) for one in plan.fields if one.state != "unmanaged"}
