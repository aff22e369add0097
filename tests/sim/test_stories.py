"""Single deaths and faults at named moments, where a seed would have to be lucky."""

from __future__ import annotations

from collections import Counter

import pytest

from pvenix.model.events import Command, StepEnded
from pvenix.model.verbs import ONBOARDING
from tests.sim.golden import Golden
from tests.sim.scenario import Play, replay
from tests.sim.script import Act, Death, Script
from tests.sim.troubles import Strike

pytestmark = pytest.mark.sim

HOST = "tappaas-litellm"
NO_INTENT = ("place", "create", "hardware")
"""Verbs without an effect outside this machine record none, and `create` has none for a host that is cloned."""


def played(golden: Golden, *acts: Act) -> Play:
    play = replay(golden, Script(seed=1, acts=acts))
    assert play.broken is None, "\n".join([str(play.broken), *play.sim.log[-25:]])
    return play


def ends(play: Play, host: str, verb: str) -> list[str]:
    return [e.status for e in play.sim.events if isinstance(e, StepEnded) and (e.host, e.verb) == (host, verb)]


def commands(play: Play, text: str) -> int:
    return sum(text in event.text for event in play.sim.events if isinstance(event, Command))


def deaths(play: Play) -> int:
    return sum(" killed at call " in line for line in play.sim.log)


MOMENTS = [
    (verb, moment, before)
    for verb in ONBOARDING
    for moment, before in (("intent", True), ("intent", False), ("result", True), ("result", False))
    if not (moment == "intent" and verb in NO_INTENT)
]


@pytest.mark.parametrize(
    ("verb", "moment", "before"), MOMENTS, ids=[f"{v}-{'before' if b else 'after'}-{m}" for v, m, b in MOMENTS]
)
def test_killed_at_any_record_an_onboarding_ends_as_if_nothing_had_happened(
    golden: Golden, verb: str, moment: str, before: bool
) -> None:
    """One VM, one branch, one merge, one new generation: the marks of each step, counted on the far side."""
    step = f"0.{ONBOARDING.index(verb)}.{verb}"
    death = Death(on=f"journal {moment} {HOST} {step}", before=before, pause_s=1)
    play = played(golden, Act(kind="onboard", hosts=(HOST,), deaths=(death,)))
    assert deaths(play) == 1
    assert len(play.sim.own_vms(HOST)) == 1
    refs = [ref for ref in play.sim.remote.refs if HOST in ref]
    assert len(refs) <= 1
    messages = Counter(commit.message.partition("\n")[0] for commit in play.sim.remote.commits.values())
    assert messages[f"Register {HOST}"] == 1
    assert sum(count for text, count in messages.items() if text.startswith("Merge ")) <= 1
    assert commands(play, "/bin/switch-to-configuration boot") <= 2


@pytest.mark.parametrize("verb", ["place", "hardware", "build"])
def test_a_step_that_is_skipped_after_a_death_is_not_done_and_the_host_comes_to_the_same_end(
    golden: Golden, verb: str
) -> None:
    """What may be skipped is what a later step does itself, so nothing is missing in the end."""
    number = max(1, ONBOARDING.index(verb))
    on = f"journal result {HOST} 0.{number - 1}.{ONBOARDING[number - 1]}"
    death = Death(on=on, before=verb == "place", pause_s=1)
    play = played(golden, Act(kind="onboard", hosts=(HOST,), deaths=(death,), skips=(verb,)))
    assert play.sim.reached["skips"] == 1
    assert ends(play, HOST, verb) == ["skipped"]
    assert ends(play, HOST, "rebuild")[-1] in ("changed", "ok")
    assert len(play.sim.own_vms(HOST)) == 1


def test_a_step_that_died_in_the_middle_of_its_effect_is_not_skipped(golden: Golden) -> None:
    death = Death(on="systemd-run --unit=pvenix-activate", before=False, pause_s=1)
    play = played(golden, Act(kind="onboard", hosts=(HOST,), deaths=(death,), skips=("rebuild",)))
    assert deaths(play) == 1
    assert not play.sim.reached["skips"]


RESIDENT_MOMENTS = [
    ("rebuild", "-0.0-1", True),
    ("rebuild", "-0.0-1/new", True),
    ("rebuild", "-0.0-1/new", False),
    ("rebuild", "systemd-run --unit=pvenix-deadman", True),
    ("rebuild", "systemd-run --unit=pvenix-deadman", False),
    ("rebuild", "systemd-run --unit=pvenix-activate", True),
    ("rebuild", "systemd-run --unit=pvenix-activate", False),
    ("rebuild", "armed-health", True),
    ("rebuild", "armed-health", False),
    ("rebuild", "/confirmed", True),
    ("rebuild", "/confirmed", False),
    ("rebuild", "$ nix-env -p /nix/var/nix/profiles/system --set", False),
    ("rebuild", "switch-to-configuration boot", True),
    ("rebuild", "switch-to-configuration boot", False),
    ("rebuild", "/released", True),
    ("rebuild", "/released", False),
    ("rollback", "systemd-run --unit=pvenix-activate", False),
    ("rollback", "--switch-generation", False),
    ("rollback", "/released", True),
    ("retire", "status/stop", False),
    ("retire", "DELETE", True),
    ("retire", "DELETE", False),
]


@pytest.mark.parametrize("pause_s", [0.0, 500.0], ids=["at once", "after the dead-man"])
@pytest.mark.parametrize(
    ("kind", "on", "before"),
    RESIDENT_MOMENTS,
    ids=[f"{k} {o} {'before' if b else 'after'}" for k, o, b in RESIDENT_MOMENTS],
)
def test_killed_at_any_effect_a_host_is_neither_lost_nor_changed_twice(
    golden: Golden, kind: str, on: str, before: bool, pause_s: float
) -> None:
    death = Death(on=on, before=before, pause_s=pause_s)
    first = () if kind == "rebuild" else (Act(kind="rebuild", hosts=("docker01",)),)
    play = played(golden, *first, Act(kind=kind, hosts=("docker01",), deaths=(death,)))
    assert deaths(play) == 1
    assert ends(play, "docker01", kind)[-1] in ("changed", "ok")


def test_a_clone_that_was_not_yet_marked_is_found_by_another_run(golden: Golden) -> None:
    death = Death(on="PUT /nodes", before=True, pause_s=30, anew=True)
    play = played(golden, Act(kind="onboard", hosts=(HOST,), deaths=(death,)))
    assert commands(play, "/clone newid=") == 1


@pytest.mark.parametrize("noise", ["hostile-output", "output-flood", "output-long-line"])
def test_a_hardware_file_that_noise_spoiled_is_refused_before_anything_is_pushed(golden: Golden, noise: str) -> None:
    """Seed 2692: 200 KB of junk were pushed as a hardware file, which no run mends once a review has refused it."""
    args: dict[str, object] = {"command": "nixos-generate-config"}
    strike = Strike(call=1, name=noise, host=HOST, args=args if noise == "hostile-output" else args | {"mib": 0.2})
    play = played(golden, Act(kind="onboard", hosts=(HOST,), strikes=(strike,)))
    assert ends(play, HOST, "hardware") == ["failed", "changed"]
    messages = [commit.message.partition("\n")[0] for commit in play.sim.remote.commits.values()]
    assert messages.count(f"Register {HOST}") == 1


def test_a_clone_whose_task_failed_is_tried_again_by_resume(golden: Golden) -> None:
    strike = Strike(call=1, name="clone-fails-in-task", host=HOST)
    play = played(golden, Act(kind="onboard", hosts=(HOST,), strikes=(strike,)))
    assert ends(play, HOST, "clone") == ["failed", "changed"]


@pytest.mark.parametrize("effect", [True, False])
def test_a_clone_whose_answer_was_lost_is_looked_for_before_it_is_repeated(golden: Golden, effect: bool) -> None:
    lost = Strike(call=1, name="pve-596", host=HOST, args={"method": "POST", "path": "clone", "effect": effect})
    play = played(golden, Act(kind="onboard", hosts=(HOST,), strikes=(lost,)))
    assert commands(play, "/clone newid=") == (1 if effect else 2)


@pytest.mark.parametrize("seconds", [118.0, 119.0, 119.3, 119.5, 119.8, 120.0, 121.0])
def test_the_confirmation_and_the_dead_man_never_both_win(golden: Golden, seconds: float) -> None:
    """Around the dead-man's hour the host runs either system whole, and the outcome says which."""
    slow = Strike(call=1, name="activation-slow", host="docker01", args={"seconds": seconds})
    play = played(golden, Act(kind="rebuild", hosts=("docker01",), strikes=(slow,)))
    assert set(ends(play, "docker01", "rebuild")) <= {"changed", "rolled back", "ok"}


def test_a_system_that_closes_the_port_takes_itself_back(golden: Golden) -> None:
    closed = Strike(call=1, name="port-closed-by-new-system", host="docker01")
    play = played(golden, Act(kind="rebuild", hosts=("docker01",), strikes=(closed,)))
    assert ends(play, "docker01", "rebuild")[0] == "rolled back"


def test_a_cut_during_the_activation_is_followed_to_its_end(golden: Golden) -> None:
    cut = Strike(call=1, name="ssh-cut-during-activation", host="docker01")
    play = played(golden, Act(kind="rebuild", hosts=("docker01",), strikes=(cut,)))
    assert ends(play, "docker01", "rebuild")[0] == "changed"


def test_a_failing_build_changes_nothing_and_the_other_host_goes_on(golden: Golden) -> None:
    fails = Strike(call=1, name="build-fails", host="docker01")
    play = played(golden, Act(kind="rebuild", hosts=("dns01", "docker01"), strikes=(fails,)))
    assert ends(play, "docker01", "rebuild")[0] == "failed"
    assert ends(play, "dns01", "rebuild")[0] == "changed"


def test_a_confirmed_system_that_rebooted_is_seen_through(golden: Golden) -> None:
    death = Death(on="switch-to-configuration boot", before=False, pause_s=30)
    reboot = Strike(call=0, name="guest-reboots", host="docker01")
    play = played(golden, Act(kind="rebuild", hosts=("docker01",), deaths=(death,), meanwhile=(reboot,)))
    assert ends(play, "docker01", "rebuild")[0] == "changed"


def test_a_host_that_went_back_with_a_full_disk_is_free_for_the_next_try(golden: Golden) -> None:
    """Seed 955: the fence could not be moved to the full disk, and stood in the way of the very run that had left it."""
    fails = Strike(call=1, name="unit-fails", host="docker01")
    full = Strike(on="systemctl stop pvenix-activate", name="disk-full", host="docker01", lasts_s=400.0)
    play = played(golden, Act(kind="rebuild", hosts=("docker01",), strikes=(fails, full)))
    assert ends(play, "docker01", "rebuild")[:2] == ["rolled back", "changed"]
    assert commands(play, "-released") == 1


def test_a_tombstone_is_written_down_before_it_is_pushed_also_when_another_run_destroyed_the_vm(golden: Golden) -> None:
    """Seed 118."""
    death = Death(on="DELETE", before=False, pause_s=130, anew=True)
    play = played(golden, Act(kind="retire", hosts=("docker01",), deaths=(death,)))
    assert [len(journal.entries()) for journal in play.sim.journals.values()][-1] > 0


@pytest.mark.parametrize("rival_s", [0.0, 0.5, 0.81, 1.0, 20.0])
@pytest.mark.parametrize("kind", ["rebuild", "rollback"])
def test_two_operators_at_once_change_a_host_one_after_the_other(golden: Golden, kind: str, rival_s: float) -> None:
    first = () if kind == "rebuild" else (Act(kind="rebuild", hosts=("docker01",)),)
    play = played(golden, *first, Act(kind=kind, hosts=("docker01",), rival_s=rival_s))
    assert set(ends(play, "docker01", kind)) <= {"changed", "ok", "locked"}
    assert ends(play, "docker01", kind).count("changed") <= 2


@pytest.mark.parametrize("rival_s", [0.01, 0.81, 20.0])
@pytest.mark.parametrize(("to", "rival_to"), [(2, 3), (3, 2)])
def test_two_operators_who_want_different_generations_each_hear_of_their_own(
    golden: Golden, to: int, rival_to: int, rival_s: float
) -> None:
    """Seed 893: what one run was asked for was held against the other, which had found its own generation running."""
    first = (Act(kind="rebuild", hosts=("docker01",)), Act(kind="rebuild", hosts=("docker01",)))
    last = Act(kind="rollback", hosts=("docker01",), rival_s=rival_s, to=to, rival_to=rival_to)
    play = played(golden, *first, last)
    said = ends(play, "docker01", "rollback")
    assert set(said) <= {"changed", "ok", "locked"}
    assert said.count("changed") >= 1


def test_an_attempt_that_was_given_up_is_not_taken_for_what_another_operator_activated(golden: Golden) -> None:
    """Seed 329: killed once more after it had given the first attempt up, and before it had written that down."""
    deaths = (Death(on="systemd-run --unit=pvenix-activate"), Death(on="/released", before=False, pause_s=130))
    play = played(golden, Act(kind="rebuild", hosts=("docker01",), deaths=deaths, rival_s=5.0))
    assert "unknown" not in ends(play, "docker01", "rebuild")


@pytest.mark.parametrize("kind", ["rebuild", "rollback"])
def test_an_attempt_that_had_not_begun_is_not_taken_for_what_another_operator_activated(
    golden: Golden, kind: str
) -> None:
    """Seed 134: killed before it had the fence, it found the system that it wanted running and no token to confirm."""
    death = Death(on="dd of=/run/pvenix", before=True, pause_s=130)
    first = () if kind == "rebuild" else (Act(kind="rebuild", hosts=("docker01",)),)
    play = played(golden, *first, Act(kind=kind, hosts=("docker01",), deaths=(death,), rival_s=5.0))
    assert "unknown" not in ends(play, "docker01", kind)


def test_a_vm_that_the_token_may_not_see_any_more_is_not_taken_for_gone(golden: Golden) -> None:
    """Seed 6604: lists leave out what the token may not see, so an interrupted retirement asks for the VM by its id."""
    blind = Strike(on="status/stop", name="rights-lost", host="docker01", args={"privilege": "VM.Audit"}, lasts_s=400.0)
    death = Death(on="/log", before=True, pause_s=30)
    play = played(golden, Act(kind="retire", hosts=("docker01",), strikes=(blind,), deaths=(death,)))
    assert [end for end in ends(play, "docker01", "retire") if end in ("changed", "ok")] == ["changed"]


def test_a_retirement_that_has_no_id_yet_proposes_no_tombstone_for_a_vm_it_may_not_see(golden: Golden) -> None:
    """Seed 416: killed before its intent; by its resumption the token saw no VM, which was taken for none."""
    blind = Strike(on="/content", name="rights-lost", host="docker01", args={"privilege": "VM.Audit"})
    death = Death(on="/content", before=True)
    play = played(golden, Act(kind="retire", hosts=("docker01",), strikes=(blind,), deaths=(death,)))
    assert deaths(play) == 1
    assert ends(play, "docker01", "retire") == ["refused", "changed"]
    assert commands(play, "DELETE /nodes") == 1


@pytest.mark.parametrize(
    ("kind", "on"),
    [
        ("rebuild", "$ nix-env -p /nix/var/nix/profiles/system --set"),
        ("rebuild", "switch-to-configuration boot"),
        ("rollback", "--switch-generation"),
        ("rollback", "switch-to-configuration boot"),
    ],
)
def test_nobody_else_s_run_calls_a_host_done_while_an_attempt_is_open(golden: Golden, kind: str, on: str) -> None:
    """Seed 2492: killed before the boot loader, or before the fence is back; the profile is the new system already."""
    first = () if kind == "rebuild" else (Act(kind="rebuild", hosts=("docker01",)),)
    death = Death(on=on, before=False, pause_s=60)
    play = played(golden, *first, Act(kind=kind, hosts=("docker01",), deaths=(death,), rival_s=20.0))
    assert deaths(play) == 1
    assert ends(play, "docker01", kind).count("locked") >= 1


def test_a_boot_loader_that_stayed_behind_its_profile_is_seen_when_the_fence_is_gone(golden: Golden) -> None:
    """The error about a lost run says to remove its fence; what that run left undone is done by the next one."""
    death = Death(on="$ nix-env -p /nix/var/nix/profiles/system --set", before=False, pause_s=60, lost=True)
    play = played(golden, Act(kind="rebuild", hosts=("docker01",), deaths=(death,)))
    assert ends(play, "docker01", "rebuild")[0] == "changed"
    assert commands(play, "/bin/switch-to-configuration boot") == 1


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("noise", ["hostile-output", "output-long-line"])
def test_noise_never_leads_the_way_back_to_another_system(golden: Golden, noise: str, nth: int) -> None:
    """Seed 60223: a line of noise before the three systems made the booted one the system that ran before."""
    args: dict[str, object] = {"command": "/run/current-system"} | ({} if noise == "hostile-output" else {"mib": 0.2})
    strike = Strike(call=1, name=noise, host="docker01", args=args, nth=nth)
    death = Death(on="systemd-run --unit=pvenix-activate", before=False, pause_s=130)
    act = Act(kind="rollback", hosts=("docker01",), strikes=(strike,), deaths=(death,))
    play = played(golden, Act(kind="rebuild", hosts=("docker01",)), act)
    assert ends(play, "docker01", "rollback")[-1] in ("changed", "ok")
