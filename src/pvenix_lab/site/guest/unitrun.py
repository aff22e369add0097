"""How a unit of a guest runs: its lines one after the other, its restarts, its results; what the manager notes about it.

States and texts follow systemd 252-258 (src/core/service.c); what is kept of a transient unit was measured on systemd 252.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Protocol

from pvenix_lab.site.guest.journal import ERROR, INFO, WARNING, Journal
from pvenix_lab.site.guest.process import Machine, Process
from pvenix_lab.site.guest.streams import BytesReader
from pvenix_lab.site.guest.unit import Command, Type, Unit

EXITED, KILLED = 1, 2  # CLD_EXITED, CLD_KILLED of waitid(2), as ExecMainCode shows them
SIGTERM = 15
NO_EXEC = 203
_FIRST_PID = 600
_STATUS_NAMES = {
    1: "FAILURE", 2: "INVALIDARGUMENT", 3: "NOTIMPLEMENTED", 4: "NOPERMISSION", 5: "NOTINSTALLED", 6: "NOTCONFIGURED",
    7: "NOTRUNNING", 200: "CHDIR", NO_EXEC: "EXEC",
}  # fmt: skip
"""What systemd calls exit statuses (src/basic/exit-status.c)."""


class UnitHost(Machine, Protocol):
    """What the service manager asks of its guest."""

    boot_id: str
    booted_at: float

    def now(self) -> float:
        """Seconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Let site time pass."""

    def unit_changed(self, name: str) -> None:
        """A unit started or stopped."""


class _Output:
    """A unit's standard output: the file of `append:`, or the journal line by line."""

    def __init__(self, units: Runner, unit: Unit, identifier: str) -> None:
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


class Runner:
    """Runs units and keeps the journal; `units` are those that are loaded."""

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

    def begin(self, unit: Unit) -> None:
        """Start the unit's job; it runs on without the caller."""
        unit.started, unit.ended, unit.stopping = asyncio.Event(), asyncio.Event(), False
        unit.result, unit.main_code, unit.main_status, unit.start_failed = "success", 0, 0, False
        unit.job = self.machine.spawn(self.run(unit), f"unit {unit.name}")

    def fresh(self, unit: Unit, *, running: bool) -> None:
        """A new invocation, with a process when it is `running`."""
        unit.invocation = uuid.uuid5(uuid.NAMESPACE_OID, f"{self.machine.boot_id} {unit.name} {self.journal.count}").hex
        if running:
            self._pids += 1
            unit.main_pid = self._pids

    def enter(self, unit: Unit, active: str, sub: str) -> None:
        """Enter a state now."""
        unit.set_state(active, sub)
        unit.since = self.machine.now()

    async def run(self, unit: Unit) -> None:
        """Run the unit until it ends for good."""
        try:
            while not self._skipped(unit):
                unit.condition_result = True
                self.fresh(unit, running=False)
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
        self.enter(unit, "activating", "auto-restart")
        await self.machine.sleep(unit.restart_s or 0.0)
        self.note(unit.name, f"{unit.name}: Scheduled restart job, restart counter is at {unit.restarts}.")
        unit.result = "success"

    def _skipped(self, unit: Unit) -> bool:
        """Whether a condition does not hold; all have to, and the first that does not is named (systemd.unit(5))."""
        unit.condition_at = self.machine.now()
        unmet = next((one for one in unit.conditions if not self._holds(one)), None)
        if unmet is None:
            return False
        unit.condition_result = False
        why = f"ConditionPathExists={unmet}"
        self.note(unit.name, f"{unit.title} was skipped because of an unmet condition check ({why}).")
        self.enter(unit, "inactive", "dead")
        if unit.transient:
            self.units.pop(unit.name, None)
        return True

    def _holds(self, condition: str) -> bool:
        return self.machine.tree.exists(condition.removeprefix("!")) != condition.startswith("!")

    async def _run_lines(self, unit: Unit) -> None:
        if unit.pre or unit.type is Type.ONESHOT:
            self.note(unit.name, f"Starting {unit.title}...")
        for command in unit.pre:
            self.enter(unit, "activating", "start-pre")
            unit.ignores = command.ignore
            status = await self._execute(unit, command)
            if status and not command.ignore:
                unit.result = "exit-code"
                name = _STATUS_NAMES.get(status, "n/a")
                self.note(unit.name, f"{unit.name}: Control process exited, code=exited, status={status}/{name}")
                self._fail(unit)
                return
        self.fresh(unit, running=True)
        if unit.type is Type.ONESHOT:
            self.enter(unit, "activating", "start")
        elif unit.type is Type.SIMPLE or self.machine.shell.has(self.process(unit, unit.main)):
            self.enter(unit, "active", "running")
            unit.started.set()
            self.note(unit.name, f"Started {unit.title}.")
        self.exited(unit, await self._execute(unit, unit.main))

    def process(self, unit: Unit, command: Command) -> Process:
        """The process of one of the unit's lines."""
        journal = _Output(self, unit, command.argv[0].rpartition("/")[2] if command.argv else "")
        output, error = unit.pipe or (journal, journal)
        return Process(
            argv=command.argv,
            stdin=BytesReader(),
            stdout=output,
            stderr=error,
            user="root",
            uid=0,
            env=unit.env | {"UNIT": unit.name},
        )

    async def _execute(self, unit: Unit, command: Command) -> int:
        process = self.process(unit, command)
        if not self.machine.shell.has(process):
            text = f"{unit.name}: Failed at step EXEC spawning {command.argv[0]}: No such file or directory"
            self.note(unit.name, text, priority=WARNING)
            return NO_EXEC
        return await self.machine.shell.execute(process)

    def exited(self, unit: Unit, status: int) -> None:
        """The main process ended with this status; a negative one is the signal that killed it."""
        unit.main_code, unit.main_status, unit.main_pid = EXITED if status >= 0 else KILLED, abs(status), 0
        if status < 0:
            unit.result = "signal"
            self.note(unit.name, f"{unit.name}: Main process exited, code=killed, status={-status}/KILL")
            self._fail(unit)
        elif status:
            unit.result = "exit-code"
            text = f"{unit.name}: Main process exited, code=exited, status={status}/{_STATUS_NAMES.get(status, 'n/a')}"
            self.note(unit.name, text)
            self._fail(unit)
        elif unit.remain:
            self.enter(unit, "active", "exited")
            if unit.type is Type.ONESHOT:
                self.note(unit.name, f"Finished {unit.title}.")
        else:
            self.note(unit.name, f"{unit.name}: Deactivated successfully.")
            if unit.type is Type.ONESHOT:
                self.note(unit.name, f"Finished {unit.title}.")
            self.forget(unit)

    def _fail(self, unit: Unit) -> None:
        self.note(unit.name, f"{unit.name}: Failed with result '{unit.result}'.", priority=WARNING)
        if unit.at_work and not unit.started.is_set() and not unit.stopping:
            unit.start_failed = True
            self.note(unit.name, f"Failed to start {unit.title}.", priority=ERROR)
        self.enter(unit, "failed", "failed")
        if unit.collect:
            self.forget(unit)

    def forget(self, unit: Unit) -> None:
        """The unit is inactive; a transient one is no longer loaded."""
        self.enter(unit, "inactive", "dead")
        unit.main_pid = 0
        if unit.transient and self.units.get(unit.name) is unit:
            del self.units[unit.name]

    def _stopped(self, unit: Unit) -> None:
        """The running process got SIGTERM: no clean end for a oneshot or for an ExecStartPre line (is_clean_exit).

        A line with the prefix `-` ends well however it ends (systemd: service_sigchld_event, EXEC_COMMAND_IGNORE_FAILURE).
        """
        in_main = unit.sub != "stop-sigterm-pre"
        if unit.sub == "stop-sigterm-idle":  # it waited for its restart: no process got the signal
            self.forget(unit)
            return
        if in_main:
            unit.main_code, unit.main_status = KILLED, SIGTERM
        if unit.type is Type.ONESHOT if in_main else not unit.ignores:
            unit.result = "signal"
            self._fail(unit)
        else:
            self.note(unit.name, f"{unit.name}: Deactivated successfully.")
            self.forget(unit)
