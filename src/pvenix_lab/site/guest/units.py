"""systemd on a guest: declared and transient units, their jobs, results and journal.

States and texts follow systemd 252-258 (src/core/service.c); facts/lab.md 10 has what was measured.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.process import Machine, Process
from pvenix_lab.site.guest.streams import BytesReader
from pvenix_lab.site.guest.unit import Command, Type, Unit, UnitError
from pvenix_lab.site.guest.vfs import VirtualRoot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EXITED, KILLED = 1, 2  # CLD_EXITED, CLD_KILLED of waitid(2), as ExecMainCode shows them
SIGTERM = 15
NO_EXEC = 203


class _Output:
    """A unit's standard output: the file of `append:`, or the journal line by line."""

    def __init__(self, units: Units, tree: VirtualRoot, unit: Unit) -> None:
        self._units = units
        self._tree = tree
        self._unit = unit
        self._partial = b""

    def write(self, data: bytes, /) -> None:
        if self._unit.log:
            self._tree.write(self._unit.log, data, append=True)
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._units.note(self._unit.name, line.decode("utf-8", "replace"))

    async def drain(self) -> None:
        """Nothing to wait for: journald and files take everything."""


class Units:
    """The service manager of one guest; empty while the guest is off. The journal survives a reboot."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.units: dict[str, Unit] = {}
        self.journal: dict[str, list[str]] = {}

    def note(self, unit: str, text: str) -> None:
        """Add a line to the journal."""
        self.journal.setdefault(unit, []).append(text)

    def load(self, declared: Mapping[str, str]) -> None:
        """Start declared units as a boot or an activation does; the first word of a value is the state after that."""
        for name, settings in declared.items():
            unit = self.units.setdefault(name, Unit(name=name, description=name.partition(".")[0]))
            state = settings.partition(" ")[0]
            unit.remain = state == "exited"
            unit.result, unit.condition_result = "success", state != "dead"
            unit.main_code = unit.main_status = 0
            if state == "dead":
                unit.set_state("inactive", "dead")
                continue
            unit.set_state("active", "listening" if name.endswith(".socket") else state)
            self.note(name, f"Started {name}.")

    def unload(self, names: Iterable[str]) -> None:
        """Stop and forget declared units."""
        for name in names:
            self.units.pop(name, None)
            self.note(name, f"Stopped {name}.")

    def fail(self, name: str, status: int = 1) -> None:
        """A declared unit's main process ends with this status."""
        unit = self.units.setdefault(name, Unit(name=name, description=name.partition(".")[0]))
        self._exited(unit, status)

    def reset(self) -> None:
        """Forget every unit: the machine goes off. Jobs are cancelled, nobody waits for them."""
        for unit in self.units.values():
            if unit.job is not None:
                unit.job.cancel()
        self.units.clear()

    def failed(self) -> list[Unit]:
        """Every failed unit, by name."""
        return sorted((unit for unit in self.units.values() if unit.failed), key=lambda unit: unit.name)

    def start_transient(self, unit: Unit) -> None:
        """Load and start a transient unit; its job runs on without the caller.

        Raises:
            UnitError: a unit of that name is loaded.
        """
        if unit.name in self.units:
            raise UnitError(f"Unit {unit.name} was already loaded or has a fragment file.")
        self.units[unit.name] = unit
        unit.job = self._machine.spawn(self._run(unit), f"unit {unit.name}")

    async def _run(self, unit: Unit) -> None:
        try:
            if unit.condition and not self._machine.tree.exists(unit.condition):
                self.note(unit.name, f"{unit.description} was skipped because of an unmet condition check")
                self.units.pop(unit.name, None)
                return
            unit.condition_result = True
            await self._run_lines(unit)
        except asyncio.CancelledError:
            if not unit.stopping:
                raise
            self._stopped(unit)
        finally:
            unit.started.set()
            unit.ended.set()

    async def _run_lines(self, unit: Unit) -> None:
        for command in unit.pre:
            unit.set_state("activating", "start-pre")
            unit.ignores = command.ignore
            status = await self._execute(unit, command)
            if status and not command.ignore:
                unit.result = "exit-code"
                self.note(unit.name, f"{unit.name}: Control process exited, code=exited, status={status}/n/a")
                self._fail(unit)
                return
        if unit.type is Type.ONESHOT:
            unit.set_state("activating", "start")
        else:
            unit.set_state("active", "running")
            unit.started.set()
            self.note(unit.name, f"Started {unit.name} - {unit.description}.")
        self._exited(unit, await self._execute(unit, unit.main))

    async def _execute(self, unit: Unit, command: Command) -> int:
        output = _Output(self, self._machine.tree, unit)
        process = Process(
            argv=command.argv,
            stdin=BytesReader(),
            stdout=output,
            stderr=output,
            user="root",
            uid=0,
            env=unit.env | {"UNIT": unit.name},
        )
        if not self._machine.shell.has(process):
            self.note(
                unit.name, f"{unit.name}: Failed at step EXEC spawning {command.argv[0]}: No such file or directory"
            )
            return NO_EXEC
        return await self._machine.shell.execute(process)

    def _exited(self, unit: Unit, status: int) -> None:
        unit.main_code, unit.main_status = EXITED, status
        if status:
            unit.result = "exit-code"
            self.note(unit.name, f"{unit.name}: Main process exited, code=exited, status={status}/n/a")
            self._fail(unit)
        elif unit.remain:
            unit.set_state("active", "exited")
            if unit.type is Type.ONESHOT:
                self.note(unit.name, f"Finished {unit.name} - {unit.description}.")
        else:
            self.note(unit.name, f"{unit.name}: Deactivated successfully.")
            self._forget(unit)

    def _fail(self, unit: Unit) -> None:
        self.note(unit.name, f"{unit.name}: Failed with result '{unit.result}'.")
        unit.set_state("failed", "failed")
        if unit.collect:
            self._forget(unit)

    def _forget(self, unit: Unit) -> None:
        unit.set_state("inactive", "dead")
        if unit.transient and self.units.get(unit.name) is unit:
            del self.units[unit.name]

    def _stopped(self, unit: Unit) -> None:
        """The running process got SIGTERM: no clean end for a oneshot or for an ExecStartPre line (is_clean_exit).

        A line with the prefix `-` ends well however it ends (systemd: service_sigchld_event, EXEC_COMMAND_IGNORE_FAILURE).
        """
        in_main = unit.sub != "stop-sigterm-pre"
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
        if unit.job is not None and not unit.ended.is_set():
            unit.stopping = True
            before = unit.sub
            unit.set_state("deactivating", "stop-sigterm-pre" if before == "start-pre" else "stop-sigterm")
            unit.job.cancel()
            await unit.ended.wait()
        elif not unit.failed:
            self._forget(unit)
            self.note(name, f"Stopped {name}.")

    def start(self, name: str) -> None:
        """Start a declared unit. Raises UnitError when it does not exist."""
        if name not in self.units:
            raise UnitError(f"Unit {name} not found.")
        if self.units[name].active != "active":
            self.load({name: "exited" if self.units[name].remain else "running"})

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
        return {
            "Type": str(unit.type),
            "Result": unit.result,
            "ExecMainCode": str(unit.main_code),
            "ExecMainStatus": str(unit.main_status),
            "Id": unit.name,
            "Names": unit.name,
            "Description": unit.description or unit.name,
            "LoadState": load,
            "ActiveState": unit.active,
            "SubState": unit.sub,
            "Transient": "yes" if unit.transient else "no",
            "ConditionResult": "yes" if unit.condition_result else "no",
        }
