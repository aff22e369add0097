"""The rows of failures that come with a template: seen before anybody is cloned from it, and never published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvenix.adapters.pve.cluster import PveCluster
from pvenix.lifecycle.template import template_healths
from pvenix.lifecycle.world import World
from pvenix.model.errors import ExitCode
from pvenix.model.host import State
from pvenix.model.plan import Task
from pvenix.model.template import TemplateHealth
from pvenix.model.update import Update
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.pve.cluster import TEMPLATE_VMID
from tests.contract.memory_repo import MemoryRepo
from tests.contract.pve_world import TOKEN
from tests.sim.golden import Golden
from tests.sim.ports import Calls, SimGuest, SimTransport
from tests.sim.virtual import LoopClock
from tests.story.fault_scene import NEW, OTHER, Scene, row, scene

pytestmark = pytest.mark.sim

BEFORE = ("place", "clone", "cloudinit", "boot")
REFRESH = (*BEFORE, "template-build", "template-canary", "template-publish")
BRANCH = "refs/heads/template/nixos"


def carries_templates(site: Scene) -> None:
    """Let the inventory say that the newcomer is there to become a template."""
    proxmox = replace(site.sim.fleet.hosts[NEW].machine.proxmox, vmid=0, full=True, onboot=False)
    site.sim.change_host(NEW, state=State.ARCHIVED, update=Update(canary=True), disk_mib=32 << 10, proxmox=proxmox)


def templates(site: Scene) -> set[int]:
    return {vmid for vmid, vm in site.site.cluster.vms.items() if vm.template}


def published(site: Scene) -> str:
    """What the proposed site says of the template."""
    text = (site.sim.read(site.sim.remote.refs[BRANCH], "inventory/site.yaml") or b"").decode()
    return next(line for line in text.splitlines() if line.startswith("  nixos: {"))


def is_proposed(site: Scene, vmid: int) -> None:
    """The new template is clean and unmarked, and the branch names it."""
    vm = site.site.cluster.vms[vmid]
    guest = site.site.guest_for(vm)
    assert isinstance(guest, Guest)
    assert guest.tree.read_text("/etc/machine-id").strip() in ("", "uninitialized")
    assert not any(guest.tree.exists(path) for path in ("/etc/ssh/ssh_host_ed25519_key", "/var/lib/fleet/id_ed25519"))
    assert len([name for name in guest.tree.listdir("/nix/var/nix/profiles") if name.endswith("-link")]) == 1
    assert "pvenix-host" not in str(vm.config["description"])
    assert "pvenix" not in str(vm.config["tags"]).split(";")
    assert f"commit={site.sim.main()}" in str(vm.config["description"])
    assert f"vmid: {vmid}," in published(site)


def test_a_new_template_is_built_proven_and_proposed_and_the_old_one_stays(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        carries_templates(site)
        old, before = dict(site.site.cluster.vms[TEMPLATE_VMID].config), site.strangers()
        done = await site.run(*REFRESH)
        assert done.code is ExitCode.OK, done.why
        [new] = templates(site) - {TEMPLATE_VMID}
        assert (site.vms(), site.site.cluster.vms[TEMPLATE_VMID].config) == (0, old)
        assert {vmid: vm for vmid, vm in site.strangers().items() if vmid != new} == before
        is_proposed(site, new)
        assert f"vmid: {TEMPLATE_VMID}," in (site.sim.read(site.sim.main(), "inventory/site.yaml") or b"").decode()

    scene(golden, act)


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
def test_a_refresh_that_was_killed_anywhere_is_finished_by_resume(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        carries_templates(site)
        run = site.sim.plan("refresh", (NEW,), *(Task(verb=verb) for verb in REFRESH))
        deaths = 0
        while (
            await site.sim.run(run, Calls(die_at=deaths + 1, before=before, fails_too=True), resume=deaths > 0) is None
        ):
            deaths += 1
            assert deaths < 300
        assert deaths > 30
        [new] = templates(site) - {TEMPLATE_VMID}
        assert site.vms() == 0
        is_proposed(site, new)

    scene(golden, act)


@row("F31")
def test_a_template_that_keeps_an_identity_is_never_proposed(golden: Golden) -> None:
    """Somebody's hand puts the identity back that the guest has taken away."""

    async def act(site: Scene) -> None:
        carries_templates(site)

        def spoil() -> None:
            [vm] = [vm for vm in site.site.cluster.vms.values() if vm.name.startswith("nixos-")]
            guest = site.site.guest_for(vm)
            assert isinstance(guest, Guest)
            guest.tree.put("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")

        run = site.sim.plan("refresh", (NEW,), *(Task(verb=verb) for verb in REFRESH))
        code = await site.sim.run(run, Calls(due={"/template": [spoil]}))
        assert code is ExitCode.FAILED
        assert "it has the machine id of another clone of the template" in str(site.sim.log)
        assert BRANCH not in site.sim.remote.refs

    scene(golden, act)


@row("F31")
def test_guests_that_share_what_is_a_machine_s_own_are_found(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F31")
        for host in (NEW, OTHER):
            await site.run(*BEFORE, hosts=(host,))
        [health] = await healths(site)
        told = [finding.what for finding in health.findings if not finding.warning]
        assert any("have one SSH host key" in what for what in told), told
        assert health.broken

    scene(golden, act)


@row("F20")
def test_a_template_whose_clones_would_get_no_user_is_broken(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        [good] = await healths(site)
        assert not good.broken
        site.arm("F20")
        [health] = await healths(site)
        assert ["no cloud-init drive" in finding.what for finding in health.findings if not finding.warning] == [True]

    scene(golden, act)


async def healths(site: Scene) -> tuple[TemplateHealth, ...]:
    """What `pvenix template status` reads."""
    sim, clock, calls = site.sim, LoopClock(), Calls()
    world = World(
        fleet=sim.fleet,
        pve=PveCluster(SimTransport(site.site, calls), clock=clock, cluster="lab", token=TOKEN),
        guest=SimGuest(sim.machines, calls),
        repo=MemoryRepo(sim.remote),
        clock=clock,
        trust=sim.trust,
        sightings=sim.sightings,
    )
    return await template_healths(world)


@row("F30")
def test_no_call_of_ours_names_a_snippet(golden: Golden) -> None:
    """User, keys, address and DNS travel in fields of the API, everything else through the agent and SSH."""

    async def act(site: Scene) -> None:
        done = await site.onboard()
        assert done.sent("sshkeys=") > 0
        assert (done.sent("cicustom"), done.sent("snippets")) == (0, 0)
        assert not {"cicustom", "hookscript"} & site.vm().config.keys()
        template = site.site.cluster.vms[TEMPLATE_VMID]
        template.config["cicustom"] = "user=local:snippets/user.yaml"
        [health] = await healths(site)
        assert ["names a snippet" in finding.what for finding in health.findings if not finding.warning] == [True]

    scene(golden, act)
