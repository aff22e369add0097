"""Starting verbs from a screen of hosts: menu, generation picker, plan, and then the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pvenix.engine.runfiles import RunDir
from pvenix.model.generation import Generation
from pvenix.model.plan import ArgValue
from pvenix_tui.actions import BY_ID, in_scope
from pvenix_tui.intents import Intent, onboarding_intent, verb_intent
from pvenix_tui.models.host import GENERATION_COLUMNS, generation_cells
from pvenix_tui.models.lines import Column
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.screens.dialogs import Choice, Picker, action_choices
from pvenix_tui.screens.plan import PlanScreen
from pvenix_tui.screens.run import RunScreen

VERB_COLUMNS: Final = (
    Column(title="VERB", width=10),
    Column(title="REACH", width=10),
    Column(title="WHAT IT DOES", width=30, grow=1),
)


class HostVerbs(PvenixScreen[None]):
    """A screen with hosts to act on."""

    def targets(self) -> tuple[str, ...]:
        """The hosts that a verb acts on."""
        return self.context().hosts

    def open_plan(self, intent: Intent) -> None:
        """Show the plan; when it is started, the run."""
        self.app.push_screen(PlanScreen(self.session, intent, area=self.area), self._started)

    def _started(self, result: object) -> None:
        if isinstance(result, RunDir):
            self.app.push_screen(RunScreen(self.session, result, area=self.area, started=True))

    def plan_verb(self, verb: str, args: Mapping[str, ArgValue] | None = None) -> None:
        """Show the plan of one verb."""
        self.open_plan(verb_intent(self.session.backend, verb, self.targets(), args or {}))

    def do_host_rebuild(self) -> None:
        """Plan a rebuild."""
        self.plan_verb("rebuild")

    def do_host_onboard(self) -> None:
        """Plan all verbs of an onboarding, step by step."""
        self.open_plan(onboarding_intent(self.session.backend, self.targets()))

    def do_host_retire(self) -> None:
        """Plan the end of the host; its name is typed on the plan screen."""
        self.plan_verb("retire", {"confirm": self.targets()[0]})

    def do_host_rollback(self) -> None:
        """Choose a generation, then plan."""
        self.run_worker(self._choose_generation(self.targets()[0]), group="generations", exit_on_error=False)

    async def _choose_generation(self, host: str) -> None:
        found: list[Generation] = []

        async def work() -> None:
            found.extend(await self.session.backend.generations(host))

        if not await self.session.guarded(f"generations of {host}", work):
            self.refresh_bars()
            return
        if self.is_current:
            self._pick(host, found)

    def _pick(self, host: str, generations: Sequence[Generation]) -> None:
        newest_first = sorted(generations, key=lambda generation: -generation.number)
        choices = [
            Choice(
                key=str(generation.number),
                cells=generation_cells(generation),
                note=generation.path or "choose a generation to go to",
                disabled="the host runs this one" if generation.current else "",
            )
            for generation in newest_first
        ]
        before = next((choice.key for choice in choices if not choice.disabled), "")
        title = f"Roll {host} back to which generation?"
        picker = Picker(title, GENERATION_COLUMNS, choices, cursor=before, browse=True)
        self.app.push_screen(picker, self._picked)

    def _picked(self, number: str | None) -> None:
        if number:
            self.plan_verb("rollback", {"to": int(number)})

    def do_host_verbs(self) -> None:
        """The menu of verbs."""
        context = self.context()
        choices = action_choices(in_scope("verbs"), context, keys=False)
        title = f"Verbs for {', '.join(context.hosts[:3])}{' …' if len(context.hosts) > 3 else ''}"
        self.app.push_screen(Picker(title, VERB_COLUMNS, choices), self._verb_picked)

    def _verb_picked(self, action_id: str | None) -> None:
        if action_id:
            self.start_verb(BY_ID[action_id].label)

    def start_verb(self, verb: str) -> None:
        """Plan one verb, asking first for what it needs."""
        match verb:
            case "rollback":
                self.do_host_rollback()
            case "retire":
                self.do_host_retire()
            case _:
                self.plan_verb(verb)
