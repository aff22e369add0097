"""systemd on a guest: declared and transient units, their jobs, results and journal.

States and texts follow systemd 252-258 (src/core/service.c); what is kept of a transient unit was measured on systemd 252.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from typing import Protocol

from pvenix_lab.site.guest.journal import INFO, WARNING, Journal
from pvenix_lab.site.guest.process import Machine, Process
from pvenix_lab.site.guest.streams import BytesReader
from pvenix_lab.site.guest.unit import Command, Job, Type, Unit, UnitError

EXITED, KILLED = 1, 2  # CLD_EXITED, CLD_KILLED of waitid(2), as ExecMainCode shows them
SIGTERM = 15
NO_EXEC = 203
_FIRST_PID = 600
_DAY_S = 86400


class UnitHost(Machine, Protocol):
    """What the service manager asks of its guest."""

    boot_id: str

    def now(self) -> float:
        """Seconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Let site time pass."""

    def unit_changed(self, name: str) -> None:
        """A unit started or stopped."""


class _Output:
    """A unit's standard output: the file of `append:`, or the journal line by line."""

    def __init__(self, units: Units, unit: Unit, identifier: str) -> None:
        self._units = units
        self._unit = unit
        self._identifier = identifier
        self._partial = b""

    def write(self, data: bytes, /) -> None:
        if self._unit.log:
            self._units.machine.tree.write(self._unit.log, data, append=True)
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._units.said(self._unit, self._identifier, line.decode("utf-8", "replace"))

    async def drain(self) -> None:
        """Nothing to wait for: journald and files take everything."""


class Units:
    """The service manager of one guest; empty while the guest is off. The journal survives a reboot."""

    def __init__(self, machine: UnitHost) -> None:
        self.machine = machine
        self.units: dict[str, Unit] = {}
        self.journal = Journal()
        self._pids = _FIRST_PID

    def note(self, unit: str, text: str, *, priority: int = INFO) -> None:
        """Add a line of the manager itself to the journal."""
        self._log(unit, text, identifier="systemd", pid=1, priority=priority)

    def kernel_said(self, text: str) -> None:
        """Add a line of the kernel's."""
        self._log("", text, identifier="kernel", pid=0, priority=INFO)

    def said(self, unit: Unit, identifier: str, text: str) -> None:
        """Add a line that a unit's process printed."""
        self._log(unit.name, text, identifier=identifier, pid=unit.main_pid or self._pids, priority=INFO)

    def _log(self, unit: str, text: str, *, identifier: str, pid: int, priority: int) -> None:
        host = self.machine
        self.journal.add(
            text, at=host.now(), boot_id=host.boot_id, unit=unit, identifier=identifier, pid=pid, priority=priority
        )

    def load(self, declared: Mapping[str, str], jobs: Mapping[str, Job] | None = None) -> None:
        """Start declared units as a boot or an activation does; the first word of a value is the state after that.

        A unit with a job that the guest has the program for runs it, in place of just being in that state.
        """
        for name, settings in declared.items():
            unit = self.units.setdefault(name, Unit(name=name, description=name.partition(".")[0]))
            state = settings.partition(" ")[0]
            unit.remain = state == "exited"
            unit.result, unit.condition_result = "success", state != "dead"
            unit.main_code = unit.main_status = 0
            job = (jobs or {}).get(name)
            if job is not None and self._start_declared(unit, job):
                continue
            if state == "dead":
                unit.set_state("inactive", "dead")
                continue
            self._enter(unit, "active", "listening" if name.endswith(".socket") else state)
            self._fresh(unit, running=state == "running" and name.endswith(".service"))
            self.note(name, f"Started {name}.")
            self.machine.unit_changed(name)

    def _start_declared(self, unit: Unit, job: Job) -> bool:
        if unit.at_work:
            return True
        if job.every_s is not None or job.at is not None:
            self._enter(unit, "active", "waiting")
            unit.started, unit.ended = asyncio.Event(), asyncio.Event()
            unit.job = self.machine.spawn(self._tick(unit, job), f"timer {unit.name}")
            return True
        unit.type, unit.main, unit.restart_s = Type.ONESHOT, Command(argv=job.argv), job.restart_s
        unit.condition, unit.env = job.condition, dict(job.env)
        if not job.argv or not self.machine.shell.has(self._process(unit, unit.main)):
            return False
        self._begin(unit)
        return True

    async def _tick(self, timer: Unit, job: Job) -> None:
        service = timer.name.replace(".timer", ".service")
        while True:
            wait = job.every_s if job.at is None else (job.at - self.machine.now()) % _DAY_S or _DAY_S
            await self.machine.sleep(wait or _DAY_S)
            unit = self.units.get(service)
            if unit is not None and not unit.at_work:
                self._begin(unit)

    def _begin(self, unit: Unit) -> None:
        unit.started, unit.ended, unit.stopping = asyncio.Event(), asyncio.Event(), False
        unit.result, unit.main_code, unit.main_status = "success", 0, 0
        unit.job = self.machine.spawn(self._run(unit), f"unit {unit.name}")

    def _fresh(self, unit: Unit, *, running: bool) -> None:
        unit.invocation = uuid.uuid5(uuid.NAMESPACE_OID, f"{self.machine.boot_id} {unit.name} {self.journal.count}").hex
        if running:
            self._pids += 1
            unit.main_pid = self._pids

    def _enter(self, unit: Unit, active: str, sub: str) -> None:
        unit.set_state(active, sub)
        unit.since = self.machine.now()

    def unload(self, names: Iterable[str]) -> None:
        """Stop and forget declared units."""
        for name in names:
            unit = self.units.pop(name, None)
            if unit is not None and unit.at_work and unit.job is not None:
                unit.job.cancel()
            self.note(name, f"Stopped {name}.")
            self.machine.unit_changed(name)

    def fail(self, name: str, status: int = 1) -> None:
        """A declared unit's main process ends with this status."""
        unit = self.units.setdefault(name, Unit(name=name, description=name.partition(".")[0]))
        self._exited(unit, status)
        self.machine.unit_changed(name)

    def reset(self) -> None:
        """Forget every unit: the machine goes off. Jobs are cancelled, nobody waits for them."""
        for unit in self.units.values():
            if unit.job is not None:
                unit.job.cancel()
        self.units.clear()

    def failed(self) -> list[Unit]:
        """Every failed unit, by name."""
        return sorted((unit for unit in self.units.values() if unit.failed), key=lambda unit: unit.name)

    def is_active(self, name: str) -> bool:
        """True if the unit is loaded and active."""
        return name in self.units and self.units[name].active == "active"

    def start_transient(self, unit: Unit) -> None:
        """Load and start a transient unit; its job runs on without the caller.

        Raises:
            UnitError: a unit of that name is loaded.
        """
        if unit.name in self.units:
            raise UnitError(f"Unit {unit.name} was already loaded or has a fragment file.")
        self.units[unit.name] = unit
        unit.job = self.machine.spawn(self._run(unit), f"unit {unit.name}")

    async def _run(self, unit: Unit) -> None:
        try:
            while not self._skipped(unit):
                unit.condition_result = True
                self._fresh(unit, running=False)
                await self._run_lines(unit)
                if unit.restart_s is None or not unit.failed:
                    return
                await self._wait_for_restart(unit)
        except asyncio.CancelledError:
            if not unit.stopping:
                raise
            self._stopped(unit)
        finally:
            unit.main_pid = 0
            unit.started.set()
            unit.ended.set()

    async def _wait_for_restart(self, unit: Unit) -> None:
        unit.restarts += 1
        self._enter(unit, "activating", "auto-restart")
        await self.machine.sleep(unit.restart_s or 0.0)
        self.note(unit.name, f"{unit.name}: Scheduled restart job, restart counter is at {unit.restarts}.")
        unit.result = "success"

    def _skipped(self, unit: Unit) -> bool:
        path = unit.condition.removeprefix("!")
        if not path or self.machine.tree.exists(path) != unit.condition.startswith("!"):
            return False
        unit.condition_result = False
        self.note(unit.name, f"{unit.description} was skipped because of an unmet condition check")
        self._enter(unit, "inactive", "dead")
        if unit.transient:
            self.units.pop(unit.name, None)
        return True

    async def _run_lines(self, unit: Unit) -> None:
        for command in unit.pre:
            self._enter(unit, "activating", "start-pre")
            unit.ignores = command.ignore
            status = await self._execute(unit, command)
            if status and not command.ignore:
                unit.result = "exit-code"
                self.note(unit.name, f"{unit.name}: Control process exited, code=exited, status={status}/n/a")
                self._fail(unit)
                return
        self._fresh(unit, running=True)
        if unit.type is Type.ONESHOT:
            self._enter(unit, "activating", "start")
            self.note(unit.name, f"Starting {unit.name} - {unit.description}...")
        else:
            self._enter(unit, "active", "running")
            unit.started.set()
            self.note(unit.name, f"Started {unit.name} - {unit.description}.")
        self._exited(unit, await self._execute(unit, unit.main))

    def _process(self, unit: Unit, command: Command) -> Process:
        output = unit.pipe or _Output(self, unit, command.argv[0].rpartition("/")[2] if command.argv else "")
        return Process(
            argv=command.argv,
            stdin=BytesReader(),
            stdout=output,
            stderr=output,
            user="root",
            uid=0,
            env=unit.env | {"UNIT": unit.name},
        )

    async def _execute(self, unit: Unit, command: Command) -> int:
        process = self._process(unit, command)
        if not self.machine.shell.has(process):
            text = f"{unit.name}: Failed at step EXEC spawning {command.argv[0]}: No such file or directory"
            self.note(unit.name, text, priority=WARNING)
            return NO_EXEC
        return await self.machine.shell.execute(process)

    def _exited(self, unit: Unit, status: int) -> None:
        unit.main_code, unit.main_status, unit.main_pid = EXITED, status, 0
        if status:
            unit.result = "exit-code"
            text = f"{unit.name}: Main process exited, code=exited, status={status}/{_STATUS_NAMES.get(status, 'n/a')}"
            self.note(unit.name, text)
            self._fail(unit)
        elif unit.remain:
            self._enter(unit, "active", "exited")
            if unit.type is Type.ONESHOT:
                self.note(unit.name, f"Finished {unit.name} - {unit.description}.")
        else:
            self.note(unit.name, f"{unit.name}: Deactivated successfully.")
            self._forget(unit)

    def _fail(self, unit: Unit) -> None:
        self.note(unit.name, f"{unit.name}: Failed with result '{unit.result}'.", priority=WARNING)
        self._enter(unit, "failed", "failed")
        if unit.collect:
            self._forget(unit)

    def _forget(self, unit: Unit) -> None:
        self._enter(unit, "inactive", "dead")
        unit.main_pid = 0
        if unit.transient and self.units.get(unit.name) is unit:
            del self.units[unit.name]

    def _stopped(self, unit: Unit) -> None:
        """The running process got SIGTERM: no clean end for a oneshot or for an ExecStartPre line (is_clean_exit).

        A line with the prefix `-` ends well however it ends (systemd: service_sigchld_event, EXEC_COMMAND_IGNORE_FAILURE).
        """
        in_main = unit.sub != "stop-sigterm-pre"
        if unit.sub == "stop-sigterm-idle":  # it waited for its restart: no process got the signal
            self._forget(unit)
            return
        if in_main:
            unit.main_code, unit.main_status = KILLED, SIGTERM
        if unit.type is Type.ONESHOT if in_main else not unit.ignores:
            unit.result = "signal"
            self._fail(unit)
        else:
            self.note(unit.name, f"{unit.name}: Deactivated successfully.")
            self._forget(unit)

    async def stop(self, name: str) -> None:
        """Stop the unit and wait for the end of its processes.

        Raises:
            UnitError: no such unit is loaded.
        """
        unit = self.units.get(name)
        if unit is None:
            raise UnitError(f"Unit {name} not loaded.")
        if unit.job is not None and unit.at_work:
            unit.stopping = True
            before = {"start-pre": "-pre", "auto-restart": "-idle", "waiting": "-idle"}.get(unit.sub, "")
            unit.set_state("deactivating", f"stop-sigterm{before}")
            unit.job.cancel()
            if not name.endswith(".timer"):
                await unit.ended.wait()
            else:
                unit.ended.set()
                self._forget(unit)
        elif not unit.failed:
            self._forget(unit)
            self.note(name, f"Stopped {name}.")
        self.machine.unit_changed(name)

    def start(self, name: str, jobs: Mapping[str, Job] | None = None) -> Unit:
        """Start a declared unit and return it. Raises UnitError when it does not exist."""
        if name not in self.units:
            raise UnitError(f"Unit {name} not found.")
        unit = self.units[name]
        if unit.active not in ("active", "activating"):
            self.load({name: "exited" if unit.remain else "running"}, jobs)
        return unit

    def reset_failed(self, name: str) -> None:
        """Forget the failure. Raises UnitError when no such unit is loaded."""
        unit = self.units.get(name)
        if unit is None:
            raise UnitError(f"Unit {name} not loaded.")
        if unit.failed:
            unit.result = "success"
            self._forget(unit)

    def show(self, name: str) -> dict[str, str]:
        """The properties that `systemctl show` prints, in its order; a unit that is not loaded looks clean."""
        unit = self.units.get(name)
        load = "loaded" if unit else "not-found"
        unit = unit or Unit(name=name)
        folder = "/run/systemd/transient" if unit.transient else "/etc/systemd/system"
        return {
            "Type": str(unit.type),
            "Restart": "no" if unit.restart_s is None else "on-failure",
            "NRestarts": str(unit.restarts),
            "Result": unit.result,
            "MainPID": str(unit.main_pid),
            "ExecMainCode": str(unit.main_code),
            "ExecMainStatus": str(unit.main_status),
            "Id": unit.name,
            "Names": unit.name,
            "Description": unit.description or unit.name,
            "LoadState": load,
            "ActiveState": unit.active,
            "SubState": unit.sub,
            "FragmentPath": f"{folder}/{unit.name}" if load == "loaded" else "",
            "UnitFileState": "" if load != "loaded" else "transient" if unit.transient else "enabled",
            "Transient": "yes" if unit.transient else "no",
            "ConditionResult": "yes" if unit.condition_result else "no",
            "InvocationID": unit.invocation,
        }


_STATUS_NAMES = {1: "FAILURE", 2: "INVALIDARGUMENT", 4: "NOPERMISSION", NO_EXEC: "EXEC"}
"""What systemd calls exit statuses (src/basic/exit-status.c)."""
