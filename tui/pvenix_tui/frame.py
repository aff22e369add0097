"""What every screen has beside its own actions: areas, help, palette, copying, saving, jumping, leaving."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from textual.events import Key
from textual.screen import Screen
from typing_extensions import override

from pvenix_tui.actions import BY_ID, Action, in_scope
from pvenix_tui.keyorder import Given, OrderedKeys
from pvenix_tui.models.choices import action_choices
from pvenix_tui.models.held import HeldKey
from pvenix_tui.models.lines import Line, Tone
from pvenix_tui.models.typed import HOST, THEME, History, order_of, typed_choices
from pvenix_tui.remembered.place import keep_place
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.screens.dialogs import Confirm
from pvenix_tui.screens.verbs import HostVerbs
from pvenix_tui.session import Session
from pvenix_tui.text import clean
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.logview import LogView
from pvenix_tui.widgets.rows import Rows
from pvenix_tui.working import in_background

HISTORY: Final = "palette.history"
AREAS: Final = ("fleet", "runs", "reviews", "playbooks", "journal")


class Frame(OrderedKeys):
    """The actions of the whole program; what they read is the subclass's."""

    session: Session
    _held: HeldKey
    _history: History | None = None

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self.returned = False
        """Whether the place of the last session was gone back to: until then it stays the one that is remembered."""

    def read_area(self, area: str) -> None:
        """Read what an area shows again."""

    def read_everything(self) -> None:
        """Read everything that the screens share again."""

    def choose_theme(self, name: str = "") -> None:
        """Draw in other colours: in those of this name, else as a menu is answered."""

    @override
    async def hand(self, event: Given, front: Screen[object] | None) -> None:
        """A key that is held down is not for what it has just opened."""
        if isinstance(event, Key):
            typing = event.is_printable and front is not None and isinstance(front.focused, Field)
            if self._held.ignores(event.key, self.session.clock(), front, typing=typing):
                return
        await super().hand(event, front)

    async def action_do(self, action_id: str) -> None:
        """Do one of the actions that every screen has, or say why not."""
        screen, action = self.screen, BY_ID[action_id]
        reason = action.reason(screen.here()) if isinstance(screen, PvenixScreen) else ""
        if reason:
            self.session.refuse(f"{action.label}: {reason}")
            return
        self.session.acted()
        area = action_id.removeprefix("app.")
        if area in AREAS:
            await self.go(area)
        elif action_id == "app.quit":
            in_background(self, self._quit, group="quit")
        elif action_id == "app.suspend":
            self.action_suspend_process()
        elif action_id == "app.back":
            self._back()
        elif isinstance(screen, PvenixScreen):
            self._actions_here()[action_id](screen)
        if isinstance(self.screen, PvenixScreen):
            self.screen.refresh_bars()

    def _actions_here(self) -> dict[str, Callable[[PvenixScreen[object]], None]]:
        return {
            "app.help": self._help,
            "app.palette": self._palette,
            "app.refresh": self._refresh_all,
            "app.theme": lambda _: self.choose_theme(),
            "frame.copy": self._copy,
            "frame.save": self._save,
            "frame.jump": self._jump,
            "frame.calls": self._calls,
        }

    async def go(self, area: str) -> None:
        """Show an area; from within it, its first screen."""
        self.session.deal_with_said()
        if isinstance(self.screen, PvenixScreen) and self.screen.leaves_with_area:
            self.screen.dismiss()  # not awaited: a click comes through that very screen
        if self.current_mode == area:
            while len(self.screen_stack) > 1:
                await self.pop_screen()
        else:
            await self.switch_mode(area)
        self.read_area(area)

    def _back(self) -> None:
        self.session.deal_with_said()
        if isinstance(self.screen, PvenixScreen) and self.screen.back():
            return
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def _refresh_all(self, screen: PvenixScreen[object]) -> None:
        self.read_everything()
        screen.reread()

    def _copy(self, screen: PvenixScreen[object]) -> None:
        from pvenix_tui.screens.exporting import open_copy_menu

        open_copy_menu(screen)

    def _save(self, screen: PvenixScreen[object]) -> None:
        from pvenix_tui.screens.exporting import open_save_prompt

        open_save_prompt(screen)

    def _jump(self, screen: PvenixScreen[object]) -> None:
        from pvenix_tui.screens.jump import Jump, panes_of

        panes = panes_of(screen)
        if len(panes) < 2:
            self.session.refuse("jump: this screen has one pane")
            return

        def chosen(letter: str | None) -> None:
            if letter:
                panes[letter].focus()

        self.push_screen(Jump(panes), chosen)

    def _calls(self, _: PvenixScreen[object]) -> None:
        from pvenix_tui.screens.calls import CallsScreen

        self.push_screen(CallsScreen(self.session, area=self.current_mode))

    # --- leaving ---

    @override
    def exit(self, result: int | None = None, return_code: int = 0, message: object = None) -> None:
        self.keep_place()
        super().exit(result, return_code)

    def keep_place(self) -> None:
        """Remember what is in front, for the next session."""
        if self.returned:
            keep_place(self, self.session.memory)

    def tell_terminal(self, text: str) -> None:
        """Let the terminal show a notification (OSC 9); `clean` leaves nothing in it that could end it early."""
        if self._driver is not None:
            self._driver.write(f"\x1b]9;pvenix: {clean(text)}\x07")

    async def _quit(self) -> None:
        await self.session.read_runs()
        live = self.session.live_runs
        if not live:
            self.exit(0)
            return
        at_work = f"{live} run{'s are' if live > 1 else ' is'} at work"
        if self.session.throwaway:
            first, second = (
                f"{at_work}; the simulated site goes away with this window,",
                "and what runs on it ends unfinished.",
            )
        else:
            first = f"{at_work} and will go on without this window."
            second = "Come back with pvenix-tui, or watch with pvenix runs show last -f."
        lines: list[Line] = [((first, Tone.PLAIN),), ((second, Tone.DIM),)]
        leave = Confirm("Leave?", lines, clock=self.session.clock, yes="leave", leaving=True)
        self.push_screen(leave, self._left)

    def _left(self, yes: bool | None) -> None:  # noqa: FBT001 the dialog's result
        if yes:
            self.exit(0)

    # --- help and palette ---

    def _help(self, screen: PvenixScreen[object]) -> None:
        self._choose_action("Keys and actions of this screen", screen)

    def _palette(self, screen: PvenixScreen[object]) -> None:
        self._choose_action("Run an action, a verb on hosts, or go to a host", screen)

    def _choose_action(self, title: str, screen: PvenixScreen[object]) -> None:
        from pvenix_tui.screens.palette import Palette

        session = self.session
        if self._history is None:
            self._history = History(lines=session.memory.names(HISTORY))
        self._history.at = 0

        async def chosen(key: str | None) -> None:
            if key is not None:
                await self._do_chosen(screen, key)

        dialog = Palette(
            title,
            action_choices(actions_of(screen), screen.here(), keys=True),
            typed=lambda text: typed_choices(text, session.fleet.hosts, self._select, read_only=session.read_only),
            history=self._history,
            keep=lambda lines: session.memory.keep(HISTORY, lines),
        )
        self.push_screen(dialog, chosen)

    def _select(self, selector: str) -> tuple[str, ...]:
        return tuple(self.session.backend.fleet().select(selector))

    async def _do_chosen(self, screen: PvenixScreen[object], key: str) -> None:
        if key.startswith(HOST):
            self._go_to_host(key.removeprefix(HOST))
            return
        if key.startswith(THEME):
            self.choose_theme(key.removeprefix(THEME))
            return
        order = order_of(key, self._select)
        if order is not None:
            await self._start(order.action, order.hosts)
            return
        action = BY_ID[key]
        if {"app", "frame"} & set(action.scopes):
            await self.action_do(action.id)
        elif "list" in action.scopes:
            if isinstance(screen.focused, Rows | LogView):
                screen.focused.action_do(action.id)
        elif "verbs" in action.scopes and isinstance(screen, HostVerbs):
            screen.start_verb(action.label)
        else:
            screen.action_do(action.id)

    def _go_to_host(self, host: str) -> Awaitable[None]:
        from pvenix_tui.screens.host import HostScreen

        return self.push_screen(HostScreen(self.session, host))

    async def _start(self, action: Action, hosts: Sequence[str]) -> None:
        """Plan a verb that was typed with its hosts, from the screen of the host or of the fleet."""
        from pvenix_tui.intents.base import verb_intent

        if len(hosts) == 1:
            await self._go_to_host(hosts[0])
            if isinstance(self.screen, HostVerbs):
                self.screen.start_verb(action.label)
            return
        await self.go("fleet")
        if isinstance(self.screen, HostVerbs):
            self.screen.open_plan(verb_intent(self.session.backend, action.label, hosts, {}))


def actions_of(screen: PvenixScreen[object]) -> list[Action]:
    """What can be done here, the screen's own first; each key stands for one action."""
    own = list(in_scope(screen.scope))
    labels = {action.label for action in own}
    keys = {key for action in own for key in action.key.split(",")}
    verbs = in_scope("verbs") if isinstance(screen, HostVerbs) else ()
    frame = (action for action in in_scope("frame") if not keys & set(action.key.split(",")))
    return [*own, *(verb for verb in verbs if verb.label not in labels), *in_scope("list"), *frame, *in_scope("app")]
