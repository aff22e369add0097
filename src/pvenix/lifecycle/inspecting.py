"""Look at one host closely: its units, its journal, its hardware file, what Proxmox tells its cloud-init drive, its VM."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Final, TypeVar

from pvenix.engine.ports import TaskState, VmSnapshot, Volume
from pvenix.lifecycle import argv, hardware
from pvenix.lifecycle.difference import unified
from pvenix.lifecycle.fields.values import CLOUD_INIT, meaning, read
from pvenix.lifecycle.fields.wanted import Wanted, wanted_of
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError, UsageError
from pvenix.model.inspection import (
    PRIORITIES,
    CloudInitKey,
    CloudInitLook,
    HardwareText,
    Unit,
    UnitList,
    UnitLook,
    VmBackup,
    VmLook,
    VmTaken,
    VmTask,
)
from pvenix.model.paths import hardware_file

UNITS: Final[argv.Argv] = ("systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", "--full")
FILES: Final = ("user", "network", "meta")
"""The files that Proxmox can be asked for (GET …/cloudinit/dump)."""
_UNITS: Final = 4000
_LINES: Final = 60
_DESCRIPTION: Final = 300
"""Characters of a unit's description that are kept."""
_UNIT: Final = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}")
_SECRET: Final = re.compile(r"^(\s*(?:password|passwd|hashed_passwd)\s*:\s*)(?!\*+$)\S.*$", re.MULTILINE)
_STARS: Final = "**********"
"""What Proxmox writes in a password's place."""
T = TypeVar("T")


def journal(unit: str = "", priority: str = "", *, lines: int, follow: bool = False) -> argv.Argv:
    """The newest lines of the journal, oldest first; with `follow` those that come too.

    Raises: UsageError for what is no unit or no priority.
    """
    if unit and not _UNIT.fullmatch(unit):
        raise UsageError(f"{unit[:60]!r} is no unit", hint="such as nginx.service")
    if priority and priority not in PRIORITIES:
        raise UsageError(f"{priority[:20]!r} is no priority", hint=", ".join(PRIORITIES))
    words: list[str] = ["journalctl", "--no-pager", "-o", "short-iso", "-n", str(lines)]
    words += ["-u", unit] if unit else []
    words += ["-p", priority] if priority else []
    return (*words, *(("-f",) if follow else ()))


def unit_status(unit: str) -> argv.Argv:
    """What systemd says of a unit, without lines of the journal."""
    return ("systemctl", "status", "--no-pager", "--full", "-n", "0", "--", unit)


async def units(world: World, host: str) -> UnitList:
    """The host's units, failed ones first.

    Raises: Unreachable, RemoteFailure, OutcomeUnknown.
    """
    remote = await world.remote(looking_at(host))
    async with Together() as group:
        failed = group.create_task(remote.read(argv.FAILED_UNITS))
        listed = group.create_task(remote.read(UNITS))
    known = {unit.name: unit for text in (failed.result(), listed.result()) for unit in units_in(text)}
    ordered = sorted(known.values(), key=lambda unit: (not unit.failed, unit.active == "inactive", unit.name))
    return UnitList(units=tuple(ordered[:_UNITS]), more=max(0, len(ordered) - _UNITS))


def units_in(text: str) -> list[Unit]:
    """The units in the output of `UNITS`."""
    found = []
    for line in text.splitlines():
        words = line.split(None, 4)
        if len(words) >= 4 and _UNIT.fullmatch(words[0]):
            found.append(
                Unit(
                    name=words[0],
                    load=words[1],
                    active=words[2],
                    sub=words[3],
                    description=words[4].strip()[:_DESCRIPTION] if len(words) > 4 else "",
                )
            )
    return found


async def unit(world: World, host: str, name: str) -> UnitLook:
    """One unit with the end of its journal.

    Raises: UsageError for what is no unit's name, Unreachable, OutcomeUnknown.
    """
    lines = journal(name, lines=_LINES)
    remote = await world.remote(looking_at(host))
    async with Together() as group:
        status = group.create_task(remote.try_read(unit_status(name), sudo=True))
        last = group.create_task(remote.try_read(lines, sudo=True))
    shown = status.result()
    return UnitLook(name=name, status=shown.stdout or shown.stderr, journal=last.result().stdout)


async def follow_journal(
    world: World, host: str, *, unit: str = "", priority: str = "", lines: int, follow: bool
) -> AsyncIterator[str]:
    """Chunks of the host's journal, raw, not split into lines; ends with the connection, or at the last line.

    Raises: UsageError, Unreachable, Refused.
    """
    command = journal(unit, priority, lines=lines, follow=follow)
    session = await world.ways.session(host)
    async with session.stream(command, sudo=True) as chunks:
        async for chunk in chunks:
            yield chunk


async def hardware_text(world: World, host: str) -> HardwareText:
    """The host's hardware file at the commit that it should run, and as its generator writes it now.

    Raises: what keeps the repository from being read.
    """
    path, commit = hardware_file(host), await world.expected()
    committed = await world.repo.read(commit, path) or ""
    step = looking_at(host)
    try:
        now = await hardware.read(world, step)
    except PvenixError as error:
        return HardwareText(path=path, commit=commit, committed=committed, problem=str(error))
    diff = "".join(unified(path, committed, now))
    odd = hardware.inspect(now)
    return HardwareText(path=path, commit=commit, committed=committed, now=now, diff=diff, odd=odd)


async def cloud_init(world: World, host: str) -> CloudInitLook:
    """What the VM's cloud-init drive is told, against what the inventory declares.

    Raises: UsageError when the host has no VM; Unreachable, Refused.
    """
    found = await _vm(world, host)
    pending = await world.pve.pending(found.node, found.vmid)
    waiting = pending.waiting if pending else {}
    wanted = [one for one in wanted_of(world.fleet, host) if CLOUD_INIT.fullmatch(one.key)]
    values = {key: value for key, value in found.config.values.items() if CLOUD_INIT.fullmatch(key)}
    keys = tuple(
        _key(key, values.get(key, ""), [one for one in wanted if one.key == key], waiting=key in waiting)
        for key in sorted({*values, *(one.key for one in wanted)})
    )
    try:
        async with Together() as group:
            texts = {kind: group.create_task(world.pve.cloudinit_file(found.node, found.vmid, kind)) for kind in FILES}
    except PvenixError as error:
        return CloudInitLook(keys=keys, files={}, problem=str(error))
    files = {kind: _SECRET.sub(rf"\1{_STARS}", text.result()) for kind, text in texts.items()}
    return CloudInitLook(keys=keys, files=files)


def _key(key: str, value: str, wanted: Sequence[Wanted], *, waiting: bool) -> CloudInitKey:
    """One option against what is declared of it, whole or part by part."""
    others = [one for one in wanted if read(key, one.part, value) != meaning(one.part or key, one.value)]
    declared = ", ".join(f"{one.part}={one.value}" if one.part else meaning(key, one.value) for one in others)
    shown = meaning(key, value) if key == "sshkeys" and value else value
    return CloudInitKey(
        key=key,
        value=_masked(key, shown),
        wanted=_masked(key, declared),
        where=next((one.where for one in (*others, *wanted) if one.where), ""),
        waiting=waiting,
    )


def _masked(key: str, value: str) -> str:
    return _STARS if key == "cipassword" and value else value


async def vm(world: World, host: str) -> VmLook:
    """The host's VM as Proxmox has it now.

    Raises: Unreachable, Refused when the token may not see it.
    """
    found = await world.vms.find(host)
    if found is None:
        return VmLook(vmid=0)
    problems: list[str] = []
    pve, at = world.pve, (found.node, found.vmid)
    async with Together() as group:
        power = group.create_task(pve.power(*at))
        pending = group.create_task(pve.pending(*at))
        snapshots = group.create_task(_part("snapshots", pve.snapshots(*at), (), problems))
        tasks = group.create_task(_part("tasks", pve.tasks_of(*at), (), problems))
        backups = group.create_task(_part("backups", _backups(world, found), (), problems))
    now, config = power.result(), pending.result()
    asked = now.agent and now.status == "running"
    answers = await _part("guest agent", pve.agent_ping(*at), None, problems) if asked else None
    return VmLook(
        vmid=found.vmid,
        node=found.node,
        status=now.status,
        uptime_s=now.uptime_s,
        cpu=now.cpu,
        cpus=now.cpus,
        memory=now.memory,
        memory_max=now.memory_max,
        agent=now.agent,
        agent_answers=answers,
        lock=now.lock,
        ha=now.ha,
        config={key: _masked(key, value) for key, value in (config.config if config else found.config).values.items()},
        waiting={key: _masked(key, value) for key, value in (config.waiting if config else {}).items()},
        snapshots=tuple(_taken(one) for one in snapshots.result()),
        backups=tuple(_backup(one) for one in sorted(backups.result(), key=lambda one: -one.made_at)),
        tasks=tuple(_task(one) for one in tasks.result()),
        problems=tuple(problems),
    )


def _taken(one: VmSnapshot) -> VmTaken:
    return VmTaken(
        name=one.name,
        parent=one.parent,
        taken_at=one.taken_at,
        memory=one.memory,
        description=one.description.partition("\n")[0],
    )


def _backup(one: Volume) -> VmBackup:
    return VmBackup(id=one.id, made_at=one.made_at, size=one.size, notes=one.notes)


def _task(one: TaskState) -> VmTask:
    state = "running" if one.running else one.exit_text
    return VmTask(upid=one.upid, kind=one.kind, user=one.user, began_at=one.began_at, state=state)


async def _part(name: str, reading: Awaitable[T], nothing: T, problems: list[str]) -> T:
    """What was read, or nothing with the reason told."""
    try:
        return await reading
    except PvenixError as error:
        problems.append(f"{name}: {error}")
        return nothing


async def _backups(world: World, found: Found) -> Sequence[Volume]:
    resources = await world.survey.resources()
    here = [one.name for one in resources.storages if one.node == found.node and one.active and "backup" in one.content]
    async with Together() as group:
        listed = [
            group.create_task(world.pve.volumes(found.node, name, vmid=found.vmid, content="backup")) for name in here
        ]
    return [volume for one in listed for volume in one.result()]


async def _vm(world: World, host: str) -> Found:
    found = await world.vms.find(host)
    if found is None:
        raise UsageError(f"{host} has no VM", hint=f"pvenix run playbooks/onboard.yaml -l {host}")
    return found
