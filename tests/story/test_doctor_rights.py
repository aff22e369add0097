"""What `pvenix doctor` tells a person to paste is enough for every shipped playbook, and no privilege of it is too many.

A cluster as it was installed, and nothing but the lines of doctor; the site checks the rights of each call as Proxmox does.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from pvenix.engine.runfiles import RunStore
from pvenix.fleet import planning
from pvenix.fleet.playbook import load_playbook
from pvenix.lifecycle.doctor import Examination
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.table import verbs
from pvenix.lifecycle.world import World
from pvenix.model import privileges, pveum
from pvenix.model.doctor import Report, Verdict
from pvenix.model.errors import ExitCode
from pvenix.model.outcome import Need as Looked
from pvenix.model.plan import RunPlan, Task
from pvenix.model.privileges import Level, Need
from pvenix.model.site import Cluster
from pvenix_lab.site.pve.cluster import Pool
from pvenix_lab.site.pve.flavour import Flavour
from tests.contract.memory_repo import MemoryRepo
from tests.contract.pve_world import TOKEN, cluster
from tests.sim.golden import ROOT, Golden
from tests.sim.ports import Calls, SimGuest
from tests.sim.records import SimJournal
from tests.sim.virtual import LoopClock
from tests.story.fault_scene import NEW, OLD, OTHER, Done, Scene, row, scene
from tests.story.pveum import forget_everybody, paste
from tests.story.test_fault_template import carries_templates

pytestmark = pytest.mark.sim
BOTH = pytest.mark.parametrize("flavour", list(Flavour), ids=lambda flavour: flavour.value)
NEWCOMER = ("onboard",)
GOES = ("reprovision", "retire")
"""Playbooks that are played at the end, on a host that may go; all others on one that runs and stays."""
REFRESH = "template-refresh.yaml"
GENERATION = 1
DENIED = ("Permission check failed", "not permitted")


def of_release(golden: Golden, flavour: Flavour) -> Golden:
    """The same site with another release of Proxmox."""
    changed = copy.deepcopy(golden.cluster)
    changed.flavour = changed.rights.flavour = flavour
    return replace(golden, cluster=changed)


def the_cluster(golden: Golden) -> Cluster:
    [one] = golden.fleet.site.clusters.values()
    return one


def wanted(site: Scene, level: Level = Level.PROVISIONER) -> tuple[Need, ...]:
    """What the fleet needs of this site, its template on bridge `lan` without a VLAN."""
    fleet = site.sim.fleet
    uses = privileges.uses(fleet.site, the_cluster(site.golden), fleet.hosts.values())
    uses = replace(uses, networks=uses.networks | {("lan", 0)})
    return privileges.needs(uses, level, int(site.golden.cluster.flavour.value[0]))


async def install(site: Scene, level: Level = Level.PROVISIONER) -> None:
    """Forget everybody, and paste what doctor prints for a site from nothing."""
    forget_everybody(site.site)
    given = pveum.grants(wanted(site, level), level, site.sim.fleet.site.name)
    await paste(site.site, pveum.lines(given, TOKEN, account=True))


def the_world(site: Scene) -> World:
    """The site as the token sees it."""
    sim = site.sim
    fleet = sim.fleet
    direct = replace(fleet, site=replace(fleet.site, access=replace(fleet.site.access, jump=None)))
    return World(
        fleet=direct,  # in memory there is no jump host
        pve=cluster(site.site),
        guest=SimGuest(sim.machines, Calls()),
        repo=MemoryRepo(sim.remote),
        clock=LoopClock(),
        trust=sim.trust,
    )


async def doctor(site: Scene, level: Level = Level.PROVISIONER) -> Report:
    """What doctor says of the site."""
    return await Examination(the_world(site), the_cluster(site.golden), level).report()


@contextmanager
def without(site: Scene, need: Need) -> Iterator[None]:
    """Every role on the need's path loses what meets the need there."""
    rights = site.site.cluster.rights
    before = copy.deepcopy((rights.roles, rights.acl))
    entries = rights.acl[need.path]
    for entry, propagate in list(entries.items()):
        poorer = f"{entry.role}-poorer"
        rights.roles[poorer] = rights.roles[entry.role] - set(need.any_of)
        del entries[entry]
        entries[replace(entry, role=poorer)] = propagate
    try:
        yield
    finally:
        rights.roles, rights.acl = before


def plan_of(golden: Golden, playbook: str, host: str, arguments: dict[str, bool | int | str]) -> RunPlan:
    """A shipped playbook on one host; what its verbs must be told and it does not say comes from `arguments`."""
    path = ROOT / "playbooks" / playbook
    plays = planning.playbook_plays(golden.fleet, path, limit=host, tags=(), skip_tags=(), start_at="", extra=arguments)
    return RunPlan(title=path.stem, plays=plays, fleet=str(golden.fleet.root))


def in_order() -> list[str]:
    """Every shipped playbook but the one that needs a host of its own."""
    names = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yaml") if path.name != REFRESH)
    return [*NEWCOMER, *(name for name in names if name not in (*NEWCOMER, *GOES)), *GOES]


async def execute(site: Scene, plan: RunPlan) -> Done:
    """A run of the plan."""
    sim = site.sim
    run = RunStore(sim.root / "state/runs" / str(len(sim.journals))).create(plan)
    sim.journals[run.run] = SimJournal()
    sim.began[run.run] = sim.main()
    site.rules.asked[run.run] = GENERATION
    return await site._go(run, Calls(), resume=False)


@BOTH
def test_doctor_finds_nothing_wrong_where_its_own_lines_were_pasted(golden: Golden, flavour: Flavour) -> None:
    async def act(site: Scene) -> None:
        await install(site)
        report = await doctor(site)
        assert (report.missing, report.pveum) == ((), ())
        assert [check for check in report.checks if check.verdict is not Verdict.OK] == []
        assert report.version.startswith(flavour.value)

    scene(of_release(golden, flavour), act)


@BOTH
def test_a_token_without_any_right_is_given_every_line_and_they_make_it_right(golden: Golden, flavour: Flavour) -> None:
    async def act(site: Scene) -> None:
        forget_everybody(site.site)
        await paste(site.site, pveum.account_lines(TOKEN))
        first = await doctor(site)
        assert not first.ok
        assert [check.found for check in first.checks if check.subject == "privileges"] == [
            "none at all: a token has nothing until it is given something itself"
        ]
        await paste(site.site, first.pveum)
        # what the template is connected to is seen only now
        await paste(site.site, (await doctor(site)).pveum)
        assert (await doctor(site)).ok

    scene(of_release(golden, flavour), act)


@row("F28")
@BOTH
def test_each_privilege_that_is_taken_away_is_named_and_the_lines_bring_it_back(
    golden: Golden, flavour: Flavour
) -> None:
    async def act(site: Scene) -> None:
        await install(site)
        needs = wanted(site)
        given = {grant.path: set(grant.privileges) for grant in pveum.grants(needs, Level.PROVISIONER, "x")}
        for path, privileges_there in given.items():
            for one in sorted(privileges_there):
                with without(site, Need(path=path, any_of=(one,), reason="")):
                    report = await doctor(site)
                    missing = {(each.path, each.privilege) for each in report.missing}
                    assert (path, one) in missing
                    assert {where for where, _ in missing} == {path}
                    assert not report.ok
                    await paste(site.site, report.pveum)
                    assert (await doctor(site)).ok, (path, one)

    scene(of_release(golden, flavour), act)


@pytest.mark.parametrize("level", list(Level))
@BOTH
def test_each_level_is_enough_for_itself_and_no_more_than_the_next(
    golden: Golden, flavour: Flavour, level: Level
) -> None:
    async def act(site: Scene) -> None:
        await install(site, level)
        assert (await doctor(site, level)).ok
        for more in list(Level)[list(Level).index(level) + 1 :]:
            assert not (await doctor(site, more)).ok

    scene(of_release(golden, flavour), act)


@BOTH
def test_a_viewer_sees_what_would_be_done_and_can_do_none_of_it(golden: Golden, flavour: Flavour) -> None:
    async def act(site: Scene) -> None:
        await install(site, Level.VIEWER)
        clone, step = verbs(the_world(site))["clone"], looking_at(NEW)
        assert (await clone.probe(step)).need is Looked.NEEDED
        assert [text for _, text in await clone.commands(step) if "/clone newid=" in text]
        done = await site.run("clone")
        assert (done.code, site.vms(), "VM.Clone" in done.why) == (ExitCode.REFUSED, 0, True), done.why

    scene(of_release(golden, flavour), act)


@row("F28")
@BOTH
def test_the_least_token_is_enough_for_every_shipped_playbook(golden: Golden, flavour: Flavour) -> None:
    async def act(site: Scene) -> None:
        await install(site)
        await site.onboard(OTHER)
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")
        for playbook in in_order():
            host = NEW if playbook in NEWCOMER else OTHER if playbook in GOES else OLD
            arguments: dict[str, bool | int | str] = {"approve": True, "confirm": host, "to": GENERATION}
            done = await execute(site, plan_of(site.golden, f"{playbook}.yaml", host, arguments))
            assert not any(word in done.text for word in DENIED), (playbook, done.why)
            assert done.code in (ExitCode.OK, ExitCode.CHANGES), (playbook, done.code, done.why)

    scene(of_release(golden, flavour), act)


@BOTH
def test_the_least_token_is_enough_to_make_a_new_template(golden: Golden, flavour: Flavour) -> None:
    async def act(site: Scene) -> None:
        carries_templates(site)
        await install(site)
        tasks = [task for play in load_playbook(ROOT / "playbooks" / REFRESH, ROOT) for task in play.tasks]
        done = await site.run(*(task.verb for task in tasks))
        assert done.code is ExitCode.OK, done.why
        assert not any(word in done.text for word in DENIED), done.why

    scene(of_release(golden, flavour), act)


@BOTH
def test_a_fleet_in_a_pool_may_only_see_the_vms_of_others(golden: Golden, flavour: Flavour) -> None:
    async def act(site: Scene) -> None:
        site.site.cluster.pools["web"] = Pool(name="web", comment="")
        for host in site.sim.fleet.hosts.values():
            site.sim.change_host(host.name, proxmox=replace(host.machine.proxmox, pool="web"))
            for vm in site.sim.own_vms(host.name).values():
                vm.pool = "web"
        await install(site)
        assert set(site.site.cluster.rights.privileges(TOKEN, "/vms")) == {"VM.Audit"}
        assert (await doctor(site)).ok
        await site.onboard(OTHER)
        for task in ("snapshot", Task(verb="retire", args={"confirm": OTHER})):
            done = await site.run(task, hosts=(OTHER,))
            assert done.code is ExitCode.OK, done.why

    scene(of_release(golden, flavour), act)


@row("F28")
@BOTH
def test_an_entry_on_the_vm_itself_that_hides_it_is_no_proof_that_there_is_none(
    golden: Golden, flavour: Flavour
) -> None:
    async def act(site: Scene) -> None:
        await install(site)
        assert (await site.run("clone", hosts=(OTHER,))).code is ExitCode.OK
        entry = f"pveum acl modify /vms/{site.vm(OTHER).vmid} --tokens '{TOKEN}' --roles PVEPoolUser"
        await paste(site.site, [entry])
        done = await site.run(Task(verb="retire", args={"confirm": OTHER}), hosts=(OTHER,))
        assert (done.code, site.vms(OTHER)) == (ExitCode.REFUSED, 1), done.why
        assert "VM.Audit" in done.why

    scene(of_release(golden, flavour), act)


ONBOARD = ("clone", "cloudinit", "boot")
OTHER_NODE = {"tappaas1": "tappaas2", "tappaas2": "tappaas1", "tappaas3": "tappaas1"}


async def asked_for(site: Scene, need: Need) -> Done:
    """The first run that wants what was taken away: a newcomer's first steps, or what is done with a host that runs."""
    done = await site.run(*ONBOARD, hosts=(OTHER,))
    if done.code is not ExitCode.OK:
        return done
    if need.privilege == "VM.Migrate":
        to = OTHER_NODE[site.vm(OLD).node]
        return await site.run(Task(verb="migrate", args={"to": to}), hosts=(OLD,))
    return await site.run("snapshot", hosts=(OLD,))


@row("F28")
@BOTH
@pytest.mark.parametrize(
    ("path", "privilege"),
    [
        ("/nodes", "Sys.Audit"),
        *(("/vms", f"VM.Config.{what}") for what in ("CPU", "Disk", "HWType", "Memory", "Network", "Options")),
        *(("/vms", f"VM.{what}") for what in ("Allocate", "Audit", "Migrate", "PowerMgmt", "Snapshot")),
        ("/vms", "agent"),
        ("/vms/8100", "VM.Audit"),
        ("/vms/8100", "VM.Clone"),
        ("/storage/tanka1", "Datastore.AllocateSpace"),
        ("/storage/tanka1", "Datastore.Audit"),
        ("/sdn/zones/localnetwork/lan", "SDN.Use"),
        ("/sdn/zones/localnetwork/lan/220", "SDN.Use"),
        ("/mapping/pci/gpu0", "Mapping.Use"),
    ],
)
def test_a_verb_says_which_privilege_it_lacks(golden: Golden, flavour: Flavour, path: str, privilege: str) -> None:
    old = flavour is Flavour.PVE_8_4
    name = ("VM.Monitor" if old else "VM.GuestAgent.Unrestricted") if privilege == "agent" else privilege

    async def act(site: Scene) -> None:
        await install(site)
        need = Need(path=path, any_of=(name,), reason="")
        with without(site, need):
            done = await asked_for(site, need)
            assert done.code in (ExitCode.REFUSED, ExitCode.FAILED), done.why
            assert name in done.why, done.why
            if done.code is ExitCode.REFUSED:
                assert "`pvenix doctor` prints the pveum lines" in done.why, done.why
            named = {(each.path, each.privilege) for each in (await doctor(site)).missing}
            assert (path, name) in named, named
        if privilege != "Mapping.Use":  # the VM may be on a node without the device, which nobody could see
            resumed = await asked_for(site, need)
            assert resumed.code is ExitCode.OK, resumed.why

    scene(of_release(golden, flavour), act)
