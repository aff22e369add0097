"""Units on a guest: they outlive the channel, and their results are those measured on systemd 252."""

from __future__ import annotations

import asyncio

from pvenix_lab.site.guest.guest import Guest
from tests.lab.guest_support import Ran, root, run

SHOWN = "LoadState,ActiveState,SubState,Result,ExecMainStatus,ConditionResult"


async def show(guest: Guest, unit: str) -> dict[str, str]:
    """The properties of a unit."""
    ran = await run(guest, "systemctl", "show", unit, "-p", SHOWN)
    return dict(line.partition("=")[::2] for line in ran.out.splitlines())


async def start(guest: Guest, name: str, *arguments: str) -> Ran:
    """Start a transient unit without waiting, and let it run as far as it can."""
    ran = await root(guest, "systemd-run", f"--unit={name}", "--no-block", *arguments)
    for _ in range(6):
        await asyncio.sleep(0)
    return ran


async def test_a_unit_runs_its_lines_in_order_and_may_ignore_a_failure(guest: Guest) -> None:
    log = "/tmp/log"
    lines = [f"ExecStartPre={line}" for line in ("echo one", "-false", "echo two")]
    ran = await start(
        guest, "u", "--service-type=oneshot", "--remain-after-exit", *(a for line in lines for a in ("-p", line)),
        "-p", f"StandardOutput=append:{log}", "echo", "three",
    )  # fmt: skip
    assert ran.err.startswith("Running as unit: u.service; invocation ID: ")
    assert guest.tree.read_text(log) == "one\ntwo\nthree\n"
    assert await show(guest, "u") == {
        "LoadState": "loaded", "ActiveState": "active", "SubState": "exited", "Result": "success",
        "ExecMainStatus": "0", "ConditionResult": "yes",
    }  # fmt: skip


async def test_a_line_that_fails_ends_the_unit(guest: Guest) -> None:
    await start(guest, "u", "--service-type=oneshot", "-p", "ExecStartPre=false", "echo", "never")
    state = await show(guest, "u")
    assert (state["ActiveState"], state["Result"]) == ("failed", "exit-code")
    assert (await run(guest, "systemctl", "list-units", "--state=failed", "--plain", "--no-legend")).out == (
        "u.service loaded failed failed /run/current-system/sw/bin/echo never\n"
    )
    assert (await run(guest, "systemctl", "is-system-running")).out == "degraded\n"
    assert (await root(guest, "systemctl", "reset-failed", "u")).status == 0
    assert (await show(guest, "u"))["LoadState"] == "not-found"


async def test_a_unit_that_succeeded_without_remaining_leaves_no_evidence(guest: Guest) -> None:
    await start(guest, "u", "--service-type=exec", "true")
    state = await show(guest, "u")
    assert (state["LoadState"], state["Result"], state["ExecMainStatus"]) == ("not-found", "success", "0")


async def test_an_exit_status_stays_readable_without_collect_and_is_gone_with_it(guest: Guest) -> None:
    await start(guest, "kept", "--service-type=exec", "--remain-after-exit", "ls", "/none")
    await start(guest, "gone", "--service-type=exec", "--collect", "ls", "/none")
    assert (await show(guest, "kept"))["ExecMainStatus"] == "2"
    assert (await show(guest, "gone"))["LoadState"] == "not-found"


async def test_a_name_that_is_loaded_is_refused(guest: Guest) -> None:
    await start(guest, "u", "sleep", "60")
    again = await start(guest, "u", "true")
    assert (again.status, again.err) == (
        1,
        "Failed to start transient service unit: Unit u.service was already loaded or has a fragment file.\n",
    )


async def test_a_stale_fence_makes_systemd_skip_the_unit(guest: Guest) -> None:
    ran = await start(guest, "u", "-p", "ConditionPathExists=/run/pvenix/fence/a", "dd", "of=/tmp/ran", "status=none")
    state = await show(guest, "u")
    assert (ran.status, state["LoadState"], state["ConditionResult"]) == (0, "not-found", "no")
    assert not guest.tree.exists("/tmp/ran")


async def test_stopping_a_oneshot_that_sleeps_ends_in_failure_by_signal(guest: Guest) -> None:
    await start(guest, "dead", "--service-type=oneshot", "-p", "ExecStartPre=sleep 60", "echo", "late")
    assert (await show(guest, "dead"))["SubState"] == "start-pre"
    assert (await root(guest, "systemctl", "stop", "dead")).status == 0
    state = await show(guest, "dead")
    assert (state["ActiveState"], state["Result"]) == ("failed", "signal")


async def test_a_unit_goes_on_when_the_connections_are_cut_and_ends_when_the_guest_goes_off(guest: Guest) -> None:
    await start(guest, "u", "--service-type=exec", "sleep", "60")
    guest.cut_connections()
    await asyncio.sleep(0)
    assert (await show(guest, "u"))["SubState"] == "running"
    await guest.power_off(graceful=False)
    assert guest.units.units == {}


async def test_units_that_are_not_there_answer_as_systemctl_does(guest: Guest) -> None:
    assert await root(guest, "systemctl", "stop", "none") == Ran(
        status=5, out="", err="Failed to stop none.service: Unit none.service not loaded.\n"
    )
    assert await run(guest, "systemctl", "is-active", "none") == Ran(status=4, out="inactive\n", err="")
    assert await run(guest, "systemctl", "is-active", "sshd.service") == Ran(status=0, out="active\n", err="")
    denied = await run(guest, "systemctl", "stop", "sshd.service")
    assert denied.err == (
        "Failed to stop sshd.service: Interactive authentication required.\n"
        "See system logs and 'systemctl status sshd.service' for details.\n"
    )


async def test_a_declared_unit_stops_and_starts(guest: Guest) -> None:
    await root(guest, "systemctl", "stop", "sshd")
    assert (await run(guest, "systemctl", "is-active", "sshd")).status == 3
    await root(guest, "systemctl", "start", "sshd")
    assert (await run(guest, "systemctl", "is-active", "sshd")).status == 0


async def test_output_without_a_file_goes_to_the_journal(guest: Guest) -> None:
    await start(guest, "u", "--service-type=exec", "echo", "hello")
    lines = (await run(guest, "journalctl", "-u", "u", "-o", "cat", "--no-pager")).out.splitlines()
    assert lines == [
        "Started u.service - /run/current-system/sw/bin/echo hello.",
        "hello",
        "u.service: Deactivated successfully.",
    ]


async def test_a_start_that_waits_in_the_queue_is_told_from_one_that_was_skipped_by_its_time_only(guest: Guest) -> None:
    """Measured with systemd 252: until its conditions are looked at, a unit shows ConditionResult=no."""
    async with asyncio.TaskGroup() as group:
        started = group.create_task(start(guest, "u", "--no-block", "sleep", "60"))
        while "u.service" not in guest.units.units:  # noqa: ASYNC110 - the step in between is what is looked at
            await asyncio.sleep(0)
        queued = guest.units.show("u.service")
        await started
    assert (queued["ConditionResult"], queued["ConditionTimestampMonotonic"]) == ("no", "0")
    running = guest.units.show("u.service")
    assert (running["ConditionResult"], int(running["ConditionTimestampMonotonic"]) > 0) == ("yes", True)
