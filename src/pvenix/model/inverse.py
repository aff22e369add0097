"""How what was done is undone: for every verb and every decision the way back, or why there is none and what helps then."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pvenix.model.act import Act
from pvenix.model.outcome import Status
from pvenix.model.plan import ArgValue
from pvenix.model.spelling import verb_words
from pvenix.model.verbs import VERBS


class Way(StrEnum):
    """By what a deed is taken back."""

    VERB = "verb"
    """Another verb on the same hosts."""
    BEFORE = "before"
    """A rollback to what the hosts ran before the run."""
    REVERT = "revert"
    """A commit of the main branch taken back."""
    REVIEW = "review"
    """The other decision about the same commit."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inverse:
    """What is known of a verb's or a decision's way back before it was ever done."""

    way: Way
    verb: str = ""
    """With `VERB` the verb, with `REVIEW` the decision."""
    takes: Mapping[str, str] = field(default_factory=dict)
    """The arguments of that verb, each with the name under which the run's journal has its value."""
    why: str = ""
    """With `NONE`: why there is no way back."""
    helps: str = ""
    """With `NONE`: what helps all the same; HOST stands for the host."""


def _verb(verb: str, **takes: str) -> Inverse:
    return Inverse(way=Way.VERB, verb=verb, takes=takes)


def _none(why: str, helps: str = "") -> Inverse:
    return Inverse(way=Way.NONE, why=why, helps=helps)


_BEFORE: Final = Inverse(way=Way.BEFORE)
_REVERT: Final = Inverse(way=Way.REVERT)
_READ: Final = _none("it only looked: nothing was changed")
_BOOTED: Final = _none("a boot that is over cannot be taken back", "pvenix status HOST says what it runs now")
_DESTROYED: Final = _none(
    "the VM and its disks are gone", "restore a backup at Proxmox, then pvenix adopt; or pvenix reprovision HOST"
)
_DECLARED: Final = _none(
    "it brought the VM to what the inventory declares, and what was there before is not kept",
    "take the inventory's change back (pvenix revert COMMIT), and do it again",
)
_OWN_CHECKOUT: Final = _none("it changed files of a checkout and committed nothing", "git restore inventory/ there")

INVERSE: Final[Mapping[str, Inverse]] = MappingProxyType({
    "place": _READ,
    "clone": _verb("destroy"),
    "create": _verb("destroy"),
    "adopt": _none("the VM is as it was, but for our marker", "take the marker out of its notes at Proxmox"),
    "cloudinit": _DECLARED,
    "boot": _verb("shutdown"),
    "configure": _DECLARED,
    "hardware": _READ,
    "register": _verb("unregister"),
    "adopt-edits": _none("it only proposed: the host and main are as they were", "delete its branch"),
    "unregister": _verb("register"),
    "review": _REVERT,
    "preflight": _READ,
    "build": _none("it only built: no host runs it", "pvenix generations gc HOST deletes what nothing needs"),
    "rebuild": _BEFORE,
    "rollback": _BEFORE,
    "pin-generation": _verb("unpin-generation", number="number"),
    "unpin-generation": _verb("pin-generation", number="number"),
    "prune-generations": _none(
        "what was let go is in the host's list no more", "pvenix rebuild HOST at an earlier commit builds it anew"
    ),
    "collect-garbage": _none("what nothing needed was deleted", "it is built or fetched anew when something needs it"),
    "destroy": _DESTROYED,
    "retire": _DESTROYED,
    "remove-orphan": _none("the VM and its disks are gone", "restore a backup at Proxmox, if there is one"),
    "start": _verb("shutdown"),
    "shutdown": _verb("start"),
    "stop": _verb("start"),
    "reboot": _BOOTED,
    "reset": _BOOTED,
    "snapshot": _verb("delete-snapshot", name="snapshot"),
    "restore": _none(
        "what was written after the snapshot is gone", "restore a backup at Proxmox that was made in between"
    ),
    "delete-snapshot": _none("what it held is gone", "pvenix snapshot HOST keeps what is there now"),
    "migrate": _verb("migrate", to="came_from"),
    "backup": _none("it changed nothing of the host", "delete the backup at Proxmox when it is in the way"),
    "template-build": _none("it made a template beside the old one", "the fleet goes on with the old one until a merge"),
    "template-canary": _none("its clones were destroyed at its end"),
    "template-publish": _none("it only proposed: nothing uses the new template", "delete its branch"),
    Act.APPROVE: Inverse(way=Way.REVIEW, verb=Act.REJECT),
    Act.REJECT: Inverse(way=Way.REVIEW, verb=Act.APPROVE),
    Act.EDIT_BRANCH: _none("the branch has one commit more, and main is as it was", "edit it again, or reject it"),
    Act.MERGE: _REVERT,
    Act.PROPOSE_REVERT: _none("it only proposed: main is as it was", "delete its branch"),
    Act.REVERT: _REVERT,
    Act.APPROVE_CHANGE: _none("the run went on with it", "undo what the run did"),
    Act.REJECT_CHANGE: _none("the run ended without it", "another run asks anew"),
    Act.ALLOW_NOW: _none("it held for that run only"),
    Act.ABANDON: _none("nobody goes on with an abandoned run", "start what it was to do anew"),
    Act.ACCEPT_DRIFT: _none("it only proposed: the inventory is as it was until a merge", "delete its branch"),
    Act.ADD_HOST: _OWN_CHECKOUT,
    Act.EDIT_HOST: _OWN_CHECKOUT,
})  # fmt: skip
"""Every verb and every decision; a test holds it complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What one run, or one person, did to hosts by one verb, all with the same values."""

    verb: str
    hosts: tuple[str, ...]
    run: str = ""
    commit: str = ""
    """What main moved to, or what was decided about."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Arguments, evidence and facts of the step, as its journal has them."""
    outcome: str = Status.CHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The way back of one deed."""

    way: Way
    hosts: tuple[str, ...] = ()
    verb: str = ""
    args: Mapping[str, ArgValue] = field(default_factory=dict)
    run: str = ""
    """With `BEFORE`: the run before which the hosts are brought back."""
    commit: str = ""
    """With `REVERT` the commit that is taken back, or `A..B` for all after A up to B; with `REVIEW` the one decided about."""
    why: str = ""
    helps: str = ""

    @property
    def possible(self) -> bool:
        """Whether there is a way back."""
        return self.way is not Way.NONE

    @property
    def short(self) -> str:
        """In the width of a column: what undoes it, or a dash."""
        match self.way:
            case Way.BEFORE:
                return "rollback"
            case Way.REVERT:
                return f"revert {self.commit.rpartition('..')[2][:7]}"
            case Way.NONE:
                return "-"
            case _:
                return self.verb

    @property
    def words(self) -> tuple[str, ...]:
        """The `pvenix` command that does it, word by word; empty when there is none."""
        match self.way:
            case Way.VERB:
                return ("pvenix", *verb_words(self.verb, self.hosts, self.args))
            case Way.BEFORE:
                return ("pvenix", "rollback", *self.hosts, "--before", self.run)
            case Way.REVERT:
                return ("pvenix", "revert", self.commit)
            case Way.REVIEW:
                why = ("-m", "taken back") if self.verb == Act.REJECT else ()
                return ("pvenix", "review", self.verb, self.hosts[0], self.commit, *why)
            case Way.NONE:
                return ()

    @property
    def told(self) -> str:
        """In a line: the command, or why there is none and what helps."""
        if self.possible:
            return shlex.join(self.words)
        return f"cannot be undone: {self.why}" + (f"; {self.helps}" if self.helps else "")


def undo_of(deed: Deed) -> Undo:
    """The way back of a deed; when a value that it needs was not kept, why there is none."""
    found = INVERSE.get(deed.verb)
    if found is None:
        return _no("this version of pvenix does not know it")
    if (unfinished := _not_done(deed)) is not None:
        return unfinished
    match found.way:
        case Way.VERB:
            return _by_verb(found, deed)
        case Way.BEFORE if deed.run:
            return Undo(way=Way.BEFORE, hosts=deed.hosts, verb="rollback", run=deed.run)
        case Way.REVERT if deed.commit:
            return Undo(way=Way.REVERT, hosts=deed.hosts, commit=deed.commit)
        case Way.REVIEW if deed.commit:
            return Undo(way=Way.REVIEW, hosts=deed.hosts[:1], verb=found.verb, commit=deed.commit)
        case Way.NONE:
            return _no(found.why, found.helps.replace("HOST", deed.hosts[0] if len(deed.hosts) == 1 else "HOST"))
        case _:
            return _no("the record does not say which commit it was", "git log --oneline")


def undos_of(deeds: Sequence[Deed]) -> tuple[Undo, ...]:
    """The ways back of what one run did, its deeds in their order: what is done last is undone first.

    A run that made a host's VM is undone by its end: what was done to the VM goes with it.
    """
    made = {host for deed in deeds if deed.verb in _MAKING and deed.outcome in _DONE for host in deed.hosts}
    merged = {host for deed in deeds if deed.verb in _JOINING and deed.outcome in _DONE for host in deed.hosts}
    end = "retire" if made & merged else "destroy"
    undos = [_by_verb(Inverse(way=Way.VERB, verb=end), Deed(verb=end, hosts=(host,))) for host in sorted(made)]
    for deed in reversed(deeds):
        hosts = tuple(host for host in deed.hosts if host not in made)
        if not hosts and deed.hosts:
            continue
        undos.append(undo_of(Deed(verb=deed.verb, hosts=hosts, run=deed.run, commit=deed.commit, known=deed.known,
                                  outcome=deed.outcome)))  # fmt: skip
    return tuple(_once(undos))


_DONE: Final = (Status.CHANGED, Status.OK)
"""Ends of what was done; the log has a step that ended `ok` only where an earlier process of its run had begun it."""
_MAKING: Final = ("clone", "create")
_JOINING: Final = ("register", "review")


def _once(undos: Sequence[Undo]) -> list[Undo]:
    """Each way once: the rebuild and the rollback of one run are both undone by what the hosts ran before it."""
    kept: list[Undo] = []
    for undo in undos:
        same = next((each for each in kept if each.way is Way.BEFORE and undo.way is Way.BEFORE), None)
        if same is not None:
            hosts = tuple(dict.fromkeys((*same.hosts, *undo.hosts)))
            kept[kept.index(same)] = Undo(way=Way.BEFORE, hosts=hosts, verb="rollback", run=same.run)
        elif undo not in kept:
            kept.append(undo)
    return kept


def _not_done(deed: Deed) -> Undo | None:
    """Why there is nothing to undo, or not yet; None when the deed was done."""
    if deed.outcome in _DONE:
        return None
    if deed.outcome == Status.ROLLED_BACK:
        return _no("it went back by itself")
    if deed.outcome == Status.SKIPPED:
        return _no("it was left out: nothing was done")
    resume = f"pvenix resume {deed.run} goes on with it" if deed.run else "do it again"
    return _no(f"it did not come to its end ({deed.outcome})", resume)


def _by_verb(found: Inverse, deed: Deed) -> Undo:
    args: dict[str, ArgValue] = {}
    spec = VERBS[found.verb]
    for name, source in found.takes.items():
        value = deed.known.get(source, "")
        if not value:
            return _no(f"the record does not say the {name} that {found.verb} needs")
        args[name] = int(value) if spec.args[name].type is int else value
    if "confirm" in spec.args:
        if len(deed.hosts) != 1:
            return _no(f"{found.verb} takes one host at a time", f"pvenix {found.verb} HOST")
        args["confirm"] = deed.hosts[0]
    return Undo(way=Way.VERB, hosts=deed.hosts, verb=found.verb, args=args)


def _no(why: str, helps: str = "") -> Undo:
    return Undo(way=Way.NONE, why=why, helps=helps)
