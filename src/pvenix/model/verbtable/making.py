"""From a line in the inventory to a registered host: the VM, what it is made of, and its files in the fleet."""

from __future__ import annotations

from pvenix.model.verbspec import Arg, Danger, Kind, VerbSpec

MAKING = (
    VerbSpec(name="place", help="choose node, storage and VM id", danger=Danger.READ, kind=Kind.PVE, timeout_s=60),
    VerbSpec(
        name="clone",
        help="clone the template and mark the VM as ours",
        danger=Danger.REVERSIBLE,
        kind=Kind.CLONE,
        timeout_s=1800,
        args={"full": Arg(type=bool, help="copy the disks instead of linking them to the template")},
        unskippable="the steps after it need its VM",
    ),
    VerbSpec(
        name="create",
        help="make an empty VM for an ISO image; skipped where a template is cloned",
        danger=Danger.REVERSIBLE,
        kind=Kind.CLONE,
        timeout_s=3600,
        unskippable="the steps after it need its VM",
    ),
    VerbSpec(
        name="cloudinit",
        help="write user, keys, address and DNS to the cloud-init drive",
        danger=Danger.REVERSIBLE,
        kind=Kind.PVE,
        timeout_s=120,
        unskippable="the VM would boot without user, keys and address",
    ),
    VerbSpec(
        name="boot",
        help="start the VM, pin its host key, wait for SSH",
        danger=Danger.REVERSIBLE,
        kind=Kind.PVE,
        timeout_s=1800,
        unskippable="without a pinned host key nobody knows whom the steps after it would talk to",
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
        unskippable="there would be nothing to review, and nothing to build the host from",
    ),
    VerbSpec(
        name="unregister",
        help="delete the registration branch, unless it is merged",
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
        unskippable="what no person has approved is not merged, and what is not merged is not built",
    ),
)
