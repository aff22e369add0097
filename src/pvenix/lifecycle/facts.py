"""Read what a guest runs: everything that is needed together goes out together on parallel channels."""

from __future__ import annotations

import json
import re
from typing import Final

from pvenix.engine.ports import CommandResult
from pvenix.lifecycle import argv
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.together import Together
from pvenix.model.errors import OutcomeUnknown
from pvenix.model.generation import HostFacts

ETC_NIXOS: argv.Argv = (
    "git", "--no-optional-locks", "-C", argv.CONFIGURATION, "status", "--porcelain=v2", "--branch",
)  # fmt: skip
"""HEAD and edits in one; without that option git would lock the index, and a checkout at that moment fail (git-status(1))."""
_OID = "# branch.oid "
BOOTED: Final = ("kernel", "initrd", "kernel-modules")
"""What of a system needs a boot when it differs, as nixpkgs' system.autoUpgrade compares it."""
_DEFAULT = re.compile(r"^default\s+nixos-generation-([0-9]+)\.conf\s*$", re.MULTILINE)
_BOOT_ID = re.compile(r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.MULTILINE)
_LINK = re.compile(r"\bsystem-([0-9]+)-link\s*$")


async def read_facts(remote: Remote) -> HostFacts:
    """The guest's facts.

    Raises: RemoteFailure, OutcomeUnknown, also when other output is mixed into what the way back is read from.
    """
    async with Together() as group:
        systems = group.create_task(remote.read(argv.SYSTEMS))
        boot = group.create_task(remote.try_read(argv.BOOT, sudo=True))
        generation = group.create_task(remote.try_read(argv.GENERATION))
        version = group.create_task(remote.try_read(argv.VERSION))
        etc_nixos = group.create_task(remote.try_read(ETC_NIXOS, sudo=True))
        boots = group.create_task(remote.try_read(kernels(argv.PROFILE)))
        failed = group.create_task(remote.try_read(argv.FAILED_UNITS))
        owners = group.create_task(remote.try_read(argv.FENCE_OWNER, sudo=True))
    booted, current, profile = _three_in(systems.result())
    checkout, edits = checkout_in(etc_nixos.result().stdout)
    link = _LINK.search(generation.result().stdout)
    return HostFacts(
        booted=booted,
        current=current,
        profile=profile,
        revision=revision_in(version.result().stdout),
        boot_id=_boot_id_in(boot.result()),
        starts=await _started_by(remote, boot.result().stdout, generation.result().stdout, profile),
        checkout=checkout,
        edits=edits,
        failed_units=units_in(failed.result().stdout),
        fence=tuple(owners.result().stdout.split()),
        generation=int(link[1]) if link else 0,
        reboot=changed_by_boot(boots.result().stdout),
    )


def checkout_in(text: str) -> tuple[str, tuple[str, ...]]:
    """HEAD and the edits in the output of `ETC_NIXOS`; the edits as the first version of the format writes them.

    Source: git-status(1), "Porcelain Format Version 2"; HEAD is `(initial)` where there is no commit yet.
    """
    head, edits = "", list[str]()
    for line in text.splitlines():
        match line.split(" ", 1)[0], line:
            case "#", _ if line.startswith(_OID):
                head = line.removeprefix(_OID)
            case "1", _:
                edits.append(f"{_codes(line)} {line.split(' ', 8)[-1]}")
            case "2", _:
                new, _, old = line.split(" ", 9)[-1].partition("\t")
                edits.append(f"{_codes(line)} {old} -> {new}")
            case "u", _:
                edits.append(f"{_codes(line)} {line.split(' ', 10)[-1]}")
            case "?", _:
                edits.append(f"?? {line[2:]}")
    return "" if head.startswith("(") else head, tuple(edits)


def _codes(line: str) -> str:
    return line[2:4].replace(".", " ")


def kernels(system: str) -> argv.Argv:
    """What of `BOOTED` the boot that goes on has, then what `system` has; fails where a machine lacks one, as a container."""
    return ("readlink", "-e", *(f"{one}/{name}" for one in ("/run/booted-system", system) for name in BOOTED))


def changed_by_boot(text: str) -> tuple[str, ...]:
    """What of `BOOTED` a boot would change, by the output of `kernels`; nothing for a machine that lacks one of them."""
    paths = text.splitlines()
    if len(paths) != 2 * len(BOOTED):
        return ()
    return tuple(name for name, one, two in zip(BOOTED, paths, paths[len(BOOTED) :], strict=False) if one != two)


def _three_in(text: str) -> tuple[str, str, str]:
    """What was booted, what runs and what the profile names: one line too many, and the way back would lead elsewhere."""
    lines = text.splitlines()
    if len(lines) != 3 or not all(line.startswith("/") for line in lines):
        raise OutcomeUnknown(
            "what the host runs is not known", why=f"`{' '.join(argv.SYSTEMS)}` printed {text[:120]!r}"
        )
    return lines[0], lines[1], lines[2]


def _boot_id_in(boot: CommandResult) -> str:
    """From the first of the two files; the second is missing on a machine with another boot loader."""
    found = _BOOT_ID.search(boot.stdout)
    if found is None:
        raise OutcomeUnknown("the boot of the host is not known", why=f"`cat` printed {boot.stdout[:120]!r}")
    return found[0]


async def _started_by(remote: Remote, boot: str, link: str, profile: str) -> str:
    """What the boot loader starts; empty where its configuration is not the one that NixOS writes for systemd-boot.

    Nearly always that is the profile's own generation, which needs no further question. Sources: nixpkgs'
    systemd-boot-builder.py for `default`, loader.conf(5).
    """
    default, current = _DEFAULT.search(boot), _LINK.search(link)
    if default is None or current is None:
        return ""
    if default[1] == current[1]:
        return profile
    return (await remote.try_read(argv.resolve(argv.generation_link(int(default[1]))))).stdout.strip()


def revision_in(text: str) -> str:
    """The commit in the output of `nixos-version --json`; empty when the system names none."""
    try:
        document = json.loads(text)
    except ValueError:
        return ""
    revision = document.get("configurationRevision") if isinstance(document, dict) else None
    return revision if isinstance(revision, str) else ""


def units_in(text: str) -> tuple[str, ...]:
    """Unit names in the output of `systemctl list-units --plain --no-legend`."""
    return tuple(line.split()[0] for line in text.splitlines() if line.strip())
