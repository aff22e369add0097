"""A host's NixOS: built, activated, gone back from; its generations kept, let go and collected."""

from __future__ import annotations

from pvenix.model.verbspec import Arg, Danger, Kind, VerbSpec

SYSTEM = (
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
        args={
            "to": Arg(type=int, help="the generation's number", required=True),
            "boot": Arg(type=bool, help="only make it the boot default; what runs stays until a reboot"),
        },
    ),
    VerbSpec(
        name="adopt-edits",
        help="take what was edited on the host into a branch, for a review",
        danger=Danger.REVERSIBLE,
        kind=Kind.GIT,
        timeout_s=300,
        args={"hardware": Arg(type=bool, help="also what the hardware generator writes there now")},
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
)
