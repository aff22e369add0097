"""Checked by `make types`, never run: who has the shape that the TUI asks for, and that the shape is no wider."""

from __future__ import annotations

from pvenix.fleet.load import Fleet
from pvenix.model.host import Host
from pvenix.wiring import Workspace
from pvenix_tui.backend import Backend, FleetLike, HostLike
from tests.tui.fake_backend import FakeBackend


def a_workspace_is_a_backend(workspace: Workspace) -> Backend:
    return workspace


def the_tests_fake_is_a_backend(fake: FakeBackend) -> Backend:
    return fake


def a_loaded_fleet_is_what_the_screens_show(fleet: Fleet) -> FleetLike:
    return fleet


def a_host_is_what_a_row_shows(host: Host) -> HostLike:
    return host


def a_screen_reaches_nothing_that_a_backend_need_not_have(backend: Backend) -> object:
    return backend.execute  # type: ignore[attr-defined] # only the run's own process executes
