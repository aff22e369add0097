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
