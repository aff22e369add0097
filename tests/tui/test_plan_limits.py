"""What the plan's screen says before a way back is begun."""

from __future__ import annotations

from pvenix.model.generation import NOT_UNDONE
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix_tui.models.plan import plan_view


def shown(verb: str) -> str:
    play = PlayPlan(name=verb, tasks=(Task(verb=verb),), waves=(("dns01",),))
    plan = RunPlan(title=f"{verb} dns01", plays=(play,), fleet="/f")
    return "\n".join("".join(text for text, _ in line) for line in plan_view(plan).lines)


def test_what_a_rollback_does_not_undo_is_named_before_it_is_confirmed() -> None:
    assert all(line in shown("rollback") for line in NOT_UNDONE)
    assert not any(line in shown("rebuild") for line in NOT_UNDONE)


def numbers(*plays: tuple[str, tuple[str, ...]]) -> list[str]:
    """The steps of a plan with these plays, hosts and verbs with a space between them, as their lines begin."""
    made = tuple(
        PlayPlan(name="p", waves=(tuple(hosts.split()),), tasks=tuple(Task(verb=verb) for verb in verbs))
        for hosts, verbs in plays
    )
    lines = plan_view(RunPlan(title="t", plays=made, fleet="/f")).lines
    texts = ["".join(text for text, _ in line).split() for line in lines]
    return [f"{words[0]} {words[1]}" for words in texts if words and words[0].isdigit()]


def test_the_steps_of_several_plays_are_numbered_through_as_the_headings_of_their_logs_are() -> None:
    several = (("a b", ("preflight", "rebuild")), ("b a", ("status", "snapshot")))
    assert numbers(*several) == ["1 preflight", "2 rebuild", "3 status", "4 snapshot"]
    assert numbers(("a", ("rebuild",)), ("b", ("status",))) == ["1 rebuild", "1 status"]
    assert numbers(("a", ("rebuild",)), ("a b", ("status",))) == ["1 rebuild", "1 status"]
