"""The menu of verbs: in the order of a host's life, with what stands in the way of each, and the same from a shell."""

from __future__ import annotations

from typing import Final

from pvenix.model.cutting import cuts
from pvenix.model.spelling import COMMANDS
from pvenix.model.verbs import VERBS, Danger
from pvenix_tui.actions.base import Action, CommandLine, Context, Reason, no_hosts, pvenix_line
from pvenix_tui.models.commandline import REVIEW_TASK, TEMPLATE_PLAYBOOK

LIFE: Final = {
    "provision": ("place", "clone", "create", "adopt", "cloudinit", "boot"),
    "deploy": (
        "hardware",
        "register",
        "unregister",
        "review",
        "preflight",
        "build",
        "rebuild",
        "rollback",
        "adopt-edits",
    ),
    "generations": ("pin-generation", "unpin-generation", "prune-generations", "collect-garbage"),
    "change and move": ("configure", "migrate"),
    "power": ("start", "shutdown", "reboot", "stop", "reset"),
    "snapshots and backup": ("snapshot", "restore", "delete-snapshot", "backup"),
    "end": ("destroy", "retire", "remove-orphan"),
    "templates": ("template-build", "template-canary", "template-publish"),
}
"""Every verb, by the part of a host's life that it belongs to."""
_NEEDS_VM: Final = frozenset({
    *(verb for verb in LIFE["deploy"] if verb not in ("register", "unregister", "review")),
    *LIFE["generations"], *LIFE["change and move"], *LIFE["power"], *LIFE["snapshots and backup"], "destroy",
})  # fmt: skip
_ONE: Final = {
    **dict.fromkeys(("pin-generation", "unpin-generation"), "generation numbers differ from host to host"),
    "restore": "each has snapshots of its own",
    "delete-snapshot": "each has snapshots of its own",
    "adopt": "each takes a VM of its own",
}


def _alone(verb: str) -> str:
    """Why a verb takes one host at a time, empty when it takes several."""
    return _ONE.get(verb, "its name is typed to confirm" if VERBS[verb].danger is Danger.DESTROYS else "")


def _reason(verb: str, context: Context) -> str:
    if verb == "remove-orphan":
        return "an orphan is no host's: pvenix orphans lists them with their ids"
    if verb in LIFE["templates"]:
        return f"a step of {TEMPLATE_PLAYBOOK}, which makes the VM that it needs"
    alone = _alone(verb)
    if not context.hosts or (alone and len(context.hosts) > 1):
        return no_hosts(context) or f"one host at a time: {alone}"
    own = next((host for host in context.hosts if host in context.own), "")
    if own and cuts(verb, {}):
        return f"{own} runs pvenix; {verb} would cut the branch it sits on: do it from another machine, or in Proxmox"
    vms = [context.vms.get(host) for host in context.hosts]
    if verb == "adopt" and vms[0]:
        return f"VM {vms[0]} is the host's already"
    if verb in _NEEDS_VM and all(vmid == 0 for vmid in vms):
        return "it has no VM" if len(vms) == 1 else "none of them has a VM"
    return ""


def verb_reason(verb: str) -> Reason:
    """Why a verb cannot be started on the hosts of a context."""
    return lambda context: _reason(verb, context)


def verb_command(verb: str) -> CommandLine:
    """The command that does the same; what a person has yet to choose stands in capitals."""

    def command(context: Context) -> str:
        hosts = context.hosts[: 1 if _alone(verb) else None] or ("HOST",)
        if verb == "review":
            return pvenix_line(*REVIEW_TASK[1:], "-l", ":".join(hosts))
        if verb == "remove-orphan":
            return pvenix_line(*COMMANDS[verb], "VMID")
        if verb == "rollback":
            return _rollback_line(hosts, context.generation)
        if verb == "adopt":
            return pvenix_line("adopt", "VMID", hosts[0])
        if verb in LIFE["templates"]:
            return pvenix_line("run", TEMPLATE_PLAYBOOK)
        return pvenix_line(*COMMANDS.get(verb, (verb,)), *hosts, *_required(verb, context))

    return command


def _rollback_line(hosts: tuple[str, ...], generation: int) -> str:
    if len(hosts) == 1:
        return pvenix_line("rollback", hosts[0], "--to", str(generation or "N"))
    return pvenix_line("rollback", *(f"{host}=N" for host in hosts))


def _required(verb: str, context: Context) -> tuple[str, ...]:
    words: list[str] = []
    for key, arg in VERBS[verb].args.items():
        if key == "confirm" and context.hosts:
            words += ["--confirm", context.hosts[0]]
        elif key == "number":
            words += [str(context.generation or "N")]
        elif arg.required and key != "confirm":
            words += [f"--{key}", _PLACEHOLDERS.get(verb, key.upper())]
    return tuple(words)


_PLACEHOLDERS: Final = {"restore": "SNAPSHOT", "delete-snapshot": "SNAPSHOT", "migrate": "NODE"}
VERB_ACTIONS: Final = tuple(
    Action(
        id=f"verb.{verb}",
        key="",
        label=verb,
        help=VERBS[verb].help,
        scopes=("verbs",),
        danger=VERBS[verb].danger,
        disabled_reason=verb_reason(verb),
        command=verb_command(verb),
        group=group,
    )
    for group, verbs in LIFE.items()
    for verb in verbs
)
