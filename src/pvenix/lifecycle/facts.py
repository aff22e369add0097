"""Read what a guest runs: everything that is needed together goes out together on parallel channels."""

from __future__ import annotations

import json
import re

from pvenix.engine.ports import CommandResult
from pvenix.lifecycle import argv
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.together import Together
from pvenix.model.errors import OutcomeUnknown
from pvenix.model.generation import Generation, HostFacts

_DEFAULT = re.compile(r"^default\s+nixos-generation-([0-9]+)\.conf\s*$", re.MULTILINE)
_BOOT_ID = re.compile(r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.MULTILINE)
_LINK = re.compile(r"\bsystem-([0-9]+)-link\s*$")
_GENERATION = re.compile(r"\s*([0-9]+)\s+([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8})\s*(\(current\))?")


async def read_facts(remote: Remote) -> HostFacts:
    """The guest's facts.

    Raises: RemoteFailure, OutcomeUnknown, also when other output is mixed into what the way back is read from.
    """
    async with Together() as group:
        systems = group.create_task(remote.read(argv.SYSTEMS))
        boot = group.create_task(remote.try_read(argv.BOOT, sudo=True))
        generation = group.create_task(remote.try_read(argv.GENERATION))
        version = group.create_task(remote.try_read(argv.VERSION))
        checkout = group.create_task(remote.try_read(argv.CHECKOUT, sudo=True))
        edits = group.create_task(remote.try_read(argv.EDITS, sudo=True))
        failed = group.create_task(remote.try_read(argv.FAILED_UNITS))
        owners = group.create_task(remote.try_read(argv.FENCE_OWNER, sudo=True))
    booted, current, profile = _three_in(systems.result())
    return HostFacts(
        booted=booted,
        current=current,
        profile=profile,
        revision=revision_in(version.result().stdout),
        boot_id=_boot_id_in(boot.result()),
        starts=await _started_by(remote, boot.result().stdout, generation.result().stdout, profile),
        checkout=checkout.result().stdout.strip(),
        edits=tuple(edits.result().stdout.splitlines()),
        failed_units=units_in(failed.result().stdout),
        fence=tuple(owners.result().stdout.split()),
    )


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


def generations_in(text: str) -> tuple[Generation, ...]:
    """The list that `nix-env --list-generations` prints (format measured with Nix 2.8), oldest first."""
    found = (_GENERATION.fullmatch(line.rstrip()) for line in text.splitlines())
    return tuple(
        Generation(number=int(match[1]), date=match[2], current=match[3] is not None) for match in found if match
    )
