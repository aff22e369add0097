"""Faults that the programs and tasks of the site look for by themselves: builds, activations, clones, and the agent."""

from __future__ import annotations

from pvenix_lab.site.armed.fault import Spec
from pvenix_lab.site.armed.spec import Arg, Face, Kind

_SECONDS = "in seconds, whatever the site's time scale, or until cleared"
_CALL = (
    Arg(name="method", default="", what="GET, POST, PUT or DELETE; empty for any"),
    Arg(name="path", default="", what="a part of the path; empty for any"),
)

SPECS = (
    Spec(name="build-fails", what="the next `nix build` of the host ends with rc 1", face=Face.GUEST),
    Spec(name="eval-fails", what="the next evaluation of the host's configuration ends with rc 1", face=Face.GUEST),
    Spec(
        name="ssh-cut-during-activation",
        rows=("T2", "T14", "R2"),
        what="the connection dies once the activation unit runs; the unit goes on",
        face=Face.SSH,
    ),
    Spec(
        name="port-closed-by-new-system",
        what="the next new system that the host activates closes port 22",
        face=Face.SSH,
    ),
    Spec(
        name="network-changed-by-new-system",
        what="the next new system that the host activates knows another address, or leaves the network down",
        args=(Arg(name="how", default="address", what="what is wrong with it", choices=("address", "down")),),
        face=Face.SSH,
    ),
    Spec(name="activation-hangs", what="the next activation never ends by itself", face=Face.GUEST),
    Spec(
        name="activation-slow",
        rows=("T14",),
        what="the next activation takes `seconds` longer",
        args=(Arg(name="seconds", default=5.0, what=_SECONDS),),
        face=Face.GUEST,
    ),
    Spec(
        name="unit-fails",
        what="the next activation leaves a failed unit (rc 4)",
        args=(Arg(name="unit", default="", what="its name; empty for one of the host's services"),),
        face=Face.GUEST,
    ),
    Spec(name="activation-script-fails", what="the script of the next activation fails (rc 2)", face=Face.GUEST),
    Spec(name="daemon-reload-fails", what="systemd does not reload in the next activation (rc 3)", face=Face.GUEST),
    Spec(
        name="activation-killed",
        what="the next activation is killed half-way, as by the kernel when memory is short (no exit status)",
        face=Face.GUEST,
    ),
    Spec(
        name="switch-locked",
        what="somebody else's switch-to-configuration holds its lock (rc 1), until cleared",
        face=Face.GUEST,
        kind=Kind.STATE,
    ),
    Spec(
        name="switch-lock-taken",
        what="the next switch, test or boot finds the lock of switch-to-configuration taken (rc 1)",
        face=Face.GUEST,
    ),
    Spec(
        name="little-space",
        what="the host's disk or its ESP has `mib` MiB left, until cleared",
        args=(
            Arg(name="where", default="/nix/store", what="which", choices=("/nix/store", "/boot")),
            Arg(name="mib", default=10.0, what="how much"),
        ),
        face=Face.GUEST,
        kind=Kind.STATE,
    ),
    Spec(
        name="clock-wrong",
        what="the host's clock is `seconds` ahead, until cleared",
        args=(Arg(name="seconds", default=3600.0, what="how much"),),
        face=Face.GUEST,
        kind=Kind.STATE,
    ),
    Spec(
        name="init-changed",
        what="the next switch or test finds another init: only a reboot helps (rc 100)",
        face=Face.GUEST,
    ),
    Spec(name="switch-inhibited", what="a pre-switch check refuses the next switch or test (rc 1)", face=Face.GUEST),
    Spec(
        name="new-system-does-not-boot",
        what="the kernel of the next new system that becomes the boot default panics at boot: agent and SSH stay silent",
        face=Face.GUEST,
    ),
    Spec(name="bootloader-fails", what="the next switch or boot cannot write the boot loader (rc 1)", face=Face.GUEST),
    Spec(
        name="clone-fails-in-task",
        rows=("F04",),
        what="the next clone answers 200 with a UPID and then fails with `message`",
        args=(Arg(name="message", default="", what="the error; empty for a full storage"),),
        face=Face.API,
    ),
    Spec(
        name="clone-slow",
        rows=("F07", "F32", "F41"),
        what="the next clone task takes `seconds` and logs nothing meanwhile",
        args=(Arg(name="seconds", default=5.0, what=_SECONDS),),
        face=Face.API,
    ),
    Spec(
        name="agent-absent",
        rows=("F16", "R4"),
        what="the guest agent does not answer, until cleared",
        face=Face.API,
        kind=Kind.STATE,
    ),
    Spec(
        name="freeze-hangs",
        rows=("F35",),
        what="a snapshot's freeze of the guest comes back only when somebody thaws it, until cleared",
        face=Face.API,
        kind=Kind.STATE,
    ),
    Spec(
        name="pve-500",
        rows=("R3",),
        what="the next API call fails with `message`, nothing done",
        args=(*_CALL, Arg(name="message", default="", what="the error; empty for a lock that was not had in time")),
        face=Face.API,
    ),
    Spec(
        name="pve-596",
        rows=("R3",),
        what="the next API call is cut with 596; done unless `effect` is false",
        args=(*_CALL, Arg(name="effect", default=True, what="whether it is done")),
        face=Face.API,
    ),
    Spec(
        name="tls",
        rows=("F13", "R11"),
        what="new connections to the API are shown another certificate, until cleared",
        args=(
            Arg(
                name="certificate",
                default="self-signed",
                what="which one",
                choices=("self-signed", "expired", "wrong-name", "other-ca"),
            ),
        ),
        face=Face.API,
        kind=Kind.STATE,
    ),
)
