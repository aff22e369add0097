"""The rows of failures of nodes, rights and guests: what today's verbs must do, asked of the far side after it was done.

pvenix' own engine, verbs and Proxmox adapter over the site in memory; `tests/story/test_faults_lab.py` has those rows
that need sockets.
"""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from pvenix.engine.ports import Interface, VmConfig
from pvenix.lifecycle.addresses import choose_addresses
from pvenix.model.errors import ExitCode
from tests.sim.golden import Golden
from tests.story.fault_scene import NEW, OLD, OTHER, Scene, row, scene, undeclared

pytestmark = pytest.mark.sim


# --- nodes, rights, quorum -------------------------------------------------------------------------------------------


@row("F11")
def test_a_node_that_is_down_takes_only_its_own_hosts_along(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        nodes = {host: site.vm(host).node for host in ("dns01", "docker01")}
        site.arm("F26", "docker01", node="tappaas3" if nodes["dns01"] != "tappaas3" else "tappaas2")
        site.arm("F11", node=site.vm("docker01").node)
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")
        done = await site.run("rebuild", hosts=("dns01",))
        assert done.code is ExitCode.OK, done.why
        away = await site.run("clone", hosts=("docker01",))
        assert (away.code, "No route to host" in away.why) == (ExitCode.UNREACHABLE, True), away.why
        assert f"node {site.vm('docker01').node} does not answer" in away.why
        assert away.sent("/clone newid=") == 0

    scene(golden, act)


@row("F12")
def test_a_node_that_is_not_trusted_by_the_others_is_named_and_nothing_is_written(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone")).code is ExitCode.OK
        site.arm("F12", node=site.vm().node)
        writes = site.writes
        done = await site.run("cloudinit")
        assert (done.code, site.writes) == (ExitCode.UNREACHABLE, writes), done.why
        assert f"/nodes/{site.vm().node}/" in done.why
        assert "certificate verify failed" in done.why
        assert "is it named as the cluster lists it" in done.why

    scene(golden, act)


@row("F14", "R3")
def test_a_token_that_is_refused_ends_the_run_before_anything_is_written(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F14")
        done = await site.run("clone")
        assert (done.code, site.vms(), site.writes) == (ExitCode.REFUSED, 0, 0)
        assert "does not accept the API token pvenix@pve!lab" in done.why

    scene(golden, act)


@row("F28", "R3")
def test_a_missing_privilege_is_named_with_the_line_that_gives_it(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F28", privilege="VM.Clone")
        done = await site.run("clone")
        assert (done.code, site.vms()) == (ExitCode.REFUSED, 0)
        assert "Permission check failed (/vms/8100, VM.Clone)" in done.why
        assert "pveum role modify <role> --append 1 --privs VM.Clone" in done.why

    scene(golden, act)


@row("F28")
def test_an_empty_list_is_not_taken_for_an_empty_cluster(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone")).code is ExitCode.OK
        site.arm("F28")
        done = await site.run("clone")
        assert (done.code, site.vms(), done.sent("/clone newid=")) == (ExitCode.REFUSED, 1, 0)
        assert "VM.Audit on /vms: `pvenix doctor` prints the pveum lines" in done.why
        site.clear()
        site.arm("F28", privilege="all")
        blind = await site.run("clone")
        assert (blind.code, blind.sent("/clone")) == (ExitCode.REFUSED, 0), blind.why

    scene(undeclared(golden), act)


@row("F43")
def test_without_a_quorum_nothing_is_intended_and_reading_goes_on(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F43")
        done = await site.run("clone")
        assert (done.code, "no quorum" in done.why, done.sent("/clone")) == (ExitCode.REFUSED, True, 0), done.why
        assert (site.vms(), site.site.counters.pve_writes) == (0, 0)
        assert [entry.what for entry in site.sim.journals[site.run_id].entries()] == ["result"]
        assert (await site.run("clone", hosts=(OLD,))).code is ExitCode.OK  # it is there, and nothing is to be written
        site.clear()
        assert (await site.run("clone")).code is ExitCode.OK

    scene(golden, act)


@row("F43")
def test_a_login_that_may_not_ask_for_the_quorum_is_told_once_and_goes_on(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", hosts=(NEW, OTHER))).code is ExitCode.OK
        site.arm("F28", privilege="Sys.Audit")
        done = await site.run("cloudinit", hosts=(NEW, OTHER))
        assert done.code is ExitCode.OK, done.why
        assert done.text.count("cannot be read (Sys.Audit on /)") == 1

    scene(golden, act)


# --- the guest, and what is written to it ----------------------------------------------------------------------------


@row("F15")
def test_keys_arrive_as_they_were_written(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit")).code is ExitCode.OK
        keys = site.golden.fleet.authorized_keys(NEW)
        assert unquote(str(site.vm().config["sshkeys"])).splitlines() == list(keys)
        assert (await site.run("cloudinit")).sent("PUT") == 0

    scene(golden, act)


@row("F16", "R4")
def test_an_agent_that_never_comes_up_is_waited_for_so_long_and_told_with_the_vm_s_state(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit")).code is ExitCode.OK
        site.arm("F16", NEW)
        done = await site.run("boot")
        assert (done.code, 300 <= done.seconds < 400) == (ExitCode.FAILED, True)
        assert "did not answer within 300 s" in done.why
        assert "the VM is running" in done.why
        site.clear()
        assert (await site.run("boot")).code is ExitCode.OK

    scene(golden, act)


@row("R4")
@pytest.mark.parametrize("show", ["wrong-types", "huge", "hostile"])
def test_an_agent_that_talks_nonsense_hangs_nobody(golden: Golden, show: str) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit")).code is ExitCode.OK
        site.arm("agent-answers", NEW, show=show)
        done = await site.run("boot")
        assert (done.code in (ExitCode.FAILED, ExitCode.REFUSED, ExitCode.UNKNOWN), done.seconds < 1000) == (True, True)
        assert "\x1b" not in done.text
        assert site.sim.trust.get(NEW) is None
        site.clear()
        assert (await site.run("boot")).code is ExitCode.OK

    scene(golden, act)


@row("R4")
def test_an_agent_that_hangs_is_given_up(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit")).code is ExitCode.OK
        site.arm("agent-hung", NEW)
        done = await site.run("boot")
        assert (done.code, done.seconds < 400, "did not answer" in done.why) == (ExitCode.FAILED, True, True)

    scene(golden, act)


@row("F17", "R4")
@pytest.mark.parametrize("show", ["link-local", "no-addresses"])
def test_an_address_that_is_not_the_guest_s_own_is_not_used(golden: Golden, show: str) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit")).code is ExitCode.OK
        site.arm("F17", NEW, show=show, for_s=90)
        done = await site.run("boot")
        assert (done.code, done.seconds >= 90) == (ExitCode.OK, True), done.why
        own = [address.partition("/")[0] for address in site.guest(NEW).addresses]
        assert done.last.summary.removeprefix("answers at ") in own

    scene(golden, act)


@row("F17")
def test_a_bridge_inside_the_guest_is_not_its_network_card(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit")).code is ExitCode.OK
        site.arm("F17", NEW, show="docker-first")
        done = await site.run("boot")
        assert (done.code, "172.17." in done.last.summary) == (ExitCode.OK, False), done.why

    scene(golden, act)
    mac, config = "bc:24:11:00:00:01", VmConfig(values={"net0": "virtio=BC:24:11:00:00:01,bridge=lan"}, digest="")
    docker = Interface(name="docker0", mac="02:42:00:00:00:01", addresses=("172.17.0.1/16",))
    own = Interface(name="eth0", mac=mac, addresses=("fe80::1/64", "10.0.0.5/24"))
    assert choose_addresses((docker, own), config) == ("10.0.0.5",)


@row("F18")
def test_a_reboot_in_the_middle_of_the_first_boot_is_lived_through(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit")).code is ExitCode.OK
        site.arm("F18", NEW, after_s=1.0)
        done = await site.run("boot")
        again = done if done.code is ExitCode.OK else await site.run("boot")
        assert again.code is ExitCode.OK, again.why
        assert site.guest(NEW).ssh_ready

    scene(golden, act)


@row("F21", "F37")
def test_what_somebody_else_set_stays_as_it_is(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone")).code is ExitCode.OK
        site.arm("F21", NEW)
        site.arm("F37", NEW)
        done = await site.run("clone", "cloudinit", "boot")
        assert done.code is ExitCode.OK, done.why
        assert site.vm().config["cipassword"] == "$5$lab$set.by.somebody"
        assert str(site.vm().config["cpulimit"]) == "2"
        assert (done.sent("cipassword"), done.sent("cpulimit")) == (0, 0)

    scene(golden, act)


@row("F37")
def test_a_change_between_reading_and_writing_is_noticed(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone")).code is ExitCode.OK
        site.arm("pve-stall", method="PUT", path="/config", seconds=5)
        site.arm("F37", NEW, after_s=2)
        done = await site.run("cloudinit")
        assert (done.code, "was changed meanwhile" in done.why) == (ExitCode.FAILED, True), done.why
        assert (await site.run("cloudinit")).code is ExitCode.OK

    scene(golden, act)


@row("F42")
def test_a_guest_with_a_wrong_name_is_reached_by_its_address(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")
        site.arm("F42", OLD, hostname="docker01")
        done = await site.run("rebuild", hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        assert site.guest(OLD).current.revision == site.sim.main()

    scene(golden, act)
