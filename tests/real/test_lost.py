"""What is not known is not claimed: cut connections and changed identities on the real OpenSSH."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from pvenix.engine.ports import End
from pvenix.lifecycle import argv, build
from pvenix.model.errors import OutcomeUnknown, Refused, Unreachable
from tests.real.lane import CICD, HOST, Lane
from tests.real.reason import why_not
from tests.real.test_build import ROLE, package

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not())]
SLOW = package("slow", "1.0", "printf x >>/tmp/building; busybox sleep 1")


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something on the far side."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - another machine sets no event
            await asyncio.sleep(0.02)


async def cut_while_building(lane: Lane) -> tuple[str, OutcomeUnknown]:
    """Start a build, kill its connection in the middle; the run and what pvenix says of it."""
    step, record = lane.step("build")

    async def begin() -> OutcomeUnknown:
        with pytest.raises(OutcomeUnknown) as raised:
            await build.apply(lane.world, step)
        return raised.value

    async with asyncio.TaskGroup() as group:
        building = group.create_task(begin())
        await until(lane.host.file("/tmp/building").exists)
        lane.host.cut()
    assert [entry.data for entry in record.entries()] == [{"commit": await lane.world.expected()}]
    return step.run, building.result()


async def test_a_build_whose_connection_is_killed_is_unknown_and_goes_on(built: Lane) -> None:
    await built.change({ROLE: SLOW})
    run, problem = await cut_while_building(built)
    assert "nix build" in problem.why
    assert built.host.sessions() == []
    assert built.host.running("nix build")
    await until(lambda: not built.host.running("nix build"))
    assert built.host.console("readlink", "-e", f"/var/lib/pvenix/{run}/new").stdout.startswith("/nix/store/")


async def test_the_next_build_waits_for_the_one_that_goes_on_and_takes_its_result(built: Lane) -> None:
    commit = await built.change({ROLE: SLOW})
    await cut_while_building(built)
    step, _ = built.step("build")
    outcome = await build.apply(built.world, step)
    assert outcome.facts["built"] == commit
    assert built.host.file("/tmp/building").read_text() == "x"
    assert built.host.console("nix-store", "--verify-path", outcome.facts["new"]).returncode == 0


async def test_a_cut_upload_is_lost_and_the_next_one_replaces_what_it_left(built: Lane) -> None:
    remote, _ = await built.remote()
    target = "/var/lib/pvenix/r9/fleet.bundle"
    await remote.write(argv.make_dir("/var/lib/pvenix/r9"))
    size = 64 << 20
    async with asyncio.TaskGroup() as group:
        upload = group.create_task(remote.try_write(argv.write_file(target), stdin=bytes(size)))
        await until(lambda: built.host.file(target).exists() and built.host.file(target).stat().st_size > 1 << 20)
        built.host.cut()
    assert (upload.result().end, upload.result().ok) == (End.LOST, False)
    assert built.host.file(target).stat().st_size < size
    commit = await built.change({ROLE: package("base", "2.5")})
    again, _ = await built.remote()
    await build.deliver(built.world, again, commit, attempt="r9")
    assert (await again.read(argv.CHECKOUT, sudo=True)).strip() == commit


async def test_a_changed_host_key_is_refused_before_anything_is_said(built: Lane) -> None:
    remote, _ = await built.remote()
    built.host.stop()
    await until(lambda: not remote.session.alive)
    for key in built.host.file("/etc/ssh").glob("ssh_host_*"):
        key.unlink()
    built.host.start()
    since = len(built.host.log())
    with pytest.raises(Refused) as refusal:
        await built.remote()
    assert refusal.value.code == "PVX0611"
    step, record = built.step("build")
    with pytest.raises(Refused):
        await build.probe(built.world, step)
    assert record.sent == record.asked == []
    assert "Accepted" not in built.host.log()[since:]


async def test_a_key_that_is_not_authorised_is_refused(built: Lane) -> None:
    target = await built.world.target(HOST)
    built.host.file("/etc/ssh/authorized_keys.d/tappaas").write_text("")
    with pytest.raises(Refused):
        await built.guest.session(target)


async def test_a_guest_that_loses_power_is_lost_then_unreachable_then_back(built: Lane) -> None:
    remote, _ = await built.remote()
    booted = (await remote.read(argv.SYSTEMS)).splitlines()
    async with asyncio.TaskGroup() as group:
        command = group.create_task(remote.session.run(["sleep", "30"]))
        await until(lambda: built.host.running("sleep 30"))
        built.host.stop()
    assert command.result().end is End.LOST
    with pytest.raises(Unreachable):
        await built.remote()
    built.host.start()
    again, _ = await built.remote()
    assert (await again.read(argv.SYSTEMS)).splitlines() == booted


async def test_every_guest_is_reached_through_the_jump_host_and_each_proves_its_own_key(both: Lane) -> None:
    jump = await both.world.target(CICD)
    through = replace(await both.world.target(HOST), jump=jump)
    session = await both.guest.session(through)
    assert (await session.run(["hostname"])).stdout == "dns01\n"
    both.cicd.cut()
    assert (await session.run(["true"])).end is End.LOST
    with pytest.raises(Refused):
        await both.guest.session(replace(through, host_key=both.cicd.host_key))
    assert (await (await both.guest.session(through)).run(["true"])).ok
