"""Actions on the fleet and its hosts."""

from __future__ import annotations

from typing import Final

from pvenix.model.verbs import VERBS, Danger
from pvenix_tui.actions.base import Action, CommandLine, Context, Reason, no_hosts, pvenix_line
from pvenix_tui.models.commandline import ONBOARD_PLAYBOOK, REVIEW_TASK


def _one_host(why: str) -> Reason:
    def reason(context: Context) -> str:
        return no_hosts(context) or (f"one host at a time: {why}" if len(context.hosts) > 1 else "")

    return reason


def _verb_command(verb: str) -> CommandLine:
    def command(context: Context) -> str:
        if verb == "review":
            return pvenix_line(*REVIEW_TASK[1:], "-l", ":".join(context.hosts) or "HOST")
        extra: tuple[str, ...] = ()
        if verb == "rollback":
            extra = ("--to", str(context.generation or "N"))
        elif verb == "retire" and context.hosts:
            extra = ("--confirm", context.hosts[0])
        return pvenix_line(verb, *(context.hosts or ("HOST",)), *extra)

    return command


def _onboard_command(context: Context) -> str:
    return pvenix_line("run", ONBOARD_PLAYBOOK, "-l", ":".join(context.hosts) or "HOST")


_DESTROY: Final = _one_host("its name is typed to confirm")
_GENERATION: Final = _one_host("generation numbers differ from host to host")
_REASONS: Final = {"rollback": _GENERATION, "retire": _DESTROY}
_HOSTS: Final = ("fleet", "host")
FLEET: Final = (
    Action(
        id="fleet.open",
        key="enter",
        label="open",
        help="the host's facts, generations and configuration",
        scopes=("fleet",),
        disabled_reason=no_hosts,
        command=lambda context: pvenix_line("host", "show", (context.hosts or ("HOST",))[0]),
        footer=True,
    ),
    Action(
        id="fleet.mark",
        key="space",
        label="mark",
        help="mark the host, or take its mark away",
        scopes=("fleet",),
        footer=True,
    ),
    Action(
        id="fleet.mark_all",
        key="*",
        label="mark all",
        help="mark every host that shows, or none of them",
        scopes=("fleet",),
    ),
    Action(id="fleet.unmark", key="\\", label="unmark", help="clear all marks", scopes=("fleet",)),
    Action(
        id="fleet.filter",
        key="/",
        label="filter",
        help="a selector (role_vllm:!core, state=drifted) or a part of a row",
        scopes=("fleet",),
        footer=True,
    ),
    Action(
        id="fleet.groups",
        key="0",
        label="roles",
        help="roles and groups; enter shows only their hosts",
        scopes=("fleet",),
        command=lambda _: "pvenix role list",
    ),
    Action(
        id="fleet.history",
        key="H",
        label="history",
        help="the commits of the revision that the fleet comes from",
        scopes=("fleet",),
    ),
)

HOST: Final = (
    Action(
        id="host.rebuild",
        key="r",
        label="rebuild",
        help=VERBS["rebuild"].help,
        scopes=_HOSTS,
        danger=Danger.REVERSIBLE,
        disabled_reason=no_hosts,
        command=_verb_command("rebuild"),
        footer=True,
    ),
    Action(
        id="host.rollback",
        key="b",
        label="rollback",
        help="activate an earlier generation, chosen from the host's list",
        scopes=_HOSTS,
        danger=Danger.REVERSIBLE,
        disabled_reason=_GENERATION,
        command=_verb_command("rollback"),
        footer=True,
    ),
    Action(
        id="host.onboard",
        key="o",
        label="onboard",
        help="all verbs from the inventory's line to a running host, with a pause before each step",
        scopes=_HOSTS,
        danger=Danger.REVERSIBLE,
        disabled_reason=no_hosts,
        command=_onboard_command,
        footer=True,
    ),
    Action(
        id="host.verbs",
        key="x",
        label="verbs",
        help="every verb by itself",
        scopes=_HOSTS,
        disabled_reason=no_hosts,
        footer=True,
    ),
    Action(
        id="host.retire",
        key="D",
        label="retire",
        help=VERBS["retire"].help,
        scopes=_HOSTS,
        danger=Danger.DESTROYS,
        disabled_reason=_DESTROY,
        command=_verb_command("retire"),
    ),
    Action(
        id="host.next",
        key="right_square_bracket",
        label="next pane",
        help="facts, generations, configuration",
        scopes=("host",),
        footer=True,
    ),
    Action(
        id="host.previous",
        key="left_square_bracket",
        label="previous pane",
        help="the other way round",
        scopes=("host",),
    ),
)

VERB_ACTIONS: Final = tuple(
    Action(
        id=f"verb.{spec.name}",
        key="",
        label=spec.name,
        help=spec.help,
        scopes=("verbs",),
        danger=spec.danger,
        disabled_reason=_REASONS.get(spec.name, no_hosts),
        command=_verb_command(spec.name),
    )
    for spec in VERBS.values()
)
