"""Starting verbs from a screen of hosts: menu, generation picker, plan, and then the run.

What a verb needs is loaded when it is started: this stands behind the first screen, and that has to be there at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from pvenix.model.errors import PvenixError
from pvenix.model.verbs import BUILDING, VERBS, Danger
from pvenix_tui.actions import BY_ID, in_scope
from pvenix_tui.glyphs import ELLIPSIS
from pvenix_tui.models.choices import Choice, action_choices
from pvenix_tui.models.lines import Column, Line
from pvenix_tui.screens.dialogs import Picker
from pvenix_tui.screens.hostreach import HostReach
from pvenix_tui.session import describe
from pvenix_tui.working import in_background

if TYPE_CHECKING:
    from pvenix.engine.ports import NodeState
    from pvenix.model.generation import Generation
    from pvenix.model.plan import ArgValue
    from pvenix.model.snapshots import HostSnapshot

Item = TypeVar("Item")
VERB_COLUMNS: Final = (
    Column(title="VERB", width=17),
    Column(title="REACH", width=10),
    Column(title="WHAT IT DOES", width=30, grow=1, prose=True),
)


class HostVerbs(HostReach):
    """A screen with hosts to act on."""

    def targets(self) -> tuple[str, ...]:
        """The hosts that a verb acts on."""
        return self.context().hosts

    def plan_verb(self, verb: str, args: Mapping[str, ArgValue] | None = None) -> None:
        """Show the plan of one verb."""
        from pvenix_tui.intents.base import Reading, verb_intent

        hosts = self.targets()
        readings = (Reading(name="Brings", read=partial(self._brings, hosts)),) if verb in BUILDING else ()
        self.open_plan(verb_intent(self.session.backend, verb, hosts, args or {}, readings=readings))

    async def _brings(self, hosts: Sequence[str]) -> Sequence[Line]:
        """The commits that a build brings, and the edits that it puts aside, by the readings so far."""
        from pvenix_tui.models.brings import brings_lines, edits_lines

        statuses = self.session.fleet.statuses
        facts = {host: status.facts for host in hosts if (status := statuses.get(host)) is not None}
        runs = {host: found.revision if (found := facts.get(host)) is not None else "" for host in hosts}
        edits = {host: found.edits for host, found in facts.items() if found is not None}
        return [*brings_lines(self.session.commits, runs), *edits_lines(edits)]

    def do_host_rebuild(self) -> None:
        """Plan a rebuild."""
        self.plan_verb("rebuild")

    def do_host_onboard(self) -> None:
        """Plan all verbs of an onboarding, step by step; one that is half done is gone on with where it is."""
        from pvenix_tui.intents.base import onboarding_intent
        from pvenix_tui.screens.onboardings import open_onboarding, run_screen

        targets = self.targets()
        half_done = open_onboarding(self.session, targets[0]) if len(targets) == 1 else None
        if half_done is not None:
            self.app.push_screen(run_screen(self.session, half_done, area=self.area))
            return
        self.open_plan(onboarding_intent(self.session.backend, self.targets()))

    def do_host_retire(self) -> None:
        """Plan the end of the host; its name is typed on the plan screen."""
        self.plan_verb("retire", {"confirm": self.targets()[0]})

    def do_host_undo(self) -> None:
        """Plan what takes the host's last change back."""
        from pvenix_tui.screens.undoing import undo_host

        undo_host(self, self.targets()[0])

    def do_host_rollback(self) -> None:
        """Choose where each host goes back to, then plan."""
        from pvenix_tui.screens.rollback import RollbackScreen

        generation = self.context().generation
        screen = RollbackScreen(self.session, self.targets(), to=generation, area=self.area)
        self.app.push_screen(screen, self.started)

    def do_host_verbs(self) -> None:
        """The menu of verbs."""
        context = self.here()
        choices = action_choices(in_scope("verbs"), context, keys=False)
        title = f"Verbs for {', '.join(context.hosts[:3])}{f' {ELLIPSIS}' if len(context.hosts) > 3 else ''}"
        self.app.push_screen(Picker(title, VERB_COLUMNS, choices), self._verb_picked)

    def _verb_picked(self, action_id: str | None) -> None:
        if action_id:
            self.start_verb(BY_ID[action_id].label)

    def start_verb(self, verb: str) -> None:
        """Plan one verb, asking first for what it needs."""
        match verb:
            case "rollback":
                self.do_host_rollback()
            case "pin-generation" | "unpin-generation":
                host = self.targets()[0]
                generations = partial(self.session.backend.generations, host)
                self._ask(f"generations of {host}", generations, partial(self._pick_pin, verb))
            case "restore" | "delete-snapshot":
                host = self.targets()[0]
                self._ask(f"snapshots of {host}", partial(self._snapshots, host), partial(self._pick_snapshot, verb))
            case "migrate":
                self._ask("nodes", self._proxmox_nodes, self._pick_node)
            case "adopt":
                self._adopt(self.targets()[0])
            case _ if VERBS[verb].danger is Danger.DESTROYS:
                self.plan_verb(verb, {"confirm": self.targets()[0]})
            case _:
                self.plan_verb(verb)

    # --- what a verb needs ---

    def _ask(
        self, what: str, read: Callable[[], Awaitable[Sequence[Item]]], then: Callable[[list[Item]], None]
    ) -> None:
        """Read what there is to choose from; `then` offers it, unless the person went elsewhere meanwhile."""

        async def asked() -> None:
            found: list[Item] = []

            async def work() -> None:
                found.extend(await read())

            self.session.say(f"reading the {what}")
            done = await self.session.guarded(what, work)
            self.session.said = None
            if not done:
                self.session.say(f"{what}: {self.session.problems.pop(what)}", bad=True)
            elif self.is_current:
                then(found)
            self.refresh_bars()

        in_background(self, asked, group="asking")

    def _offer(
        self,
        title: str,
        columns: Sequence[Column],
        choices: Sequence[Choice],
        picked: Callable[[str], None],
    ) -> None:
        """A list to choose from, the cursor on the first that can be chosen."""
        first = next((choice.key for choice in choices if not choice.disabled), "")

        def chosen(key: str | None) -> None:
            if key:
                picked(key)

        self.app.push_screen(Picker(title, columns, choices, cursor=first), chosen)

    def _pick_pin(self, verb: str, found: list[Generation]) -> None:
        from pvenix_tui.models.asked import generation_choices
        from pvenix_tui.models.host import GENERATION_COLUMNS

        title = f"{'Keep' if verb == 'pin-generation' else 'Let go of'} which generation of {self.targets()[0]}?"
        choices = generation_choices(found, pinned=verb == "unpin-generation")
        self._offer(title, GENERATION_COLUMNS, choices, lambda number: self.plan_verb(verb, {"number": int(number)}))

    async def _snapshots(self, host: str) -> list[HostSnapshot]:
        return [each async for each in (await self.session.backend.day_two()).snapshots((host,))]

    def _pick_snapshot(self, verb: str, found: list[HostSnapshot]) -> None:
        from pvenix_tui.models.asked import SNAPSHOT_COLUMNS, snapshot_choices

        host = self.targets()[0]
        if not found:
            self.session.say(f"{verb}: {host} has no snapshot; pvenix snapshot {host} takes one", bad=True)
            return
        theirs = {each.name for each in found if not each.ours}

        def picked(name: str) -> None:
            if verb == "restore":
                self.plan_verb(verb, {"to": name, "confirm": host})
            else:
                self.plan_verb(verb, {"name": name, "confirm": host, **({"theirs": True} if name in theirs else {})})

        title = f"Put {host} back to which snapshot?" if verb == "restore" else f"Delete which snapshot of {host}?"
        self._offer(title, SNAPSHOT_COLUMNS, snapshot_choices(found, whole=verb == "restore"), picked)

    async def _proxmox_nodes(self) -> Sequence[NodeState]:
        return await (await self.session.backend.day_two()).nodes()

    def _pick_node(self, found: list[NodeState]) -> None:
        from pvenix_tui.models.asked import NODE_COLUMNS, node_choices

        hosts = self.targets()
        statuses = self.session.fleet.statuses
        here = {host: statuses[host].node for host in hosts if host in statuses}
        title = f"Move {', '.join(hosts[:3])}{f' {ELLIPSIS}' if len(hosts) > 3 else ''} to which node?"
        self._offer(title, NODE_COLUMNS, node_choices(found, here), self._node_picked)

    def _node_picked(self, node: str) -> None:
        self.plan_verb("migrate", {"to": node})

    def _adopt(self, host: str) -> None:
        from pvenix_tui.intents.base import inventory_vmid

        try:
            known = inventory_vmid(self.session.backend, host)
        except PvenixError as error:
            self.session.say(f"adopt: {describe(error)}", bad=True)
            return
        if known:
            self.plan_verb("adopt")
        else:
            self.session.say(f"adopt: the inventory names no VM for {host}; pvenix adopt VMID {host} does", bad=True)
