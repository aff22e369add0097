"""From a plan to plays: what goes together, what goes alone, and in which order."""

from __future__ import annotations

from pvenix.lifecycle.planning.running import decisions_of, plays_of
from pvenix.model.fleetplan import Action, Effect, FieldState, HostPlan
from pvenix.model.host import State
from pvenix.model.plan import PlayPlan
from tests.unit import lifecycle_support as support
from tests.unit.planning_support import MEMORY, field, host, plan

FLEET = support.fleet(
    support.host("small", memory_mib=1024),
    support.host("large", memory_mib=65536),
    support.host("alike", memory_mib=1024),
    support.host("off", state=State.STOPPED),
)


def plays(*hosts: HostPlan, **flags: bool) -> tuple[PlayPlan, ...]:
    return plays_of(FLEET, plan(*hosts), **flags)


def verbs(play: PlayPlan) -> list[str]:
    return [task.verb for task in play.tasks]


def power(wanted: str, actual: str) -> HostPlan:
    return host(fields=(field("state", key="power", desired=wanted, actual=actual),))


def test_newcomers_go_together_the_largest_first_and_the_same_by_name() -> None:
    adds = [host(name, Action.ADD) for name in ("small", "large", "alike")]
    [play] = plays(*adds)
    assert play.waves == (("large", "alike", "small"),)
    assert verbs(play)[0] == "place"
    assert verbs(play)[-1] == "register"


def test_the_review_is_a_person_s() -> None:
    [play] = plays(host("small", Action.ADD))
    assert not {"review", "build", "rebuild"} & set(verbs(play))


def test_a_newcomer_that_is_to_be_off_is_not_booted() -> None:
    [play] = plays(host("off", Action.ADD))
    assert verbs(play)[-1] == "cloudinit"


def test_changes_that_need_no_reboot_go_together_and_the_others_one_by_one_until_one_fails() -> None:
    live = [host(name, fields=(field("tags"),)) for name in ("a", "b")]
    heavy = [host(name) for name in ("c", "d")]
    together, alone = plays(*live, *heavy)
    assert (together.waves, together.any_errors_fatal) == ((("a", "b"),), False)
    assert (alone.waves, alone.any_errors_fatal) == ((("c",), ("d",)), True)


def test_a_machine_that_runs_and_should_not_is_off_before_it_is_written_to() -> None:
    one = power("stopped", "running")
    [play] = plays(host(fields=(*one.fields, MEMORY)))
    assert verbs(play) == ["shutdown", "configure"]
    [play] = plays(one)
    assert verbs(play) == ["shutdown"]


def test_a_machine_that_should_run_is_started_last() -> None:
    one = power("running", "stopped")
    [play] = plays(host(fields=(*one.fields, MEMORY)))
    assert verbs(play) == ["configure", "start"]


def test_each_machine_that_goes_is_named_in_a_play_of_its_own_at_the_end() -> None:
    found = plays(host("a", Action.DESTROY), host("b", Action.DESTROY), host("c"))
    assert [play.waves for play in found] == [(("c",),), (("a",),), (("b",),)]
    assert [task.args for play in found[1:] for task in play.tasks] == [{"confirm": "a"}, {"confirm": "b"}]


def test_what_is_refused_unknown_or_as_it_should_be_is_in_no_play() -> None:
    actions = (Action.REFUSE, Action.UNKNOWN, Action.NONE)
    assert plays(*(host(str(action), action) for action in actions)) == ()


def test_what_only_waits_is_rebooted_only_when_that_is_asked_for() -> None:
    waits = host(action=Action.NONE, fields=(field("cores", FieldState.PENDING, effect=Effect.REBOOT),))
    assert plays(waits) == ()
    [play] = plays(waits, reboot=True)
    assert [(task.verb, task.args) for task in play.tasks] == [("configure", {"reboot": True})]


def test_every_host_with_a_decision_is_bound_to_it() -> None:
    added = host("small", Action.ADD, decision={"node": "n2", "vmid": "231", "route": "linked"})
    assert decisions_of(plan(added, host(action=Action.NONE))) == {
        "small": {"node": "n2", "vmid": "231", "route": "linked"}
    }
