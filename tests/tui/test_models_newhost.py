"""The form's and the wizard's models, without a screen."""

from __future__ import annotations

from typing import Any

from pvenix.model import events as ev
from pvenix.model.newhost import Asked, NewHost, Option, Placing, Trial
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix.model.sofar import SoFar
from pvenix.model.verbs import ONBOARDING
from pvenix_tui.models.lines import plain
from pvenix_tui.models.newhost import (
    add_command,
    field_note,
    first_problem,
    from_draft,
    name_note,
    option_choices,
    with_choice,
)
from pvenix_tui.models.wizard import WizardModel, is_onboarding
from pvenix_tui.models.wizardlines import about_lines, breadcrumb, detail_lines, next_lines

HEAD: dict[str, Any] = {"run": "r", "seq": 1, "at": "2026-11-20T10:20:00.000Z", "host": "web01"}
NOW = 1_795_170_072.0


def plan(*verbs: str, check: bool = False, hosts: tuple[str, ...] = ("web01",)) -> RunPlan:
    play = PlayPlan(name="p", waves=(hosts,), tasks=tuple(Task(verb=verb) for verb in verbs or ONBOARDING))
    return RunPlan(title="t", plays=(play,), fleet="/f", check=check)


def model(*events: ev.Event) -> WizardModel:
    made = WizardModel(plan(), "web01")
    made.apply(events)
    return made


def began(verb: str) -> ev.StepStarted:
    step = f"0.{ONBOARDING.index(verb)}.{verb}"
    return ev.StepStarted(**HEAD, step=step, verb=verb, name=verb, limit_s=1800.0)


def ended(verb: str, status: str, **values: Any) -> ev.StepEnded:
    step = f"0.{ONBOARDING.index(verb)}.{verb}"
    return ev.StepEnded(**HEAD, step=step, verb=verb, status=status, seconds=2.0, **values)


def test_the_command_says_what_the_form_says() -> None:
    new = NewHost.of({
        Asked.NAME: "web01", Asked.ROLES: "base, dns", Asked.GROUPS: "apps ai", Asked.CLASS: "medium", Asked.CORES: "4",
        Asked.MEMORY: "8G", Asked.ADDRESS: "10.0.0.9/24", Asked.NODE: "n1",
    })  # fmt: skip
    assert add_command(new) == (
        "pvenix host add web01 --role base --role dns --group apps --group ai --class medium cores=4 memory=8G "
        "--address 10.0.0.9/24 proxmox.node=n1"
    )
    assert new.machine["cores"] == 4
    assert new.machine["roles"] == ["base", "dns"]


def test_choosing_again_takes_a_role_back_and_auto_says_nothing() -> None:
    assert with_choice(Asked.ROLES, "base", "dns") == "base dns"
    assert with_choice(Asked.ROLES, "base dns", "base") == "dns"
    assert with_choice(Asked.ZONE, "mgmt", "core13") == "core13"
    assert with_choice(Asked.NODE, "n1", "auto") == ""


def test_a_node_that_cannot_take_the_host_cannot_be_chosen() -> None:
    nodes = (Option(value="n1", help="90 points"), Option(value="n2", help="it is offline"))
    choices = option_choices(Asked.NODE, "auto", nodes, {"n2"})
    assert [choice.disabled for choice in choices] == ["", "it is offline"]


def test_the_first_problem_is_the_first_fields_and_then_the_wholes() -> None:
    trial = Trial(problems={"": "whole", "zone": "no zone", "name": "taken"})
    assert first_problem(trial) == (Asked.NAME, "name: taken")
    assert first_problem(Trial(problems={"": "whole"})) == (None, "whole")
    assert first_problem(Trial()) == (None, "")


def test_a_draft_of_an_older_form_keeps_what_is_still_asked() -> None:
    assert from_draft({"name": "web01", "colour": "red"}) == {Asked.NAME: "web01"}


def test_a_name_is_judged_before_the_fleet_is_tried() -> None:
    assert plain(name_note("dns01", ("dns01",))) == "! dns01 is taken"
    assert "is not a host name" in plain(name_note("a b", ()))
    assert name_note("web01", ("dns01",)) == ()


def test_text_of_the_fleet_cannot_act_on_the_terminal() -> None:
    hostile = "\x1b]0;pwned\x07\u202ename"
    trial = Trial(problems={"roles": hostile}, options={Asked.CLASS: (Option(value="x", help=hostile),)})
    shown = [
        field_note(Asked.ROLES, "x", trial, None),
        field_note(Asked.CLASS, "x", trial, None),
        field_note(Asked.NODE, "", trial, Placing(node=hostile)),
        *about_lines(model(), SoFar(lines=(hostile,), stays=(hostile,))),
        *detail_lines(model(began("boot"), ev.Progress(**HEAD, step="0.4.boot", text=hostile)).current),
    ]
    assert not any("\x1b" in plain(line) or "\u202e" in plain(line) for line in shown)


def test_the_step_that_is_stuck_is_the_current_one_and_a_resumed_run_forgets_its_end() -> None:
    made = model(began("boot"), ended("boot", "failed", summary="no address"), ev.HostEnded(**HEAD, status="failed"))
    assert made.current is not None
    assert made.current.task.verb == "boot"
    assert " ".join(plain(next_lines(made, "ended", can_skip=False)[0]).split()) == "r tries it again z takes all back"
    assert made.ended == "failed"
    made.apply([ev.RunStarted(run="r", seq=2, at="", title="t", hosts=("web01",), steps=(), pid=1, resumed=True)])
    assert made.ended == ""


def test_the_breadcrumb_counts_what_is_done_skipped_and_to_come() -> None:
    made = model(began("place"), ended("place", "ok"), began("clone"), ended("clone", "skipped"), began("boot"))
    assert plain(breadcrumb(made, NOW)).split() == (
        [
            "5/10",
            "boot",
            "%",
            "running",
            "01:12",
            "of",
            "at",
            "most",
            "30:00",
            "done",
            "1",
            "skipped",
            "1",
            "to",
            "go",
            "8",
        ]
    )


def test_what_a_step_recorded_shows_by_its_name_in_words() -> None:
    noted = ev.StepEvidence(**HEAD, step="0.4.boot", data={"vmid": "210", "upid": "UPID:x", "seen": "noise"})
    text = "\n".join(plain(line) for line in detail_lines(model(began("boot"), noted).current))
    assert "VM    210" in text
    assert "task  UPID:x" in text
    assert "noise" not in text


def test_only_the_onboarding_of_one_host_opens_the_wizard() -> None:
    assert is_onboarding(plan())
    assert not is_onboarding(plan("rebuild"))
    assert not is_onboarding(plan(check=True))
    assert not is_onboarding(plan(hosts=("web01", "web02")))
