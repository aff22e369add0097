"""From what was chosen in the rollback picker to a plan: how hosts go back, and which commit is taken back."""

from __future__ import annotations

from functools import partial
from typing import Final

from typing_extensions import override

from pvenix.model.errors import PvenixError
from pvenix_tui.intents.goingback import RevertIntent, rollback_intent
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.effects import METHODS, Method
from pvenix_tui.models.lines import Column, Tone
from pvenix_tui.models.rollback import RollbackModel, aim_numbers
from pvenix_tui.screens.dialogs import Picker
from pvenix_tui.screens.planning import PlanningScreen
from pvenix_tui.session import describe
from pvenix_tui.working import in_background

_METHOD_COLUMNS: Final = (Column(title="METHOD", width=8), Column(title="WHAT IT DOES", width=30, grow=1, prose=True))
_COMMIT_COLUMNS: Final = (Column(title="COMMIT", width=10), Column(title="SUBJECT", width=30, grow=1, prose=True))


class RollbackPlans(PlanningScreen):
    """What leads from the picker to a plan."""

    model: RollbackModel

    def changed(self) -> None:
        """Draw what was chosen."""
        raise NotImplementedError

    @override
    def started(self, result: object) -> None:
        """What was chosen is under way: whoever opened the picker goes on with the run."""
        if result is not None:
            self.dismiss(result)

    def do_rollback_method(self) -> None:
        """Choose how to go back."""
        choices = [
            Choice(
                key=method.value,
                cells=((method.value, Tone.STRONG), (words, Tone.PLAIN)),
                note=words,
                disabled="" if method is not Method.REVERT or self._commits() else self._no_commits(),
            )
            for method, words in METHODS.items()
        ]
        self.app.push_screen(
            Picker("How do they go back?", _METHOD_COLUMNS, choices, cursor=self.model.method.value, browse=True),
            self._method_picked,
        )

    def _method_picked(self, key: str | None) -> None:
        if not key:
            return
        self.model.method = Method(key)
        self.changed()

    def _commits(self) -> dict[str, str]:
        """Subjects of the commits that the targets take back, by id, as far as they are known."""
        aims = aim_numbers(self.model.aims)
        known = [found for key, found in self.model.effects.items() if aims.get(key[0]) == key[1] and not found.forward]
        return {commit: subject for found in known for commit, subject in found.commits}

    def _no_commits(self) -> str:
        return "no commit is taken back by the hosts that were looked at; the cursor on a host reads its commits"

    def do_rollback_plan(self) -> None:
        """The plan of what was chosen."""
        if self.model.method is not Method.REVERT:
            self.open_plan(rollback_intent(self.session.backend, self.model.as_chosen()))
            return
        commits = self._commits()
        choices = [
            Choice(key=commit, cells=((commit[:10], Tone.STRONG), (subject, Tone.PLAIN)), note=subject)
            for commit, subject in commits.items()
        ]
        if not choices:
            self.session.refuse(self._no_commits())
        else:
            title = "Take which commit of main back?"
            self.app.push_screen(Picker(title, _COMMIT_COLUMNS, choices, browse=True), self._commit_picked)

    def _commit_picked(self, commit: str | None) -> None:
        if commit:
            in_background(self, partial(self._plan_revert, commit), group="reverting")

    async def _plan_revert(self, commit: str) -> None:
        self.session.say("reading what taking it back changes")
        try:
            found = await self.session.backend.reverting(commit)
        except PvenixError as error:
            self.session.say(describe(error), bad=True)
            return
        self.session.said = None
        hosts = [host for host in found.hosts if host in self.model.aims]
        if not hosts:
            self.session.refuse(f"{commit[:10]} concerns none of these hosts")
        elif self.is_current:
            self.open_plan(RevertIntent(self.session.backend, found, hosts))
