"""What an onboarding has made so far, from its journal: in words, with the verbs that take it back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pvenix.engine.ports import Entry
from pvenix.model.names import registration_branch
from pvenix.model.outcome import Status
from pvenix.model.sofar import SoFar

_MAKING = ("clone", "create")


def so_far(entries: Iterable[Entry], host: str) -> SoFar:
    """What the steps of `host` have left behind, by what they intended, showed and ended with."""
    known: dict[str, dict[str, str]] = defaultdict(dict)
    ends: dict[str, Status] = {}
    begun: set[str] = set()
    facts: dict[str, str] = {}
    for row in entries:
        if row.host != host:
            continue
        verb = row.step.rpartition(".")[2]
        if row.what == "result":
            ends[verb] = Status(row.data["status"])
            facts |= {key[5:]: value for key, value in row.data.items() if key.startswith("fact.")}
        else:
            known[verb] |= row.data
            begun |= {verb} if row.what == "intent" else set()
    merged = ends.get("review") in (Status.OK, Status.CHANGED)
    pushed = "register" in begun or ends.get("register") is Status.OK
    vm = _vm(known, ends, begun, facts)
    branch = registration_branch(host)
    git = [] if merged else [f"delete the branch {branch}"] if pushed else []
    lines = [*git, *vm, *(_reached(facts, ends) if vm else ())]
    stays = [] if pushed else ["nothing is pushed to Git yet"]
    if merged:
        stays.append(f"main keeps its files; a branch retire/{host} proposes that it is absent")
    else:
        stays.append("the inventory of this checkout keeps its line")
    verbs = ("retire",) if merged else (*(("unregister",) if pushed else ()), *(("destroy",) if vm else ()))
    return SoFar(lines=tuple(lines), verbs=verbs, stays=tuple(stays))


_TAKING_BACK = frozenset({"destroy", "retire"})


def taken_back(entries: Iterable[Entry], host: str) -> bool:
    """True when the journal of a later run says that the VM of `host` is gone."""
    ends = {
        row.step.rpartition(".")[2]: row.data["status"] for row in entries if row.host == host and row.what == "result"
    }
    return any(Status(status).goes_on for verb, status in ends.items() if verb in _TAKING_BACK)


def _vm(
    known: dict[str, dict[str, str]], ends: dict[str, Status], begun: set[str], facts: dict[str, str]
) -> tuple[str, ...]:
    """The VM that was made, or was there: empty when none is known of."""
    making = next((verb for verb in _MAKING if verb in begun), "")
    vmid = known[making].get("vmid", "") if making else ""
    if making and vmid:
        node = known[making].get("node", "") or facts.get("node", "")
        whole = making in ends and ends[making].goes_on
        return (f"stop and destroy VM {vmid} on {node}" + ("" if whole else ", which may be half made"),)
    found = any(ends.get(verb) is Status.OK for verb in _MAKING) and facts.get("vmid")
    return (f"stop and destroy VM {facts['vmid']} on {facts.get('node', '')}, which was there before",) if found else ()


def _reached(facts: dict[str, str], ends: dict[str, Status]) -> tuple[str, ...]:
    """What goes with the VM."""
    booted = ends.get("boot") in (Status.OK, Status.CHANGED)
    address = (f"release the address {facts['address']}",) if facts.get("address") else ()
    return (*address, *(("forget its pinned host key",) if booted else ()))
