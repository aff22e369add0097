"""A first boot that goes wrong in each of its phases, and a host that is somewhere else than expected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pvenix.engine.trust import TrustStore
from pvenix.model.errors import ExitCode
from pvenix.model.outcome import Status
from pvenix_lab.site.guest.firstboot import HOST_KEY
from tests.sim.golden import Golden
from tests.sim.ports import Machines
from tests.story.fault_scene import NEW, OLD, OTHER, Done, Scene, row, scene

V4, V6 = "10.2.20.60", "2001:db8:220::60"
EVIDENCE = (
    "VM 310 on tappaas",
    "its options name a guest agent",
    "cloud-init drive: ide2",
    "boot order: ",
    "newest task: qmstart",
)
NEXT = (f"pvenix console {NEW}", f"pvenix boot {NEW}", f"pvenix retire {NEW}")


def declaring(golden: Golden, host: str = NEW, **fields: dict[str, Any]) -> Golden:
    """The same site with a fleet that says this of one host."""
    one = golden.fleet.hosts[host]
    machine = replace(
        one.machine, **{name: replace(getattr(one.machine, name), **each) for name, each in fields.items()}
    )
    hosts = dict(golden.fleet.hosts) | {host: replace(one, machine=machine)}
    return replace(golden, fleet=replace(golden.fleet, hosts=hosts))


async def cloned(site: Scene, *hosts: str) -> None:
    done = await site.run("clone", "cloudinit", hosts=hosts or (NEW,))
    assert done.code is ExitCode.OK, done.why


def tells(done: Done, *parts: str) -> None:
    """The end of the step says all of this."""
    missing = [part for part in parts if part not in done.why]
    assert not missing, f"{missing} not in\n{done.why}"


# --- each phase has its time ----------------------------------------------------------------------------------------


@row("F16")
def test_an_agent_that_stays_silent_is_told_with_all_that_proxmox_knows_and_what_can_be_done(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await cloned(site)
        site.arm("F16", NEW)
        done = await site.run("boot")
        assert (done.last.status, 40 <= done.seconds < 60) == (Status.FAILED, True)
        tells(done, *EVIDENCE, *NEXT, "did not answer within 40 s", "up 4", f"inventory/trust/{NEW}")
        tells(done, "ssh -t root@tappaas", " qm terminal 310")

    scene(declaring(golden, bootstrap={"agent_timeout_s": 40}), act)


@row("F16")
def test_without_an_agent_a_pinned_host_is_booted_at_its_fixed_address(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("stop", hosts=(OLD,))).code is ExitCode.OK
        site.arm("F16", OLD)
        done = await site.run("boot", hosts=(OLD,))
        assert (done.code, done.last.summary) == (ExitCode.OK, "answers at 10.69.13.5"), done.why
        assert "going on at 10.69.13.5 with the pinned key" in done.text

    scene(golden, act)


@row("F17")
def test_a_guest_without_a_usable_address_is_told_with_what_its_agent_reports(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await cloned(site)
        site.arm("F17", NEW, show="link-local")
        done = await site.run("boot")
        assert (done.last.status, done.seconds < 150) == (Status.FAILED, True)
        tells(done, *EVIDENCE, *NEXT, "no usable address within 120 s", "fe80::", "network.address=IP/PREFIX")

    scene(golden, act)


@row("F16")
def test_a_guest_that_nobody_reaches_any_more_is_told_with_the_state_of_its_vm(golden: Golden) -> None:
    """Neither SSH nor, after a while, the agent answers."""

    async def act(site: Scene) -> None:
        await cloned(site)
        site.arm("ssh-refused", NEW)
        site.arm("agent-absent", NEW, after_s=10)
        done = await site.run("boot")
        assert (done.last.status, 20 <= done.seconds < 40) == (Status.FAILED, True), done.why
        tells(done, "took no login within 20 s", *EVIDENCE, *NEXT)

    scene(declaring(golden, bootstrap={"ssh_timeout_s": 20}), act)


@row("F16")
def test_cloud_init_that_never_ends_is_given_up_with_what_can_be_done(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await cloned(site)
        site.arm("command-hangs", NEW, command="cloud-init")
        done = await site.run("boot")
        assert (done.last.status, 100 <= done.seconds < 200) == (Status.FAILED, True), done.why
        tells(done, "did not end within 100 s", *EVIDENCE, *NEXT)
        assert (await site.run("boot")).code is ExitCode.OK

    scene(declaring(golden, bootstrap={"cloudinit_timeout_s": 100}), act)


# --- one boot and another -------------------------------------------------------------------------------------------


@row("F18")
@pytest.mark.parametrize("after_s", [1, 10, 25, 45, 60])
def test_a_guest_that_reboots_while_it_comes_up_is_ready_only_in_its_last_boot(golden: Golden, after_s: float) -> None:
    async def act(site: Scene) -> None:
        await cloned(site)
        site.arm("F18", NEW, after_s=after_s)
        done = await site.run("boot", "hardware")
        assert done.code is ExitCode.OK, done.why
        assert site.guest(NEW).cloud_init_done.is_set()

    scene(golden, act)


@row("F18")
def test_a_reboot_is_noticed_through_the_agent_too(golden: Golden) -> None:
    """No connection ends then: an agent that answers again is that of another boot."""

    async def act(site: Scene) -> None:
        await cloned(site)
        site.site.timings = replace(site.site.timings, cloud_init_s=60.0)
        site.arm("ssh-refused", NEW)
        site.arm("F18", NEW, after_s=20)
        done = await site.run("boot")
        assert done.code is ExitCode.OK, done.why
        assert (site.guest(NEW).cloud_init_done.is_set(), "boots anew" in done.text) == (True, True)

    scene(declaring(golden, bootstrap={"ssh_timeout_s": 1}), act)


@row("F18")
def test_a_guest_that_boots_again_and_again_is_told(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await cloned(site)
        site.sim.calls.due = {}
        site.arm("ssh-cut", NEW, times=0, command="cloud-init")
        done = await site.run("boot")
        assert done.last.status == Status.FAILED
        tells(done, "boots again and again", *EVIDENCE, *NEXT)

    scene(golden, act)


# --- where it is ----------------------------------------------------------------------------------------------------


def only_from(site: Scene, *addresses: str) -> None:
    """The operator is where of the newcomer's addresses only these lead to it."""
    machines, away = Machines(site.site), {V4, V6} - {*addresses}
    site.sim.machines.find = lambda target: None if target.address in away else machines.find(target)  # type: ignore[method-assign]


def test_the_same_host_is_reached_from_the_lan_and_over_the_vpn_command_after_command(golden: Golden) -> None:
    """The third seed's café: no IPv6 there; at home the declared family wins, whatever worked last."""
    network = {"address": f"{V4}/24", "ip6": f"{V6}/64", "prefer": "v6"}

    async def act(site: Scene) -> None:
        await site.onboard()
        for reached, wanted in (((V4, V6), V6), ((V4,), V4), ((V4, V6), V6), ((V4,), V4), ((V6,), V6)):
            only_from(site, *reached)
            done = await site.run("reboot")
            assert done.code is ExitCode.OK, done.why
            assert site.sim.sightings.get(NEW).address == wanted

    scene(declaring(golden, network=network), act)


@row("F17")
@pytest.mark.parametrize("declared", [{"ip6": f"{V6}/64"}, {"ip6": f"{V6}/64", "address": f"{V4}/24"}])
def test_a_host_that_only_ipv6_leads_to_is_onboarded(golden: Golden, declared: dict[str, str]) -> None:
    async def act(site: Scene) -> None:
        only_from(site, V6)
        if "address" not in declared:
            site.arm("agent-answers", NEW, show="ipv6-only")
        await site.onboard()
        assert site.sim.sightings.get(NEW).address == V6
        assert site.guest(NEW).current.revision == site.sim.main()

    scene(declaring(golden, network=declared), act)


@row("F17")
def test_a_fixed_address_that_leads_nowhere_gives_way_to_the_one_that_the_agent_knows(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")
        done = await site.run("rebuild", hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        assert "10.69.13.99 of the inventory did not answer; using 10.69.13.5 (guest agent)" in done.text
        assert site.guest(OLD).current.revision == site.sim.main()

    scene(declaring(golden, OLD, network={"address": "10.69.13.99/24"}), act)


@row("R10", "F17")
def test_a_stranger_at_the_fixed_address_is_sent_nothing_and_the_host_is_found_elsewhere(golden: Golden) -> None:
    """The fixed address was given to another machine meanwhile: here to the one with the repository."""

    async def act(site: Scene) -> None:
        assert (await site.run("stop", hosts=(OLD,))).code is ExitCode.OK
        done = await site.run("boot", hosts=(OLD,))
        assert (done.code, done.last.summary) == (ExitCode.OK, "answers at 10.69.13.5"), done.why
        assert "10.0.0.30 of the inventory did not answer; using 10.69.13.5 (guest agent)" in done.text

    scene(declaring(golden, OLD, network={"address": "10.0.0.30/24"}), act)


@row("F42")
def test_a_newcomer_with_a_wrong_name_is_reached_by_its_address_and_registered(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await cloned(site)
        site.arm("F42", NEW, hostname="localhost")
        done = await site.run("boot", "hardware", "register")
        assert done.code is ExitCode.OK, done.why
        assert f"refs/heads/registration/{NEW}" in site.sim.remote.refs

    scene(golden, act)


# --- who it is ------------------------------------------------------------------------------------------------------


@row("F31")
def test_two_hosts_with_one_host_key_are_refused_by_both_names(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await cloned(site, NEW, OTHER)
        assert (await site.run("boot", hosts=(NEW, OTHER))).code is ExitCode.OK
        for suffix in ("", ".pub"):
            site.guest(OTHER).tree.write(HOST_KEY + suffix, site.guest(NEW).tree.read(HOST_KEY + suffix), mode=0o600)
        TrustStore(fleet=site.golden.fleet.root, local=site.sim.root / "state/trust").forget(OTHER)
        for _ in range(2):
            done = await site.run("boot", hosts=(OTHER,))
            assert done.last.status == Status.REFUSED
            tells(done, f"{OTHER} and {NEW} have the same SSH host key", "/etc/ssh/ssh_host_*")

    scene(golden, act)


@row("F31")
def test_two_hosts_with_one_machine_id_are_told_by_both_names(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await cloned(site, NEW, OTHER)
        assert (await site.run("boot")).code is ExitCode.OK
        done = await site.run("boot", hosts=(OTHER,))
        assert "machine id" not in done.last.summary
        site.guest(OTHER).tree.put("/etc/machine-id", site.guest(NEW).tree.read_text("/etc/machine-id"))
        done = await site.run("stop", "boot", hosts=(OTHER,))
        assert done.last.status == Status.REFUSED
        tells(done, f"its machine id is that of {NEW} too", "DHCP may give both one address")

    scene(golden, act)


# --- without SSH ----------------------------------------------------------------------------------------------------


def test_with_port_22_closed_a_newcomer_is_registered_through_its_agent(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await cloned(site)
        site.arm("ssh-refused", NEW)
        done = await site.run("boot", "hardware", "register", "review")
        assert done.code is ExitCode.OK, done.why
        assert "answers through its guest agent only" in done.text
        assert "reading through the guest agent" in done.text
        assert f"refs/heads/registration/{NEW}" in site.sim.remote.refs
        assert f"guest:{NEW}" in site.guest("tappaas-cicd").tree.read_text("/srv/git/.ssh/authorized_keys")
        site.clear()
        assert (await site.run("build", "rebuild")).code is ExitCode.OK

    scene(golden, act)


def test_a_token_that_may_not_use_the_agent_is_told_which_privilege_it_lacks(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await cloned(site)
        assert (await site.run("boot")).code is ExitCode.OK
        site.arm("ssh-refused", NEW)
        site.arm("rights-lost", privilege="VM.Monitor")
        done = await site.run("hardware")
        assert done.last.status == Status.REFUSED
        tells(done, "VM.Monitor")
        site.clear()
        site.arm("ssh-refused", NEW)
        assert (await site.run("hardware")).code is ExitCode.OK

    scene(golden, act)


def test_two_keys_that_are_let_in_at_once_are_both_there(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await cloned(site, NEW, OTHER)
        done = await site.run("boot", "hardware", "register", hosts=(NEW, OTHER))
        assert done.code is ExitCode.OK, done.why
        lines = site.guest("tappaas-cicd").tree.read_text("/srv/git/.ssh/authorized_keys").splitlines()
        assert [sum(f"guest:{host}" in line for line in lines) for host in (NEW, OTHER)] == [1, 1]

    scene(golden, act)


def test_a_host_that_goes_takes_its_git_key_along(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await site.onboard()
        keys = site.guest("tappaas-cicd").tree
        before = keys.read_text("/srv/git/.ssh/authorized_keys").splitlines()
        assert (await site.run("retire")).code is ExitCode.OK
        after = keys.read_text("/srv/git/.ssh/authorized_keys").splitlines()
        assert [line for line in before if line not in after] == [line for line in before if f"guest:{NEW}" in line]
        assert len(after) == len(before) - 1

    scene(golden, act)
