"""The command line in this process, over a lab that is a process of its own: arguments in, exit code and text out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner

from pvenix.cli.main import cli
from tests.story.world import Done, StoryLab, writes


class Inside:
    """A person's commands at a lab, without the price of a new Python for each."""

    def __init__(self, lab: StoryLab) -> None:
        self.lab = lab

    def __call__(self, *words: str) -> Done:
        """How a pvenix command in the fleet's directory ended; never with a traceback or a crash."""
        with _as(self.lab.env):
            result = CliRunner(env=self.lab.env).invoke(cli, ["--fleet", str(self.lab.fleet), *words])
        done = Done(code=int(result.exit_code), out=result.stdout, err=result.stderr)
        assert "Traceback" not in done.text, done.text
        assert "PVX0000" not in done.text, done.text
        return done

    def ends(self, code: int, *words: str) -> Done:
        """A command that must end with `code`."""
        done = self(*words)
        assert done.code == code, f"pvenix {' '.join(words)} ended with {done.code}, not {code}:\n{done.text}"
        return done

    def arm(self, name: str, *words: str) -> None:
        """Arm a fault of the lab on its far side."""
        self.ends(0, "lab", "fault", str(self.lab.lab), name, *words)

    def clear(self) -> None:
        """End every fault."""
        self.ends(0, "lab", "clear", str(self.lab.lab))

    def newcomer(self, name: str, *fields: str) -> str:
        """A host in the inventory that has no VM yet."""
        self.ends(0, "host", "add", name, "--role", "base", "--zone", "mgmt", *fields)
        return name

    def written(self, code: int, *words: str) -> tuple[Done, dict[str, int]]:
        """A command that must end with `code`, and the writes that the far side counted meanwhile."""
        self.ends(0, "lab", "reset-counters", str(self.lab.lab))
        done = self.ends(code, *words)
        return done, writes(self.lab.control()["counters"])

    # --- the far side ------------------------------------------------------------------------------------------------

    def vms(self, name: str) -> list[dict[str, Any]]:
        """The VMs of this name, as every node lists them."""
        return [vm for vm in self.lab.site.vms if vm.get("name") == name]

    def vm(self, name: str) -> dict[str, Any]:
        """The host's one VM."""
        [vm] = self.vms(name)
        return vm

    def config(self, name: str) -> dict[str, Any]:
        """The one VM's configuration."""
        return self.lab.site.config(name)

    def strangers(self, *mine: str) -> dict[int, Any]:
        """What the VMs are now that are not `mine`."""
        site = self.lab.site
        return {
            vm["vmid"]: site.api(f"/nodes/{vm['node']}/qemu/{vm['vmid']}/config")
            for vm in site.vms
            if vm.get("name") not in mine
        }


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """Somebody at a lab of the module's own, whose clones and boots take no time."""
    lab = StoryLab(tmp_path_factory.mktemp("rows").resolve(), "--speed", "50", "--hosts", "0")
    yield Inside(lab)
    assert lab.pvenix("lab", "down", str(lab.lab), cwd=lab.folder).code == 0


@pytest.fixture(autouse=True)
def _no_fault_is_left(person: Inside) -> Iterator[None]:
    yield
    person.clear()


@contextmanager
def _as(env: dict[str, str]) -> Iterator[None]:
    """The environment of the person at the lab, for the length of a command."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
