"""The rows of known failures (F), traps (T) and of the fault matrix (R), and the fault that shows each.

A row's id is a name for its fault: arming F05 arms `vm-locked`. A row without a fault is either what the site does all
the time, or happens on the client's side, where a site can show nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pvenix_lab.site.armed.fault import Spec
from pvenix_lab.site.armed.spec import Value, nearest
from pvenix_lab.site.faults.catalogue import CATALOGUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row. `fault` is empty where none is needed or possible, and `note` says why."""

    what: str
    fault: str = ""
    args: Mapping[str, Value] = field(default_factory=dict)
    note: str = ""
    always: bool = False
    """The site behaves so without any fault."""


def _always(what: str, note: str) -> Row:
    return Row(what=what, note=note, always=True)


def _client(what: str, note: str) -> Row:
    return Row(what=what, note=note)


def _row(what: str, fault: str, /, **args: Value) -> Row:
    return Row(what=what, fault=fault, args=MappingProxyType(args))


_LOCK_TEXT = "cfs-lock 'storage-tanka1' error: got lock request timeout"
"""PVE::Cluster cfs_lock; a clone's task puts `clone failed: ` before it."""

ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "F01": _row("two creators get the same next id", "id-taken", when="at-once"),
        "F02": _row("a retry takes a stranger's VM for its own", "id-taken", when="answer-lost"),
        "F03": _row("a VM id is recycled outside the tool", "vmid-recycled"),
        "F04": _row("storage lock time-out with several clones", "clone-fails-in-task", message=_LOCK_TEXT),
        "F05": _row("`VM is locked` on a write", "vm-locked"),
        "F06": _row("re-created while the destroy still runs", "task-slow", type="qmdestroy", seconds=5.0),
        "F07": _row("a time-out shorter than the clone", "clone-slow"),
        "F08": _row("a task ends with warnings", "task-warns"),
        "F09": _row("a status poll returns 599", "pve-status", status=599, method="GET", path="/status"),
        "F10": _row("polled on the wrong node: no such task", "task-elsewhere"),
        "F11": _row("one node down breaks the lists", "node-down"),
        "F12": _row("596 `certificate verify failed` for a node", "node-certificate-wrong"),
        "F13": _row("self-signed certificate", "tls", certificate="self-signed"),
        "F14": _row("the login dies", "token-revoked"),
        "F15": _always(
            "encoding of sshkeys", "text that is not percent-encoded is refused with 400, a bogus key with 500"
        ),
        "F16": _row("the agent never comes up", "agent-absent"),
        "F17": _row("the first address is not the guest's own", "agent-answers", show="link-local"),
        "F18": _row("the agent answers before the reboot", "guest-reboots"),
        "F19": _row("cloud-init values changed, drive not regenerated", "cloudinit-stale"),
        "F20": _row("the cloud-init drive is not seen", "template-without-drive"),
        "F21": _row("masked values written back", "config-edited", key="cipassword", value="$5$lab$set.by.somebody"),
        "F22": _row("the wanted disk is smaller than the template's", "template-larger"),
        "F23": _row("a resize times out or is not done", "task-ignored", type="resize"),
        "F24": _row("the template is elsewhere, on local storage", "template-elsewhere"),
        "F25": _row("the configuration is missing for a moment", "config-missing"),
        "F26": _row("HA or a person moved the VM", "vm-moved"),
        "F27": _row("HA blocks stop and destroy", "ha-managed"),
        "F28": _row("permission gaps, lists silently filtered", "rights-lost"),
        "F29": _always("root-only options with a token", "`args`, `lock` and their like are refused to every token"),
        "F30": _always("snippets cannot be uploaded", "no call takes them, and a missing file is refused but stored"),
        "F31": _row("clones share machine id and host keys", "template-has-identity"),
        "F32": _row("a crash leaves a VM", "clone-slow"),
        "F33": _row("orphan volumes block an id", "orphan-volume"),
        "F34": _row("purge edits backup jobs", "backup-job"),
        "F35": _row("a freeze hangs", "task-hangs", type="qmsnapshot"),
        "F36": _row("a rollback is blocked by a newer snapshot", "snapshot-by-hand"),
        "F37": _row("a clone is wiped by defaults", "config-edited"),
        "F38": _row("an upload fails", "upload-fails"),
        "F39": _always("hot-plug or reboot", "memory and cores of a running VM go to `pending`"),
        "F40": _row("VMs herd on one node before usage shows", "usage-stale"),
        "F41": _row("a clone makes no progress", "clone-slow", seconds=86400.0),
        "F42": _row("the guest's name is wrong", "hostname-wrong"),
        "F43": _row("no quorum", "no-quorum"),
        "T1": _row("a dead connection looks like a normal end", "ssh-cut"),
        "T2": _row("work dies with its channel", "ssh-cut-during-activation"),
        "T3": _row("control sequences reach the terminal", "hostile-output"),
        "T4": _row("a name is executable markup", "hostile-names", where="vm"),
        "T5": _row("a name breaks the markup's parser", "hostile-branch", what="subject"),
        "T6": _row("a name leads the request elsewhere", "hostile-names", where="node"),
        "T7": _row("a page is taken for data, a redirect followed", "pve-html"),
        "T8": _row("five seconds are the default time-out", "pve-stall", seconds=6.0),
        "T9": _client("the user's ssh_config is read", "what a client reads on its own machine"),
        "T10": _row("the jump host is not verified", "host-key-changed"),
        "T11": _row("a branch's name is an option", "hostile-branch", what="ref"),
        "T12": _row("YAML that explodes", "hostile-branch", what="bomb"),
        "T13": _client("an audit that cannot run passes", "a tool of the continuous integration"),
        "T14": _row("remote work goes on when the controller dies", "activation-slow"),
        "T15": _client("no keyring on a headless machine", "a library on the client's machine"),
        "T16": _client("a service that installs from the network at start", "a text in the fleet, found by reading it"),
        "T17": _row("a listener that never answers", "ssh-silent"),
        "R2": _row("the network is cut", "ssh-cut"),
        "R3": _row("the API answers with errors and nonsense", "pve-status", status=503),
        "R4": _row("the agent is absent, hung or talks nonsense", "agent-hung"),
        "R5": _row("a push comes second or is refused", "push-race"),
        "R6": _row("a disk is full", "disk-full"),
        "R8": _row("control sequences at every border", "hostile-output"),
        "R9": _row("hostile names", "hostile-names", where="vm"),
        "R10": _row("the host key changed", "host-key-changed"),
        "R11": _row("a certificate that is not to be trusted", "tls", certificate="expired"),
    }
)


def resolve(name: str, given: Mapping[str, object]) -> tuple[Spec, dict[str, object]]:
    """The fault of a name or a row's id, and its arguments; those that were given beat the row's.

    Raises:
        ValueError: no such name (the text names the nearest), or a row that needs no fault or can have none.
    """
    row = ROWS.get(name.upper())
    if row is None:
        if name not in CATALOGUE:
            near = nearest(name, (*CATALOGUE, *ROWS)) or f", there are {', '.join(CATALOGUE)}"
            raise ValueError(f"unknown fault {name!r}{near}")
        return CATALOGUE[name], dict(given)
    if not row.fault:
        why = "needs no arming" if row.always else "cannot be shown by a site"
        raise ValueError(f"{name.upper()} ({row.what}) {why}: {row.note}")
    return CATALOGUE[row.fault], {**row.args, **given}
