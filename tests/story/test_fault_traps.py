"""The traps of transports and libraries, and the fault matrix, where no socket is needed: cuts, nonsense, hostile text."""

from __future__ import annotations

import pytest

from pvenix.model.errors import ExitCode
from pvenix_lab.site.faults.corpus import SEQUENCES
from pvenix_lab.site.guest.generations import boot_default
from tests.sim.golden import Golden
from tests.story.fault_scene import NEW, OLD, Done, Scene, row, scene, undeclared

pytestmark = pytest.mark.sim

CONTROLS = ("\x1b", "\x9b", "\x07", "\u202e", "\x08")


def changed(site: Scene) -> str:
    """Something to rebuild for; the commit."""
    return site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")


def honest(site: Scene, done: Done, commit: str) -> None:
    """The run says what is so: ok is only said of a host that runs and boots the commit."""
    guest = site.guest(OLD)
    runs = guest.current.revision == commit and boot_default(guest.tree) == guest.current_path
    assert (done.code is ExitCode.OK) <= runs, done.why
    assert guest.ssh_ready


# --- cuts ------------------------------------------------------------------------------------------------------------

CUT_AT = (
    "systemd-run --unit=pvenix-deadman",
    "systemd-run --unit=pvenix-activate",
    "nix build",
    "nix-env -p",
    "switch-to-configuration boot",
    "readlink",
    "systemctl show",
)


@pytest.mark.parametrize("how", ["reset", "killed", "channel", "silent", "half-open"])
@pytest.mark.parametrize("command", CUT_AT)
@row("T1", "T2", "R2")
def test_a_cut_is_never_a_success_and_the_host_ends_on_the_commit(golden: Golden, command: str, how: str) -> None:
    async def act(site: Scene) -> None:
        commit = changed(site)
        for effect in (True, False):
            site.arm("ssh-cut", OLD, command=command, how=how, effect=effect)
        done = await site.run("rebuild", hosts=(OLD,))
        honest(site, done, commit)
        site.clear()
        for _ in range(3):
            if done.code is ExitCode.OK:
                break
            await site.later(400)
            done = await site.resume()
            honest(site, done, commit)
        assert (done.code, site.guest(OLD).current.revision) == (ExitCode.OK, commit), done.why

    scene(golden, act)


@row("T2", "T14", "R2")
def test_an_activation_goes_on_without_its_connection_and_is_judged_by_its_unit(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        commit = changed(site)
        site.arm("activation-slow", OLD, seconds=30)
        site.arm("T2", OLD)
        done = await site.run("rebuild", hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        assert "re-attaching" in done.text
        assert done.sent("systemd-run --unit=pvenix-activate") == 1
        honest(site, done, commit)

    scene(golden, act)


@row("R10")
def test_a_host_with_another_key_is_sent_nothing(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        site.arm("R10", OLD)
        commands = site.site.counters.guest_commands
        done = await site.run("rebuild", hosts=(OLD,))
        assert (done.code, "did not prove to be" in done.why) == (ExitCode.REFUSED, True), done.why
        assert site.site.counters.guest_commands == commands

    scene(golden, act)


@row("F18", "T17")
@pytest.mark.parametrize("fault", ["ssh-refused", "ssh-silent"])
def test_a_host_without_ssh_is_unreachable_and_left_as_it_is(golden: Golden, fault: str) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        site.arm(fault, OLD)
        before = site.guest(OLD).current_path
        done = await site.run("rebuild", hosts=(OLD,))
        assert (done.code, site.guest(OLD).current_path) == (ExitCode.UNREACHABLE, before), done.why

    scene(golden, act)


@row("T17")
def test_a_command_that_hangs_ends_with_its_step_s_time_and_is_unknown(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        commit = changed(site)
        site.arm("command-hangs", OLD, command="readlink")
        done = await site.run("rebuild", hosts=(OLD,))
        assert done.seconds < 3600
        honest(site, done, commit)

    scene(golden, act)


# --- nonsense from the API -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["pve-html", "pve-redirect", "pve-truncated", "pve-reset", "pve-wrong-types"])
@pytest.mark.parametrize("effect", [True, False], ids=["done", "not done"])
@row("T7", "R3")
def test_an_answer_that_is_none_makes_no_second_vm(golden: Golden, fault: str, *, effect: bool) -> None:
    async def act(site: Scene) -> None:
        site.arm(fault, method="POST", path="/clone", effect=effect)
        done = await site.run("clone")
        assert (done.code is ExitCode.OK) <= (site.vms() == 1), done.why
        assert done.code in (ExitCode.OK, ExitCode.UNKNOWN), done.why
        again = await site.run("clone", "cloudinit")
        assert (again.code, site.vms()) == (ExitCode.OK, 1), again.why

    scene(undeclared(golden), act)


@pytest.mark.parametrize("status", [500, 501, 401, 403, 502, 595, 596, 597, 599])
@pytest.mark.parametrize("path", ["/clone", "/config", "/status/start", "/cloudinit"])
@row("R3")
def test_a_write_that_failed_with_a_status_is_repeated_after_a_look_only(
    golden: Golden, status: int, path: str
) -> None:
    async def act(site: Scene) -> None:
        for method in ("POST", "PUT"):
            site.arm("pve-status", method=method, path=path, status=status, effect=True)
        done = await site.run("clone", "cloudinit", "boot")
        assert site.vms() <= 1
        assert done.code in (*FAILURES, ExitCode.OK), done.why
        reason = asked_reason(status)
        assert done.code is ExitCode.OK or reason in done.text, done.why
        site.clear()
        again = await site.run("clone", "cloudinit", "boot")
        assert (again.code, site.vms()) == (ExitCode.OK, 1), again.why

    scene(undeclared(golden), act)


def asked_reason(status: int) -> str:
    """What the operator must read of a status: Proxmox' own words."""
    return {401: "does not accept the API token", 403: "is not permitted", 595: "does not answer the others"}.get(
        status, "got no answer" if status in (502, 596, 597, 599) else "failed"
    )


FAILURES = (ExitCode.FAILED, ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.UNKNOWN)


@row("T7", "R3")
@pytest.mark.parametrize("fault", ["pve-html", "pve-redirect", "pve-wrong-types", "pve-truncated"])
def test_a_page_in_place_of_a_list_is_said_to_be_no_api(golden: Golden, fault: str) -> None:
    async def act(site: Scene) -> None:
        site.arm(fault, method="GET", path="/cluster/resources", times=0)
        done = await site.run("clone")
        assert (done.code, site.vms(), site.writes) == (ExitCode.FAILED, 0, 0), done.why
        assert "was not answered by the Proxmox API" in done.why

    scene(golden, act)


@row("T8")
def test_a_slow_answer_is_waited_for(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("T8", times=3)
        done = await site.run("clone")
        assert (done.code, site.vms()) == (ExitCode.OK, 1), done.why

    scene(golden, act)


# --- hostile text ----------------------------------------------------------------------------------------------------


@row("T3", "R8")
def test_what_a_guest_prints_moves_no_cursor(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        site.arm("hostile-output", OLD, 0, command="nix build")
        done = await site.run("rebuild", hosts=(OLD,))
        site.clear()
        assert "press[/] host[/]" in done.output
        assert not [control for control in CONTROLS if control in done.text + done.output]
        assert all(sequence not in done.output for sequence in SEQUENCES)

    scene(golden, act)


@row("T3", "T4", "T6", "R9")
@pytest.mark.parametrize("where", ["vm", "node", "notes", "upid", "log"])
def test_what_the_api_names_is_inert(golden: Golden, where: str) -> None:
    async def act(site: Scene) -> None:
        site.arm("hostile-names", where=where)
        done = await site.run("clone", "cloudinit", "boot")
        assert not [control for control in CONTROLS if control in done.text + done.output]
        assert not [call for call in site.sim.calls.trace if "access/users" in call]
        site.clear()
        again = await site.run("clone", "cloudinit", "boot")
        assert (again.code, site.vms()) == (ExitCode.OK, 1), again.why

    scene(golden, act)


# --- no space --------------------------------------------------------------------------------------------------------


@row("R6")
def test_a_full_disk_stops_a_rebuild_before_anything_is_switched_and_the_next_one_goes_on(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        commit = changed(site)
        before = site.guest(OLD).current_path
        site.arm("R6", OLD)
        done = await site.run("rebuild", hosts=(OLD,))
        assert (done.code, site.guest(OLD).current_path) == (ExitCode.FAILED, before), done.why
        assert "No space left on device" in done.text + done.output
        assert boot_default(site.guest(OLD).tree) == before
        site.clear()
        again = await site.run("rebuild", hosts=(OLD,))
        assert again.code is ExitCode.OK, again.why
        honest(site, again, commit)

    scene(golden, act)


@row("R4")
def test_a_newcomer_is_not_given_up_because_its_agent_is_away_for_a_minute(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit")).code is ExitCode.OK
        site.arm("agent-absent", NEW, for_s=60)
        done = await site.run("boot")
        assert (done.code, 60 <= done.seconds < 120) == (ExitCode.OK, True), done.why

    scene(golden, act)
