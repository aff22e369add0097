"""What an action is, and what it may depend on."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pvenix.model.verbs import Danger


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a person is, as far as actions depend on it."""

    scope: str
    hosts: tuple[str, ...] = ()
    """What a verb would act on: the marked hosts, or the one at the cursor."""
    vms: Mapping[str, int] = field(default_factory=dict)
    """The VM's id of each of these hosts that was read, 0 where it has none."""
    own: frozenset[str] = frozenset()
    """Those of the fleet's hosts that this pvenix runs on."""
    aims: Mapping[str, int] = field(default_factory=dict)
    """The generation that each host is to be rolled back to."""
    generation: int = 0
    """The generation at the cursor of a host's list, 0 when there is none."""
    run: str = ""
    run_state: str = ""
    """`starting`, `running`, `ended` or `interrupted`."""
    run_paused: bool = False
    gates: int = 0
    """Hosts of the run that wait for a `continue`."""
    approvals: int = 0
    """Hosts of the run whose change waits for an approval."""
    host_retry: str = ""
    """Why the host at the cursor cannot be retried, empty when it can."""
    retries: int = 0
    """Hosts of the run that can be retried."""
    entry: str = ""
    """The journal's entry at the cursor."""
    review: str = ""
    """Host of the open review."""
    review_commit: str = ""
    review_state: str = ""
    approval: str = "the branch is not read yet"
    """Why the review cannot be approved, empty when it can."""
    review_file: str = ""
    """The file of the open review, or of the commit, that shows."""
    review_line: int = 0
    """The line of it at the cursor, as the branch has it; 0 when there is none."""
    commit: str = ""
    """The commit that shows, or that is at the cursor of the history."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why actions of the screen cannot be done now, by their ids, as far as the screen alone knows it."""
    blocked: str = ""
    """What a plan still waits for before it can be started."""
    playbook: str = ""
    """The playbook that is open or at the cursor, as the command line takes it."""
    command_line: str = ""
    """The command line of what is open: of a plan, or of a playbook with its parameters."""
    typing: bool = False
    """Whether keys go to the field in which a name is typed."""
    read_only: bool = False
    """Whether nothing may be changed from here."""
    skip: str = "no step waits or failed"
    """Why the wizard's step cannot be left out, empty when it can."""
    undo: str = "nothing was made so far"
    """Why there is nothing for the wizard to take back, empty when there is."""
    toggles: frozenset[str] = frozenset()
    """What can be switched on the plan screen."""
    tab: str = ""
    """Which tab of a host's screen shows."""
    row: str = ""
    """What is at the cursor of that tab, when it can be opened."""
    file: str = ""
    """The edited file of a host that shows at the top."""
    unit: str = ""
    """The only unit whose lines of a host's journal show, empty for all."""
    priority: str = ""
    """The priority of the journal's lines that show, with worse ones; empty for all."""
    adopt: str = "the edits are not read"
    """Why the edits of the host cannot be adopted, empty when they can."""
    overwrite: str = "the edits are not read"
    """Why there is nothing to overwrite on the host, empty when there is."""


Reason = Callable[[Context], str]
CommandLine = Callable[[Context], str]


def _always(_: Context) -> str:
    return ""


@dataclass(slots=True, kw_only=True, eq=False)
class Action:
    """One thing that a person can do; all but its key stays as the table has it."""

    id: str
    key: str
    """Characters or Textual key names, separated by commas; empty when it is in menus only. A person may change it."""
    label: str
    """One or two words for the footer."""
    help: str
    scopes: tuple[str, ...]
    danger: Danger = Danger.READ
    disabled_reason: Reason = _always
    """Why it cannot be done in this context; empty when it can."""
    command: CommandLine = _always
    """The equivalent command line; empty when there is none."""
    footer: bool = False
    group: str = ""
    """The heading of a menu that it stands under."""

    def reason(self, context: Context) -> str:
        """Why it cannot be done now; empty when it can."""
        if context.read_only and self.danger is not Danger.READ:
            return READ_ONLY
        return self.disabled_reason(context)

    @property
    def key_label(self) -> str:
        """The key as a person reads it."""
        return " ".join(_KEY_WORDS.get(key, key) for key in self.key.split(",")) if self.key else ""


READ_ONLY: Final = "read-only: nothing is changed from here (start without --read-only and PVENIX_READ_ONLY)"


class Place:
    """Where actions are offered: one of the scopes that screens have, or several."""

    def __init__(self, *scopes: str) -> None:
        self._scopes = scopes

    def action(
        self,
        action_id: str,
        key: str,
        label: str,
        text: str,
        *,
        danger: Danger = Danger.READ,
        unless: Reason = _always,
        command: CommandLine = _always,
        footer: bool = False,
    ) -> Action:
        """An action of this place: its id, key, name and help; it can be done unless there is a reason not to."""
        return Action(
            id=action_id,
            key=key,
            label=label,
            help=text,
            scopes=self._scopes,
            danger=danger,
            disabled_reason=unless,
            command=command,
            footer=footer,
        )


_KEY_WORDS: Final = {
    "escape": "esc",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "shift+tab": "shift+tab",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "ctrl+m": "enter",
}


def pvenix_line(*words: str) -> str:
    """A `pvenix` command line as a shell takes it."""
    return shlex.join(("pvenix", *words))


ABANDONED: Final = "the run was abandoned: nobody goes on with it"


def not_live(context: Context) -> str:
    """The reason when the run is not at work."""
    return "" if context.run_state == "running" else f"the run is not live ({context.run_state or 'not read yet'})"


def asks_run(what: str, *, host: bool = False) -> CommandLine:
    """What asks a live run for something, for one `host` or for all."""

    def command(context: Context) -> str:
        named = ("--host", (context.hosts or ("HOST",))[0]) if host else ()
        return pvenix_line("runs", "ask", context.run or "RUN", what, *named)

    return command


def asks_or_resumes(what: str, *, host: bool = False) -> CommandLine:
    """What asks a live run for something; one that nobody executes is gone on with."""

    def command(context: Context) -> str:
        if context.run_state == "running":
            return asks_run(what, host=host)(context)
        return pvenix_line("resume", context.run or "RUN")

    return command


def no_hosts(context: Context) -> str:
    """The reason when nothing is at hand to act on."""
    return "" if context.hosts else "no host is marked or at the cursor"
