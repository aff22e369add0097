"""systemd on a guest: which units are loaded, and what starting, stopping and showing them does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from pvenix_lab.site.guest.unit import Command, Job, Type, Unit, UnitError
from pvenix_lab.site.guest.unitrun import EXITED, Runner

_DAY_S = 86400


class Units(Runner):
    """The service manager of one guest; empty while the guest is off. The journal survives a reboot."""

    def load(self, declared: Mapping[str, str], jobs: Mapping[str, Job] | None = None) -> None:
        """Start declared units as a boot or an activation does; the first word of a value is the state after that.

        A unit with a job that the guest has the program for runs it, in place of just being in that state.
        """
        for name, settings in declared.items():
            unit = self.units.setdefault(name, Unit(name=name, description=name.partition(".")[0]))
            state = settings.partition(" ")[0]
            unit.remain = state == "exited"
            unit.result, unit.condition_result = "success", state != "dead"
            unit.condition_at = None if state == "dead" else self.machine.now()
            unit.main_code = unit.main_status = 0
            job = (jobs or {}).get(name)
            if job is not None and self._start_declared(unit, job):
                continue
            if state == "dead":
                unit.set_state("inactive", "dead")
                continue
            self.enter(unit, "active", "listening" if name.endswith(".socket") else state)
            self.fresh(unit, running=state == "running" and name.endswith(".service"))
            self.note(name, f"Started {name}.")
            self.machine.unit_changed(name)

    def _start_declared(self, unit: Unit, job: Job) -> bool:
        if unit.at_work:
            return True
        if job.every_s is not None or job.at is not None:
            self.enter(unit, "active", "waiting")
            unit.started, unit.ended = asyncio.Event(), asyncio.Event()
            unit.job = self.machine.spawn(self._tick(unit, job), f"timer {unit.name}")
            return True
        unit.type, unit.main = Type.ONESHOT if job.oneshot else Type.EXEC, Command(argv=job.argv)
        unit.restart_s = job.restart_s
        unit.conditions, unit.env = (job.condition,) if job.condition else (), dict(job.env)
        if not job.argv or not self.machine.shell.has(self.process(unit, unit.main)):
            return False
        self.begin(unit)
        return True

    async def _tick(self, timer: Unit, job: Job) -> None:
        service = timer.name.replace(".timer", ".service")
        while True:
            wait = job.every_s if job.at is None else (job.at - self.machine.now()) % _DAY_S or _DAY_S
            await self.machine.sleep(wait or _DAY_S)
            unit = self.units.get(service)
            if unit is not None and not unit.at_work:
                self.begin(unit)

    def unload(self, names: Iterable[str]) -> None:
        """Stop and forget declared units."""
        for name in names:
            unit = self.units.pop(name, None)
            if unit is not None and unit.at_work and unit.job is not None:
                unit.job.cancel()
            self.note(name, f"Stopped {name}.")
            self.machine.unit_changed(name)

    def reload(self, declared: Iterable[str]) -> None:
        """`daemon-reload`: inactive units whose files are gone are no longer loaded."""
        kept = set(declared)
        for name, unit in list(self.units.items()):
            if name not in kept and not unit.transient and unit.active == "inactive":
                del self.units[name]

    def fail(self, name: str, status: int = 1) -> None:
        """A declared unit's main process ends with this status."""
        unit = self.units.setdefault(name, Unit(name=name, description=name.partition(".")[0]))
        self.exited(unit, status)
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
        unit.job = self.machine.spawn(self.run(unit), f"unit {unit.name}")

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
            if not name.endswith(".timer"):
                self.note(name, f"Stopping {unit.title}...")
            unit.job.cancel()
            if not name.endswith(".timer"):
                await unit.ended.wait()
                self.note(name, f"Stopped {unit.title}.")
            else:
                unit.ended.set()
                self.forget(unit)
        elif unit.active == "active":
            if unit.sub == "running":
                unit.main_code, unit.main_status = EXITED, 0  # daemons of the lab take SIGTERM as a wish
            self.note(name, f"{name}: Deactivated successfully.")
            self.note(name, f"Stopped {unit.title}." if unit.transient else f"Stopped {name}.")
            self.forget(unit)
        self.machine.unit_changed(name)

    def start(self, name: str, jobs: Mapping[str, Job] | None = None) -> Unit:
        """Start a declared unit and return it. Raises UnitError when it does not exist."""
        if name not in self.units:
            raise UnitError(f"Unit {name} not found.")
        unit = self.units[name]
        if unit.active not in ("active", "activating") and unit.transient:
            self.begin(unit)
        elif unit.active not in ("active", "activating"):
            self.load({name: "exited" if unit.remain else "running"}, jobs)
        return unit

    def reset_failed(self, name: str) -> None:
        """Forget the failure. Raises UnitError when no such unit is loaded."""
        unit = self.units.get(name)
        if unit is None:
            raise UnitError(f"Unit {name} not loaded.")
        if unit.failed:
            unit.result = "success"
            self.forget(unit)

    def _since_boot_us(self, at: float | None) -> int:
        return 0 if at is None else max(int((at - self.machine.booted_at) * 1e6), 1)

    def show(self, name: str) -> dict[str, str]:
        """The properties that `systemctl show` prints, in its order; a unit that is not loaded looks clean."""
        unit = self.units.get(name)
        load = "loaded" if unit else "not-found"
        unit = unit or Unit(name=name)
        folder = "/run/systemd/transient" if unit.transient else "/etc/systemd/system"
        return {
            "Type": str(unit.type),
            "Restart": "no" if unit.restart_s is None else "on-failure",
            "MainPID": str(unit.main_pid),
            "Result": unit.result,
            "NRestarts": str(unit.restarts),
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
            "ConditionResult": "yes" if unit.condition_result else "no",
            "ConditionTimestampMonotonic": str(self._since_boot_us(unit.condition_at)),
            "Transient": "yes" if unit.transient else "no",
            "InvocationID": unit.invocation,
        }
