"""The VM as a machine: power, snapshots, backups, moves, and its end."""

from __future__ import annotations

from pvenix.model.verbspec import Arg, Danger, Kind, VerbSpec

MACHINE = (
    VerbSpec(
        name="destroy",
        help="destroy the VM, and keep the host in the inventory",
        danger=Danger.DESTROYS,
        kind=Kind.PVE,
        timeout_s=7200,
        args={"confirm": Arg(type=str, help="the host's name, typed", required=True)},
        unskippable="the steps after it would work on the VM that was to go",
    ),
    VerbSpec(name="start", help="start the VM and see it run", danger=Danger.REVERSIBLE, kind=Kind.PVE, timeout_s=900),
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
        unskippable="it is the way back from the steps after it",
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
        unskippable="it is the way back from the steps after it",
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
