"""The system profile: what the real nix-env does, and what pvenix reads of it."""

from __future__ import annotations

import re

import pytest

from pvenix.lifecycle import argv, pins, prune, rollback
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.generations import read_generations, read_profile
from pvenix.lifecycle.remote import Remote
from pvenix.model.errors import RemoteFailure, UsageError
from pvenix.model.outcome import Need
from tests.real import fleet
from tests.real.lane import HOST, Lane
from tests.real.reason import why_not

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not())]


async def listed(remote: Remote) -> list[str]:
    """The numbers of the generations, the current one with a star."""
    text = await remote.read(("nix-env", "-p", argv.PROFILE, "--list-generations"), sudo=True)
    return [f"{line.split()[0]}{'*' if '(current)' in line else ''}" for line in text.splitlines()]


def other_system(lane: Lane, name: str) -> str:
    """One more system, made of a commit on the guest itself."""
    lane.host.file("/etc/nixos/name").write_text(name)
    lane.host.console("git", "-C", "/etc/nixos", "add", "name")
    person = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    lane.host.console("git", "-C", "/etc/nixos", *person, "commit", "--quiet", "-m", name)
    commit = lane.host.console("git", "-C", "/etc/nixos", "rev-parse", "HEAD").stdout.strip()
    return lane.host.build(fleet.system_of(HOST, commit))


async def test_setting_what_is_newest_makes_no_generation_even_after_a_rollback(built: Lane) -> None:
    remote, _ = await built.remote()
    first, second = str((await read_facts(remote)).profile), other_system(built, "second")
    assert await listed(remote) == ["1*"]
    await remote.write(argv.set_profile(first))
    assert await listed(remote) == ["1*"]
    await remote.write(argv.set_profile(second))
    assert await listed(remote) == ["1", "2*"]
    await remote.write(argv.switch_generation(1))
    assert await listed(remote) == ["1*", "2"]
    await remote.write(argv.set_profile(second))
    assert await listed(remote) == ["1", "2*"]
    await remote.write(argv.set_profile(first))
    assert await listed(remote) == ["1", "2", "3*"]
    assert (await read_facts(remote)).profile == first


async def test_generations_are_read_with_their_paths_dates_and_commits(built: Lane) -> None:
    remote, _ = await built.remote()
    second = other_system(built, "second")
    await remote.write(argv.set_profile(second))
    one, two = await read_generations(remote)
    assert (one.number, one.current, one.revision) == (1, False, built.image.commit)
    head = built.host.console("git", "-C", "/etc/nixos", "rev-parse", "HEAD").stdout.strip()
    assert (two.number, two.current, two.path, two.revision) == (2, True, second, head)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", two.date)


async def test_an_unknown_generation_is_a_usage_error_before_and_a_failure_after(built: Lane) -> None:
    step, _ = built.step("rollback")
    step.args = {"to": 99}
    with pytest.raises(UsageError, match="it has 1"):
        await rollback.probe(built.world, step)
    remote, _ = await built.remote()
    with pytest.raises(RemoteFailure, match=re.escape("profile version 99 does not exist (exit status 1)")):
        await remote.write(argv.switch_generation(99))
    assert await listed(remote) == ["1*"]


async def test_going_back_is_needed_until_the_generation_runs_and_is_current(built: Lane) -> None:
    step, _ = built.step("rollback")
    step.args = {"to": 1}
    assert (await rollback.probe(built.world, step)).need is Need.DONE
    first, second = str((await read_facts((await built.remote())[0])).current), other_system(built, "second")
    remote, _ = await built.remote()
    await remote.write(argv.set_profile(second))
    await remote.write(argv.switch_to(second, "switch"))
    found = await rollback.probe(built.world, step)
    assert (found.need, found.facts["target"]) == (Need.NEEDED, first)
    await remote.write(argv.switch_to(first, "test"))
    assert (await rollback.probe(built.world, step)).need is Need.NEEDED
    await remote.write(argv.switch_generation(1))
    assert (await rollback.probe(built.world, step)).need is Need.DONE


async def test_the_four_facts_move_apart_and_together(built: Lane) -> None:
    remote, _ = await built.remote()
    old = await read_facts(remote)
    assert old.booted == old.current == old.profile
    assert (old.revision, old.checkout, old.edits) == (built.image.commit, built.image.commit, ())
    new = other_system(built, "second")
    await remote.write(argv.switch_to(new, "test"))
    testing = await read_facts(remote)
    assert (testing.booted, testing.current, testing.profile) == (old.booted, new, old.profile)
    await remote.write(argv.set_profile(new))
    await remote.write(argv.switch_to(new, "boot"))
    built.host.file("/etc/nixos/edit").write_text("x")
    after = await read_facts(remote)
    assert (after.booted, after.current, after.profile, after.edits) == (old.booted, new, new, ("?? edit",))
    assert after.boot_id == old.boot_id


async def test_a_pin_outlives_the_collector_and_pruning_leaves_what_runs(built: Lane) -> None:
    remote, _ = await built.remote()
    second, third = other_system(built, "second"), other_system(built, "third")
    for system in (second, third):
        await remote.write(argv.set_profile(system))
    await remote.write(argv.switch_to(third, "switch"))
    step, _ = built.step("pin-generation")
    step.args = {"number": 2, "reason": "before the move"}
    step.facts |= (await pins.PIN.probe(built.world, step)).facts
    await pins.PIN.apply(built.world, step)
    assert [(one.number, one.pinned, one.reason) for one in await read_generations(remote)] == [
        (1, False, ""), (2, True, "before the move"), (3, False, "")
    ]  # fmt: skip
    step, _ = built.step("prune-generations")
    step.args = {"keep": 1}
    await prune.apply(built.world, step)
    assert await listed(remote) == ["1", "2", "3*"]  # the first one was booted
    await remote.write(("nix-env", "-p", argv.PROFILE, "--delete-generations", "1", "2"))
    await remote.write(("nix-store", "--gc"))
    profile = await read_profile(remote)
    assert [link.number for link in profile.links] == [3]
    assert (profile.pins[2].path, built.host.file(second).exists()) == (second, True)
