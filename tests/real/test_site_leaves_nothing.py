"""A site of containers leaves nothing behind and touches nothing of the machine under it, however its tests end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.fleet import REPOSITORY
from tests.real.reason import why_not
from tests.real.site import cgroups
from tests.real.site.supervisor import PREFIX, reap
from tests.real.site.world import RealSite
from tests.real.test_leaves_nothing import surroundings
from tests.story.world import until

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not()), pytest.mark.timeout(180)]

OWNER = """\
import sys, time
from pathlib import Path
from tests.real.site.world import RealSite
site = RealSite(Path(sys.argv[1]))
print(site.scratch, site.supervisor.pid, flush=True)
time.sleep(600)
"""


def traces(name: str) -> list[str]:
    """What there is of a site: processes by their cgroup or command line, cgroups, its folder, mounts and devices of it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                continue  # it ended; whoever started it has not looked yet
            said = (process / "cgroup").read_text() + (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        found += [f"process {process.name}"] if name in said else []
    found += [f"cgroup {one}" for one in cgroups.names(PREFIX) if one == name]
    found += [str(path) for path in Path("/dev/shm").glob(name)] + [str(path) for path in Path("/tmp").glob(name)]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if name in line]
    return found


def devices() -> list[str]:
    """The network devices and bridges of this machine."""
    return sorted(path.name for path in Path("/sys/class/net").iterdir())


@pytest.mark.slow
def test_a_site_that_is_closed_is_gone_with_everything(tmp_path: Path) -> None:
    before = surroundings(), devices()
    site = RealSite(tmp_path)
    with site.network():
        site.ok("status")
    name = site.scratch.name
    assert len(traces(name)) > 20
    assert (surroundings(), devices()) == before
    site.close()
    assert traces(name) == []
    assert (surroundings(), devices()) == before


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """A process that has a site: itself, the site's name, and its supervisor's id."""
    path = ":".join(str(REPOSITORY / name) for name in (".", "src", "tui"))
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{path}"},
    )  # fmt: skip
    assert process.stdout
    try:
        scratch, _, supervisor = process.stdout.readline().strip().partition(" ")
        yield process, Path(scratch).name, int(supervisor)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_test_run_that_is_killed_takes_its_site_along(owner: tuple[subprocess.Popen[str], str, int]) -> None:
    process, name, _ = owner
    assert len(traces(name)) > 20
    process.send_signal(signal.SIGKILL)
    until(lambda: not traces(name))


@pytest.mark.slow
def test_what_a_killed_supervisor_leaves_has_no_process_and_goes_with_the_next_site(
    owner: tuple[subprocess.Popen[str], str, int],
) -> None:
    _, name, supervisor = owner
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not [trace for trace in traces(name) if trace.startswith("process")])
    assert traces(name)
    assert name in reap()
    assert traces(name) == []
