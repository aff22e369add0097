"""What the registry shows as the same from a shell is a command line that the command takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from pvenix.fleet.planning import one_play
from pvenix.model.plan import ArgValue, RunPlan, Task
from pvenix.model.verbs import VERBS
from pvenix_tui.actions import ACTIONS, Action, Context
from pvenix_tui.models.commandline import equivalent
from tests.command_words import parsed

COMMIT = "3f2c1a9b77d04c55a1e2f3049586776655443322"
RUN = "20260721-101500-rebuild"
BARE = Context(scope="")
ONE = Context(
    scope="",
    hosts=("dns01",),
    vms={"dns01": 200},
    generation=41,
    aims={"dns01": 41},
    run=RUN,
    run_state="running",
    review="dns01",
    review_commit=COMMIT,
    review_state="open",
    review_file="inventory/site.yaml",
    review_line=3,
    commit=COMMIT,
    playbook="playbooks/onboard.yaml",
    file="nix/local/notes.nix",
    entry="1",
    tab="drift",
)
TWO = replace(ONE, hosts=("dns01", "web 1"), aims={"dns01": 41, "web01": 12}, generation=0, review_file="", file="a b")
CHOSEN = {
    "N": "41", "VMID": "200", "NAME": "dns01", "COMMIT": COMMIT, "PLAYBOOK": "playbooks/onboard.yaml", "LEVEL": "warning",
}  # fmt: skip
"""What a person has yet to choose stands in capitals; where only some words are taken, one of those."""

VALUES: Mapping[type, ArgValue] = {int: 41, bool: True, str: "a word"}
GIVEN: Mapping[str, ArgValue] = {"older_than": "30d", "vmid": 431, "confirm": "431"}


def chosen(line: str) -> str:
    """The line as a person would complete it."""
    return re.sub(r"(?<=[ =])[A-Z]+(?=$| )", lambda word: CHOSEN.get(word[0], word[0].lower()), line)


@pytest.mark.parametrize("context", [BARE, ONE, TWO], ids=["nothing", "one", "two"])
@pytest.mark.parametrize("action", [each for each in ACTIONS if each.command(ONE)], ids=lambda each: each.id)
def test_what_an_action_shows_as_the_same_from_a_shell_is_taken_by_the_command(
    action: Action, context: Context
) -> None:
    assert parsed(chosen(action.command(context))).startswith("pvenix ")


@pytest.mark.parametrize("verb", VERBS)
def test_what_a_plan_of_a_verb_shows_is_taken_by_the_command(verb: str) -> None:
    args = {key: GIVEN.get(key) or VALUES[arg.type] for key, arg in VERBS[verb].args.items()}
    plan = RunPlan(title=verb, plays=one_play((Task(verb=verb, args=args),), ("dns01",)), fleet="/fleet", named=True)
    assert parsed(chosen(equivalent(plan)))
