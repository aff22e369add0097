"""How an activation ends: by every exit status, by units and checks, after a way back that fails, and what is left of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from pvenix.lifecycle.activation.preflight import SKEW_MOST_S
from pvenix.model.errors import ExitCode
from pvenix.model.names import short_store_path
from pvenix.model.plan import Task
from pvenix.model.site import HealthCheck, HealthKind, OnFailure
from pvenix.model.update import Reboot, Strategy
from pvenix_lab.site.guest.generations import boot_default
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.store import read_system
from tests.sim.golden import Golden
from tests.sim.ports import Calls
from tests.sim.world import KILLED
from tests.story.fault_scene import OLD, Done, Scene, scene

pytestmark = pytest.mark.sim
WITHOUT_PORT = "docker01"
"""A host without a check of a port, which in the lab no failed unit leaves open."""


def changed(site: Scene, text: str = "{ }\n# new\n") -> str:
    """Something to rebuild for; the commit."""
    return site.sim.change_main("nix/modules/role-base.nix", text)


def wants(site: Scene, host: str = OLD, **update: Any) -> None:
    """Somebody edits what is done at an update of the host."""
    machine = site.sim.fleet.hosts[host].machine
    site.sim.change_host(host, update=replace(machine.update, **update))


def state(guest: Guest) -> tuple[str, str]:
    """What it runs, and what it boots."""
    return guest.current_path, boot_default(guest.tree)


async def rebuilt(site: Scene) -> Done:
    return await site.run("rebuild", hosts=(OLD,))


# --- exit statuses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        ("switch-lock-taken", ExitCode.FAILED, "the new system refused to be activated; it runs what it ran"),
        ("activation-script-fails", ExitCode.ROLLED_BACK, "the activation failed half-way"),
        ("daemon-reload-fails", ExitCode.ROLLED_BACK, "systemd did not reload"),
        ("unit-fails", ExitCode.ROLLED_BACK, "units failed: "),
        ("init-changed", ExitCode.CHANGES, "only a reboot can activate"),
        ("activation-killed", ExitCode.ROLLED_BACK, "how far the activation came is not known"),
    ],
)
def test_each_exit_status_has_its_own_end_and_the_old_system_runs_and_boots(
    golden: Golden, fault: str, code: ExitCode, says: str
) -> None:
    """1, 2, 3, 4, 100 and none."""

    async def act(site: Scene) -> None:
        before = state(site.guest(OLD))
        changed(site)
        site.arm(fault, OLD)
        done = await rebuilt(site)
        assert (done.code, state(site.guest(OLD))) == (code, before), done.why
        assert says in done.last.summary
        assert done.last.hint
        site.rules.clean(site.sim, (OLD,))
        site.clear()
        assert (await rebuilt(site)).code is ExitCode.OK

    scene(golden, act)


def test_what_was_not_activated_is_not_gone_back_from(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        site.arm("switch-lock-taken", OLD)
        assert (await rebuilt(site)).sent("systemd-run --unit=pvenix-revert") == 0

    scene(golden, act)


def test_a_system_that_only_a_reboot_can_activate_is_booted_where_that_is_the_policy(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        commit, old = changed(site), site.guest(OLD).current_path
        wants(site, reboot=Reboot.AUTO)
        site.arm("init-changed", OLD)
        done = await rebuilt(site)
        guest = site.guest(OLD)
        assert done.code is ExitCode.OK, done.why
        assert "staged: only a reboot" in done.last.summary
        assert boot_default(guest.tree) != old
        guest.restart_now()
        assert guest.current.revision == commit

    scene(golden, act)


# --- units and checks, before and after ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "code"), [(OnFailure.KEEP, ExitCode.OK), (OnFailure.ROLLBACK, ExitCode.ROLLED_BACK)]
)
def test_a_unit_that_newly_fails_is_kept_or_not_by_the_host_s_policy(
    golden: Golden, policy: OnFailure, code: ExitCode
) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        wants(site, WITHOUT_PORT, on_failure=policy)
        site.arm("unit-fails", WITHOUT_PORT, unit="nscd.service")
        done = await site.run("rebuild", hosts=(WITHOUT_PORT,))
        assert done.code is code, done.why
        assert "pvenix-" not in done.last.summary
        assert ("units failed and were kept: nscd.service" in done.last.summary) == (policy is OnFailure.KEEP)

    scene(golden, act)


CHECK = HealthCheck(kind=HealthKind.TCP, port=9999, within_s=5)


@pytest.mark.parametrize(
    ("policy", "code"), [(OnFailure.ROLLBACK, ExitCode.OK), (OnFailure.STRICT, ExitCode.ROLLED_BACK)]
)
def test_a_check_that_failed_before_is_told_and_decides_only_where_the_policy_is_strict(
    golden: Golden, policy: OnFailure, code: ExitCode
) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        assert (await rebuilt(site)).code is ExitCode.OK  # it runs a commit of the fleet now
        changed(site, "{ }\n# newer\n")
        wants(site, on_failure=policy, health=(CHECK,))
        done = await rebuilt(site)
        assert done.code is code, done.why
        assert "does not hold before the activation: tcp 9999" in done.text
        assert ("was already failing: tcp 9999" in done.last.summary) == (code is ExitCode.OK)

    scene(golden, act)


def test_a_check_that_held_before_and_does_not_now_goes_back(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        check = HealthCheck(kind=HealthKind.SYSTEMD, unit="unbound.service", within_s=5)
        wants(site, health=(check,), on_failure=OnFailure.KEEP)
        changed(site)
        site.arm("unit-fails", OLD, unit="unbound.service")
        done = await rebuilt(site)
        assert done.code is ExitCode.ROLLED_BACK, done.why
        assert "not healthy: systemd unbound.service" in done.last.summary

    scene(golden, act)


# --- the way back ----------------------------------------------------------------------------------------------------


def also_on_the_way_back(site: Scene) -> None:
    """Let faults of an activation strike every one, not only that of a new system."""
    site.site.faults.ACTIVATION = ()  # type: ignore[attr-defined]


def test_a_way_back_that_fails_is_gone_once_more_by_the_dead_man(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        before = state(site.guest(OLD))
        changed(site)
        also_on_the_way_back(site)
        site.arm("activation-script-fails", OLD, times=2)
        done = await rebuilt(site)
        assert (done.code, state(site.guest(OLD))) == (ExitCode.ROLLED_BACK, before), done.why

    scene(golden, act)


def test_where_no_way_leads_back_a_person_is_asked_and_resume_reads_what_they_did(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        also_on_the_way_back(site)
        site.arm("activation-script-fails", OLD, times=20)
        done = await rebuilt(site)
        assert done.code is ExitCode.UNKNOWN, done.why
        assert "a person is needed" in done.last.summary
        assert f"pvenix console {OLD}" in done.last.hint
        assert "/bin/switch-to-configuration switch" in done.last.hint
        site.clear()
        again = await site.resume()
        assert again.code is ExitCode.ROLLED_BACK, again.why
        site.rules.clean(site.sim, (OLD,))

    scene(golden, act)


# --- cuts ------------------------------------------------------------------------------------------------------------

CHECKED_AT = ("systemctl is-active", "armed-health", "/confirmed", "nix-env -p", "switch-to-configuration boot")


@pytest.mark.parametrize("how", ["reset", "channel", "silent"])
@pytest.mark.parametrize("command", CHECKED_AT)
def test_a_cut_while_health_is_looked_at_or_confirmed_is_gone_on_from_in_the_same_run(
    golden: Golden, command: str, how: str
) -> None:
    async def act(site: Scene) -> None:
        commit = changed(site)
        site.arm("ssh-cut", OLD, command=command, how=how)
        done = await rebuilt(site)
        assert done.code is ExitCode.OK, done.why
        guest = site.guest(OLD)
        assert (guest.current.revision, boot_default(guest.tree)) == (commit, guest.current_path)

    scene(golden, act)


# --- before it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "fields", "code", "says"),
    [
        ("little-space", {"where": "/nix/store"}, ExitCode.FAILED, "too little space is free in /nix/store"),
        ("little-space", {"where": "/boot"}, ExitCode.FAILED, "too little space is free in /boot"),
        ("switch-locked", {}, ExitCode.LOCKED, "somebody else activates a system"),
        ("clock-wrong", {"seconds": SKEW_MOST_S + 60}, ExitCode.FAILED, "the clock of dns01 is not ours"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_built(
    golden: Golden, fault: str, fields: dict[str, Any], code: ExitCode, says: str
) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        site.arm(fault, OLD, **fields)
        writes = site.writes
        done = await site.run("preflight", "rebuild", hosts=(OLD,))
        assert (done.code, site.writes) == (code, writes), done.why
        assert says in done.last.summary
        assert "reachable  ok" in done.last.evidence
        assert (await rebuilt(site)).code is code  # also without the look before it
        assert site.writes == writes
        site.clear()
        again = await site.run("preflight", "rebuild", hosts=(OLD,))
        assert again.code is ExitCode.OK, again.why

    scene(golden, act)


def test_the_look_shows_a_line_for_each_host_and_changes_nothing(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        writes = site.writes
        done = await site.run("preflight", hosts=(OLD,))
        assert (done.code, site.writes) == (ExitCode.OK, writes)
        for item in (
            "reachable ok",
            "sudo ok",
            "store ",
            "boot 415.0 MiB",
            "lock free",
            "clock +0 s",
            "inhibitors none",
        ):
            assert item in done.last.summary

    scene(golden, act)


def test_what_changes_is_shown_before_the_activation(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.sim.change_main("nix/common.nix", _with_htop(site))
        done = await rebuilt(site)
        assert done.code is ExitCode.OK, done.why
        assert any("htop" in line for line in done.last.evidence)
        assert "htop" in done.output
        assert "would activate the configuration..." in done.output
        assert done.output.index("htop: ") < done.output.index("systemd-run --unit=pvenix-activate")

    scene(golden, act)


def _with_htop(site: Scene) -> str:
    text = (site.sim.read(site.sim.main(), "nix/common.nix") or b"").decode()
    assert "[ pkgs.git ]" in text
    return text.replace("[ pkgs.git ]", "[\n    pkgs.git\n    pkgs.htop\n  ]")


# --- strategies ------------------------------------------------------------------------------------------------------


def test_the_strategy_boot_stages_and_activates_nothing_until_a_reboot(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        guest, commit = site.guest(OLD), changed(site)
        runs = guest.current_path
        wants(site, strategy=Strategy.BOOT)
        done = await rebuilt(site)
        assert done.code is ExitCode.OK, done.why
        assert done.last.summary.startswith("staged: ")
        assert guest.current_path == runs != boot_default(guest.tree)
        site.rules.clean(site.sim, (OLD,))
        writes = site.writes
        assert (await rebuilt(site)).last.status == "ok"
        assert site.writes == writes
        guest.restart_now()
        assert guest.current.revision == commit

    scene(golden, act)


def test_a_boot_loader_that_cannot_be_written_leaves_the_profile_at_what_boots(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        before = state(guest)
        changed(site)
        wants(site, strategy=Strategy.BOOT)
        also_on_the_way_back(site)
        site.arm("bootloader-fails", OLD)
        done = await rebuilt(site)
        assert (done.code, state(guest)) == (ExitCode.FAILED, before), done.why
        assert guest.tree.resolve("/nix/var/nix/profiles/system") == before[1]
        site.rules.clean(site.sim, (OLD,))

    scene(golden, act)


def test_a_confirmed_system_whose_boot_loader_could_not_be_written_is_told_as_running(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        before = state(guest)
        commit = changed(site)
        site.arm("bootloader-fails", OLD)
        done = await rebuilt(site)
        assert done.code is ExitCode.FAILED
        assert "it runs the new system, confirmed, and boots" in done.last.summary, done.why
        assert short_store_path(before[1]) in done.last.summary, done.why
        assert "pvenix resume" in done.last.hint
        assert (guest.current.revision, guest.tree.resolve("/nix/var/nix/profiles/system")) == (commit, before[1])

    scene(golden, act)


def test_switch_is_as_safe_as_test_then_switch(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        before = state(site.guest(OLD))
        changed(site)
        wants(site, strategy=Strategy.SWITCH)
        site.arm("port-closed-by-new-system", OLD)
        done = await rebuilt(site)
        assert (done.code, state(site.guest(OLD))) == (ExitCode.ROLLED_BACK, before), done.why

    scene(golden, act)


# --- what is left ----------------------------------------------------------------------------------------------------


def test_old_attempts_go_once_a_new_one_has_ended_well_and_what_is_a_person_s_stays(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        tree = site.guest(OLD).tree
        old = [f"20250{month}01-000000-0000-0.0-1" for month in range(1, 10)] + ["20241201-000000-0000"]
        for name in old:
            tree.put(f"/var/lib/pvenix/{name}/activate.log", "an old log\n")
            tree.symlink(site.guest(OLD).current_path, f"/var/lib/pvenix/{name}/new")
        tree.put(f"/var/lib/pvenix/{old[-1]}/etc-nixos/mine.nix", "{ }\n")
        tree.put("/var/lib/pvenix/pins/7", "x")
        changed(site)
        assert (await rebuilt(site)).code is ExitCode.OK
        left = set(tree.listdir("/var/lib/pvenix"))
        assert {"pins", old[-1], *old[1:-1]} <= left
        assert old[0] not in left
        roots = [name for name in left if tree.exists(f"/var/lib/pvenix/{name}/new", follow_last=False)]
        assert [name for name in roots if name in old] == []
        assert [name for name in roots if name.endswith("-0.0-1")] == [f"{site.run_id}-0.0-1"]

    scene(golden, act)


def test_leftovers_that_cannot_be_taken_away_are_no_failure_of_the_host(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.guest(OLD).tree.symlink("/nowhere", "/var/lib/pvenix/20250101-000000-0000-0.0-1/new")
        changed(site)
        site.arm("ssh-cut", OLD, command="rm -f --")
        done = await rebuilt(site)
        assert done.code is ExitCode.OK, done.why
        assert "was not pruned" in done.text

    scene(golden, act)


# --- killed ----------------------------------------------------------------------------------------------------------

KILLED_AT_EVERY = 23
"""Which calls a process is killed at here; tools/sim.py and the kill matrix kill at all of them."""


@pytest.mark.parametrize(
    ("fault", "wanted", "codes"),
    [
        ("", {"strategy": Strategy.BOOT}, {ExitCode.OK}),
        ("init-changed", {"reboot": Reboot.AUTO}, {ExitCode.OK}),
        ("switch-lock-taken", {}, {ExitCode.FAILED, ExitCode.OK}),
        ("activation-killed", {}, {ExitCode.ROLLED_BACK, ExitCode.OK}),
    ],
)
def test_killed_at_any_call_it_ends_as_if_nothing_had_happened(
    golden: Golden, fault: str, wanted: dict[str, Any], codes: set[ExitCode]
) -> None:
    """A fault strikes once: when it struck the process that died, the next one meets none."""
    calls: list[int] = []

    async def whole(site: Scene) -> None:
        prepared(site)
        assert (await rebuilt(site)).code in codes
        calls.append(site.sim.calls.count)

    def prepared(site: Scene) -> str:
        commit = changed(site)
        wants(site, **wanted)
        if fault:
            site.arm(fault, OLD)
        return commit

    async def killed(site: Scene, number: int, *, before: bool) -> None:
        commit = prepared(site)
        run = site.sim.plan("killed", (OLD,), Task(verb="rebuild"))
        code = await site.sim.run(run, Calls(die_at=number, before=before))
        code = await site.sim.run(run, Calls(), resume=True) if code is KILLED else code
        assert code in codes, (number, before)
        guest = site.guest(OLD)
        default = read_system(guest.tree, boot_default(guest.tree))
        assert default is not None
        assert (default.revision == commit) == (code is ExitCode.OK), (number, before)
        site.rules.clean(site.sim, (OLD,))

    scene(golden, whole)
    for number in range(1, calls[0] + 1, KILLED_AT_EVERY):
        for before in (True, False):
            scene(golden, partial(killed, number=number, before=before))
