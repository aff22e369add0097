"""The verbs of a host's life: what a playbook, the command line and the TUI may ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Danger(StrEnum):
    """How far a verb reaches, and so how it is confirmed."""

    READ = "read"
    """Changes nothing outside this machine."""
    REVERSIBLE = "reversible"
    REBOOTS = "reboots"
    DESTROYS = "destroys"


class Kind(StrEnum):
    """What a verb occupies while it works; one semaphore each."""

    PVE = "pve"
    CLONE = "clone"
    SSH = "ssh"
    BUILD = "build"
    GIT = "git"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """One argument of a verb."""

    type: type[bool | int | str]
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbSpec:
    """What is known of a verb without running it."""

    name: str
    help: str
    danger: Danger
    kind: Kind
    timeout_s: float
    """The most that one host may take, in seconds."""
    args: dict[str, Arg] = field(default_factory=dict)


VERBS: dict[str, VerbSpec] = {
    spec.name: spec
    for spec in (
        VerbSpec(name="place", help="choose node, storage and VM id", danger=Danger.READ, kind=Kind.PVE, timeout_s=60),
        VerbSpec(
            name="clone",
            help="clone the template and mark the VM as ours",
            danger=Danger.REVERSIBLE,
            kind=Kind.CLONE,
            timeout_s=1800,
            args={"full": Arg(type=bool, help="copy the disks instead of linking them to the template")},
        ),
        VerbSpec(
            name="create",
            help="make an empty VM that installs from an ISO image",
            danger=Danger.REVERSIBLE,
            kind=Kind.CLONE,
            timeout_s=3600,
        ),
        VerbSpec(
            name="cloudinit",
            help="write user, keys, address and DNS to the cloud-init drive",
            danger=Danger.REVERSIBLE,
            kind=Kind.PVE,
            timeout_s=120,
        ),
        VerbSpec(
            name="boot",
            help="start the VM, pin its host key, wait for SSH",
            danger=Danger.REVERSIBLE,
            kind=Kind.PVE,
            timeout_s=1800,
        ),
        VerbSpec(
            name="configure",
            help="bring an existing VM to what the inventory declares",
            danger=Danger.REBOOTS,
            kind=Kind.PVE,
            timeout_s=7200,
            args={
                "reboot": Arg(type=bool, help="reboot once where a change needs it, whatever update.reboot says"),
                "offline": Arg(type=bool, help="shut the VM down for what only a VM that is off takes, and start it"),
            },
        ),
        VerbSpec(
            name="hardware",
            help="generate the hardware configuration on the guest",
            danger=Danger.READ,
            kind=Kind.SSH,
            timeout_s=120,
        ),
        VerbSpec(
            name="register",
            help="commit and push the registration branch",
            danger=Danger.REVERSIBLE,
            kind=Kind.GIT,
            timeout_s=180,
        ),
        VerbSpec(
            name="review",
            help="check the registration branch and merge the approved commit",
            danger=Danger.REVERSIBLE,
            kind=Kind.GIT,
            timeout_s=300,
            args={
                "approve": Arg(type=bool, help="approve the commit under review when every check passes"),
                "comment": Arg(type=str, help="kept with the approval"),
            },
        ),
        VerbSpec(
            name="preflight",
            help="look whether a build and an activation can go well",
            danger=Danger.READ,
            kind=Kind.SSH,
            timeout_s=180,
        ),
        VerbSpec(
            name="build",
            help="build the system on the guest and show the closure diff",
            danger=Danger.READ,
            kind=Kind.BUILD,
            timeout_s=7200,
        ),
        VerbSpec(
            name="rebuild",
            help="build, activate, confirm anew, or go back",
            danger=Danger.REVERSIBLE,
            kind=Kind.BUILD,
            timeout_s=7200,
        ),
        VerbSpec(
            name="rollback",
            help="activate an earlier generation",
            danger=Danger.REVERSIBLE,
            kind=Kind.SSH,
            timeout_s=1800,
            args={"to": Arg(type=int, help="the generation's number", required=True)},
        ),
        VerbSpec(
            name="pin-generation",
            help="keep a generation from being let go or collected",
            danger=Danger.REVERSIBLE,
            kind=Kind.SSH,
            timeout_s=300,
            args={
                "number": Arg(type=int, help="the generation's number", required=True),
                "reason": Arg(type=str, help="why, for whoever sees the pin"),
            },
        ),
        VerbSpec(
            name="unpin-generation",
            help="take the pin of a generation away",
            danger=Danger.REVERSIBLE,
            kind=Kind.SSH,
            timeout_s=300,
            args={"number": Arg(type=int, help="the generation's number", required=True)},
        ),
        VerbSpec(
            name="prune-generations",
            help="let old generations go, as the inventory says",
            danger=Danger.REVERSIBLE,
            kind=Kind.SSH,
            timeout_s=1800,
            args={
                "keep": Arg(type=int, help="how many of the newest stay, whatever the inventory says"),
                "older_than": Arg(type=str, help="how long one must be out of use, such as 30d"),
            },
        ),
        VerbSpec(
            name="collect-garbage",
            help="delete the store paths that nothing needs",
            danger=Danger.REVERSIBLE,
            kind=Kind.SSH,
            timeout_s=7200,
        ),
        VerbSpec(
            name="template-build",
            help="build a new template on the host's VM",
            danger=Danger.REVERSIBLE,
            kind=Kind.BUILD,
            timeout_s=9000,
        ),
        VerbSpec(
            name="template-canary",
            help="prove the new template by two clones",
            danger=Danger.REVERSIBLE,
            kind=Kind.CLONE,
            timeout_s=7200,
        ),
        VerbSpec(
            name="template-publish",
            help="propose the new template on a branch",
            danger=Danger.REVERSIBLE,
            kind=Kind.GIT,
            timeout_s=180,
        ),
        VerbSpec(
            name="destroy",
            help="destroy the VM, and keep the host in the inventory",
            danger=Danger.DESTROYS,
            kind=Kind.PVE,
            timeout_s=7200,
            args={"confirm": Arg(type=str, help="the host's name, typed", required=True)},
        ),
        VerbSpec(
            name="start", help="start the VM and see it run", danger=Danger.REVERSIBLE, kind=Kind.PVE, timeout_s=900
        ),
        VerbSpec(
            name="shutdown",
            help="ask the guest to go down, and see that it is off",
            danger=Danger.REBOOTS,
            kind=Kind.PVE,
            timeout_s=1800,
            args={
                "grace": Arg(type=int, help="seconds that the guest may take, 120 unless said otherwise"),
                "force": Arg(type=bool, help="cut the power of a guest that does not go down in time"),
            },
        ),
        VerbSpec(
            name="stop",
            help="cut the VM's power; unwritten data is lost",
            danger=Danger.REBOOTS,
            kind=Kind.PVE,
            timeout_s=900,
        ),
        VerbSpec(
            name="reboot",
            help="reboot the guest, and see it boot anew",
            danger=Danger.REBOOTS,
            kind=Kind.PVE,
            timeout_s=1800,
            args={
                "grace": Arg(type=int, help="seconds that the guest may take to go down, 120 unless said otherwise"),
                "needed": Arg(type=bool, help="only where the kernel, the initrd or the modules are others than booted"),
            },
        ),
        VerbSpec(
            name="reset",
            help="press the reset button; unwritten data is lost",
            danger=Danger.REBOOTS,
            kind=Kind.PVE,
            timeout_s=1800,
        ),
        VerbSpec(
            name="snapshot",
            help="take a snapshot, and delete our oldest ones",
            danger=Danger.REVERSIBLE,
            kind=Kind.PVE,
            timeout_s=5400,
            args={
                "name": Arg(type=str, help="the snapshot's name, that of the run unless said otherwise"),
                "memory": Arg(type=bool, help="keep the running state too; nothing is frozen then"),
            },
        ),
        VerbSpec(
            name="restore",
            help="go back to a snapshot; later data is lost",
            danger=Danger.DESTROYS,
            kind=Kind.PVE,
            timeout_s=5400,
            args={
                "to": Arg(type=str, help="the snapshot's name", required=True),
                "confirm": Arg(type=str, help="the host's name, typed", required=True),
            },
        ),
        VerbSpec(
            name="delete-snapshot",
            help="delete a snapshot that pvenix made",
            danger=Danger.DESTROYS,
            kind=Kind.PVE,
            timeout_s=3600,
            args={
                "name": Arg(type=str, help="the snapshot's name", required=True),
                "theirs": Arg(type=bool, help="also when somebody else made it"),
                "confirm": Arg(type=str, help="the host's name, typed", required=True),
            },
        ),
        VerbSpec(
            name="migrate",
            help="move the VM to another node, running if possible",
            danger=Danger.REBOOTS,
            kind=Kind.PVE,
            timeout_s=7200,
            args={
                "to": Arg(type=str, help="the node", required=True),
                "offline": Arg(type=bool, help="shut the guest down for it, and start it again"),
            },
        ),
        VerbSpec(
            name="adopt",
            help="mark the VM of the inventory's id as the host's",
            danger=Danger.REVERSIBLE,
            kind=Kind.PVE,
            timeout_s=300,
            args={"rename": Arg(type=bool, help="also when Proxmox calls it by another name, which it changes then")},
        ),
        VerbSpec(
            name="remove-orphan",
            help="destroy a VM with our marker that is no host's",
            danger=Danger.DESTROYS,
            kind=Kind.PVE,
            timeout_s=7200,
            args={
                "vmid": Arg(type=int, help="the VM's id", required=True),
                "confirm": Arg(type=str, help="the VM's id, typed", required=True),
            },
        ),
        VerbSpec(
            name="backup",
            help="back the VM up while it runs, and see the backup",
            danger=Danger.REVERSIBLE,
            kind=Kind.PVE,
            timeout_s=7200,
        ),
        VerbSpec(
            name="retire",
            help="destroy the VM, and mark the host as absent",
            danger=Danger.DESTROYS,
            kind=Kind.PVE,
            timeout_s=7200,
            args={"confirm": Arg(type=str, help="the host's name, typed", required=True)},
        ),
    )
}

BUILDING = ("build", "rebuild")
"""The verbs before which all hosts of a run are looked at by `preflight`."""

ONBOARDING = ("place", "clone", "create", "cloudinit", "boot", "hardware", "register", "review", "build", "rebuild")
"""The verbs that take a line in the inventory to a running, registered host, in order."""

REPROVISIONING = ("destroy", *ONBOARDING)
"""The verbs after which a host is the same on a new machine, in order."""
