"""Look at the TUI without a site: `python -m tests.tui.demo_fake` opens it on the fake backend with a run that plays."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from typing_extensions import override

from pvenix.engine.runfiles import RunDir
from pvenix.model.events import Command, Progress
from pvenix.model.plan import RunPlan
from pvenix_tui.app import PvenixApp
from pvenix_tui.session import Session
from tests.tui.fake_backend import HOSTS, FakeBackend


class PlayedBackend(FakeBackend):
    """Plays every run that is started: each host goes through its steps; the drifted one fails."""

    lines = 60
    """Lines that each host prints in a step."""

    @override
    def start_detached(self, plan: RunPlan) -> RunDir:
        run = super().start_detached(plan)
        threading.Thread(target=self._play, args=(run, plan), daemon=True).start()
        return run

    def _play(self, run: RunDir, plan: RunPlan) -> None:
        for task in (task for play in plan.plays for task in play.tasks):
            for host in plan.hosts:
                if plan.step:
                    self.step(run, host, task.verb, "gate")
            while plan.step and not any(request.kind == "continue" for request in run.take_requests()):
                time.sleep(0.05)
            for host in plan.hosts:
                self.step(run, host, task.verb)
                self.emit(
                    run, Command, host=host, step=task.verb, channel="ssh", text=f"nix {task.verb} {host}", writes=True
                )
                self.emit(run, Progress, host=host, step=task.verb, text=f"copying path 212/301 for {task.verb}")
            for number in range(self.lines):
                for host in plan.hosts:
                    self.output(run, host, f"{task.verb}: line {number} of {host} " + "x" * (number % 90) + "\n")
                time.sleep(0.03)
            for host in plan.hosts:
                self.step(
                    run,
                    host,
                    task.verb,
                    "failed" if host == HOSTS[3].name else "changed",
                    summary=f"{task.verb} done",
                    hint="look at vllm.service" if host == HOSTS[3].name else "",
                )
        for host in plan.hosts:
            self.end_host(run, host, "failed" if host == HOSTS[3].name else "changed", "all steps done")
        failed = sum(1 for host in plan.hosts if host == HOSTS[3].name)
        self.end_run(run, min(failed, 1), changed=len(plan.hosts) - failed, failed=failed)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        PvenixApp(Session(PlayedBackend(Path(folder)), clock=time.time)).run()


if __name__ == "__main__":
    main()
