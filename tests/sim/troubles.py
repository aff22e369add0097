"""What may befall a simulated run: every fault of the lab's catalogue that ends, and what only a simulation can do."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pvenix_lab.site.faults import CATALOGUE, Kind

Args = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Strike:
    """One fault: when, which, for whom. Of occasions the `nth` is struck; a state ends after `lasts_s`."""

    call: int = 0
    on: str = ""
    """Instead of a number: the first call whose name contains this."""
    name: str
    host: str = ""
    args: Args = field(default_factory=dict)
    lasts_s: float = 40.0
    nth: int = 1


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A kind of strike: to which acts it comes, how often beside the others, and with which arguments."""

    name: str
    args: Callable[[random.Random], Args] = lambda _: {}
    acts: tuple[str, ...] = ("onboard", "rebuild", "rollback", "retire", "create", "resize")
    weight: int = 2


def _call(*methods: str, path: str = "", **more: Callable[[random.Random], object]) -> Callable[[random.Random], Args]:
    """Arguments that aim at a call of the API."""
    return lambda rng: {
        "method": rng.choice(methods or ("GET", "POST", "PUT", "DELETE", "")),
        "path": path,
        **{name: value(rng) for name, value in more.items()},
    }


def _one_of(**values: tuple[object, ...]) -> Callable[[random.Random], Args]:
    return lambda rng: {name: rng.choice(each) for name, each in values.items()}


def _effect(rng: random.Random) -> bool:
    return rng.random() < 0.6


NEW: Final = ("onboard", "create")
TASKS: Final = ("onboard", "create", "resize", "retire")
SWITCHING: Final = ("onboard", "rebuild", "rollback")
TROUBLES: Final = (
    # what somebody or something outside does; see `Play._strike`
    Trouble(name="repository-away", weight=4),
    Trouble(name="main-moves", weight=4),
    Trouble(name="git-race", acts=("onboard", "retire"), weight=4),
    Trouble(name="git-refused", acts=("onboard", "retire")),
    Trouble(name="git-cut", args=_one_of(after=(True, False)), acts=("onboard", "retire"), weight=4),
    Trouble(name="edit", acts=SWITCHING, weight=4),
    # the guest and its SSH
    Trouble(name="ssh-drop", weight=4),
    Trouble(name="ssh-cut", args=_one_of(how=("reset", "silent", "half-open", "killed", "channel"), effect=(True, False)), weight=8),
    Trouble(name="ssh-cut-during-activation", acts=SWITCHING, weight=4),
    Trouble(name="ssh-refused"),
    Trouble(name="ssh-silent"),
    Trouble(name="host-key-changed"),
    Trouble(name="port-closed-by-new-system", acts=SWITCHING, weight=4),
    Trouble(name="guest-reboots", weight=6),
    Trouble(name="command-hangs"),
    Trouble(name="disk-full"),
    Trouble(name="hostname-wrong"),
    Trouble(name="hostile-output"),
    Trouble(name="output-flood", args=lambda _: {"mib": 0.2}, weight=1),
    Trouble(name="output-long-line", args=lambda _: {"mib": 0.2}, weight=1),
    # the build and the activation
    Trouble(name="build-fails", acts=SWITCHING, weight=3),
    Trouble(name="eval-fails", acts=SWITCHING, weight=3),
    Trouble(name="activation-slow", args=_one_of(seconds=(5.0, 60.0, 110.0, 119.0, 130.0, 200.0)), acts=SWITCHING, weight=5),
    Trouble(name="activation-hangs", acts=SWITCHING, weight=4),
    Trouble(name="activation-script-fails", acts=SWITCHING),
    Trouble(name="daemon-reload-fails", acts=SWITCHING),
    Trouble(name="unit-fails", acts=SWITCHING, weight=4),
    Trouble(name="init-changed", acts=SWITCHING),
    Trouble(name="switch-inhibited", acts=SWITCHING),
    Trouble(name="bootloader-fails", acts=SWITCHING),
    Trouble(name="activation-killed", acts=SWITCHING, weight=4),
    Trouble(name="switch-locked", acts=SWITCHING),
    Trouble(name="switch-lock-taken", acts=SWITCHING, weight=3),
    Trouble(name="little-space", args=_one_of(where=("/nix/store", "/boot")), acts=SWITCHING),
    Trouble(name="clock-wrong", args=_one_of(seconds=(30.0, 3600.0)), acts=SWITCHING),
    # the API: whole calls
    Trouble(name="pve-596", args=_call("GET", "POST", "PUT", "DELETE", effect=_effect), weight=5),
    Trouble(name="pve-596", args=_call("POST", path="clone", effect=_effect), acts=NEW, weight=6),
    Trouble(name="pve-596", args=_call("POST", path="start", effect=_effect), acts=NEW, weight=4),
    Trouble(name="pve-596", args=_call("PUT", path="config", effect=_effect), acts=(*NEW, "resize"), weight=4),
    Trouble(name="pve-596", args=_call("PUT", path="resize", effect=_effect), acts=("create", "resize"), weight=12),
    Trouble(name="pve-596", args=_call("DELETE", effect=_effect), acts=("retire",), weight=12),
    Trouble(name="pve-596", args=_call("POST", path="stop", effect=_effect), acts=("retire",), weight=12),
    Trouble(name="pve-500", args=_call(), weight=3),
    Trouble(name="pve-status", args=_call(status=lambda rng: rng.choice((501, 503, 595, 597, 599)), effect=_effect), weight=4),
    Trouble(name="pve-html", args=_call(effect=_effect)),
    Trouble(name="pve-redirect", args=_call(effect=_effect)),
    Trouble(name="pve-truncated", args=_call(effect=_effect)),
    Trouble(name="pve-reset", args=_call(effect=_effect), weight=4),
    Trouble(name="pve-wrong-types", args=_call(effect=_effect)),
    Trouble(name="pve-stall", args=_call(), weight=2),
    Trouble(name="config-missing"),
    Trouble(name="tls", args=_one_of(certificate=("self-signed", "other-ca")), weight=1),
    Trouble(name="token-revoked"),
    Trouble(name="node-certificate-wrong"),
    Trouble(name="node-down", args=_one_of(node=("tappaas1", "tappaas2"))),
    Trouble(name="no-quorum"),
    Trouble(name="rights-lost", args=_one_of(privilege=("VM.Audit", "VM.Clone", "VM.PowerMgmt", "VM.Config.Options"))),
    Trouble(name="usage-stale"),
    Trouble(name="hostile-names", args=_one_of(where=("vm", "node", "notes", "upid", "log"))),
    # the API: tasks and VMs
    Trouble(name="clone-fails-in-task", args=lambda _: {"message": "clone failed: storage is busy"}, acts=NEW, weight=5),
    Trouble(name="clone-slow", args=_one_of(seconds=(20.0, 300.0)), acts=NEW, weight=4),
    Trouble(name="id-taken", args=_one_of(when=("at-once", "in-task", "answer-lost")), acts=NEW, weight=5),
    Trouble(name="orphan-volume", args=_one_of(vmid=(200, 210, 220, 399)), acts=NEW),
    Trouble(name="template-larger", acts=("onboard",), weight=4),
    Trouble(name="template-elsewhere", acts=NEW),
    Trouble(name="cloudinit-stale", acts=NEW),
    Trouble(name="task-fails", args=_one_of(effect=(True, False)), acts=TASKS, weight=4),
    Trouble(name="task-warns", acts=TASKS),
    Trouble(name="task-slow", args=_one_of(seconds=(5.0, 100.0)), acts=TASKS),
    Trouble(name="task-ignored", acts=TASKS),
    Trouble(name="task-vanishes", acts=TASKS, weight=3),
    Trouble(name="task-elsewhere", acts=TASKS),
    Trouble(name="ha-managed", acts=("retire",), weight=6),
    Trouble(name="vm-locked", args=_one_of(lock=("backup", "snapshot", "migrate"), alive=(True, False)), weight=3),
    Trouble(name="vm-moved", weight=3),
    Trouble(name="config-edited"),
    Trouble(name="snapshot-by-hand"),
    Trouble(name="backup-job", acts=("retire",)),
    # the guest agent
    Trouble(name="agent-absent", weight=4),
    Trouble(name="agent-hung", weight=3),
    Trouble(name="agent-answers", args=_one_of(show=("link-local", "docker-first", "ipv6-only", "no-addresses", "wrong-types", "hostile")), weight=3),
)  # fmt: skip
LEFT_OUT: Final = {
    "network-changed-by-new-system": "a host that nobody reaches any more is played as port-closed-by-new-system",
    "new-system-does-not-boot": "the host stays down until a person takes an older generation at its console",
    "task-hangs": "the VM stays locked until a person ends the task",
    "freeze-hangs": "no run here takes a snapshot",
    "container-there": "an id that is taken is one of id-taken's; which ids hosts may have is fixed by the inventory",
    "upload-fails": "no run uploads anything",
    "vmid-recycled": "the host's VM is gone: no run brings it back",
    "template-without-drive": "a clone of such a template is for a person to throw away",
    "template-has-identity": "as above",
    "push-race": "strikes a real git; here it is git-race",
    "push-refused": "as above: git-refused",
    "repository-full": "as above: git-refused",
    "hostile-branch": "as above; nothing here reads foreign branches",
}


def befalling(rng: random.Random, kind: str, hosts: tuple[str, ...], span: int) -> Strike:
    """A strike for an act of `kind` that makes about `span` calls."""
    fitting = [trouble for trouble in TROUBLES if kind in trouble.acts]
    [trouble] = rng.choices(fitting, [trouble.weight for trouble in fitting])
    occasion = trouble.name in CATALOGUE and CATALOGUE[trouble.name].kind is Kind.OCCASION
    return Strike(
        call=1 if occasion and rng.random() < 0.7 else rng.randint(1, span // 2),
        name=trouble.name,
        host=rng.choice(hosts),
        args=trouble.args(rng),
        lasts_s=rng.choice((5.0, 40.0, 400.0)),
        nth=rng.choice((1, 1, 1, 2, 3, 6, 12)) if occasion else 1,
    )
