from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.model.verbs import VERBS
from pvenix_tui.actions import ACTIONS, BY_ID, Context, in_scope
from pvenix_tui.actions.document import reference, updated
from pvenix_tui.screens.commands import CommandsScreen
from pvenix_tui.screens.commit import CommitScreen
from pvenix_tui.screens.conflicts import ConflictsScreen
from pvenix_tui.screens.entry import EntryScreen
from pvenix_tui.screens.fleet import FleetScreen
from pvenix_tui.screens.history import HistoryScreen
from pvenix_tui.screens.host import HostScreen
from pvenix_tui.screens.journal import JournalScreen
from pvenix_tui.screens.newhost import NewHostScreen
from pvenix_tui.screens.plan import PlanScreen
from pvenix_tui.screens.playbook import PlaybookDetail
from pvenix_tui.screens.playbooks import PlaybooksScreen
from pvenix_tui.screens.review import ReviewScreen
from pvenix_tui.screens.reviews import ReviewsScreen
from pvenix_tui.screens.rollback import RollbackScreen
from pvenix_tui.screens.run import RunScreen
from pvenix_tui.screens.runs import RunsScreen
from pvenix_tui.screens.since import SinceScreen
from pvenix_tui.screens.unit import UnitScreen
from pvenix_tui.screens.wizard import WizardScreen

SCREENS = (
    JournalScreen, EntryScreen,
    FleetScreen, HostScreen, UnitScreen, HistoryScreen, RunsScreen, RunScreen, CommandsScreen, ReviewsScreen, ReviewScreen,
    SinceScreen, ConflictsScreen, CommitScreen, PlanScreen, RollbackScreen,
    PlaybooksScreen, PlaybookDetail, NewHostScreen, WizardScreen,
)  # fmt: skip
DOCUMENT = Path(__file__).parents[2] / "docs" / "tui.md"


def test_every_action_of_a_screen_is_handled_by_it_and_no_handler_lacks_an_action() -> None:
    handled = {name for screen in SCREENS for name in dir(screen) if name.startswith("do_")}
    wanted = set()
    for screen in SCREENS:
        for action in in_scope(screen.scope):
            name = "do_" + action.id.replace(".", "_")
            assert hasattr(screen, name), f"{screen.__name__} has no {name}"
            wanted.add(name)
    assert handled == wanted


def test_ids_are_unique_and_no_key_means_two_things_in_one_place() -> None:
    assert len(BY_ID) == len(ACTIONS)
    for screen in SCREENS:
        keys: list[str] = []
        for scope in (screen.scope, "list", "app"):
            keys += [key for action in in_scope(scope) for key in action.key.split(",") if key]
        assert len(keys) == len(set(keys)), f"{screen.__name__}: {sorted(key for key in keys if keys.count(key) > 1)}"


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_an_action_explains_itself_whatever_the_context(action: object) -> None:
    from pvenix_tui.actions import Action

    assert isinstance(action, Action)
    for context in (Context(scope="x"), Context(scope="x", hosts=("a", "b"), run="r", run_state="running")):
        reason, command = action.disabled_reason(context), action.command(context)
        assert reason == reason.strip()
        assert command == "" or command.startswith("pvenix ")
    assert action.help
    assert action.label


def test_every_verb_is_an_action() -> None:
    assert {action.label for action in in_scope("verbs")} == set(VERBS)


def test_the_documented_keys_are_those_of_the_registry() -> None:
    text = DOCUMENT.read_text()
    assert updated(text) == text, "run: python -m pvenix_tui.actions.document docs/tui.md"
    assert all(action.help.replace("|", "\\|") in reference() for action in ACTIONS)
