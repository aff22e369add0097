"""The dead-man, the fence and a killed pvenix on real systemd."""

from __future__ import annotations

import re
import time
from typing import Final

import pytest

from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import words
from tests.real.change import SHORT, pull, push, set_host
from tests.real.reason import why_not
from tests.real.site.world import RealSite
from tests.story.world import until

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not()), pytest.mark.timeout(120)]
ACTIVATING: Final = "[ -s $(ls -td /var/lib/pvenix/*-1 | head -1)/activate.log ]"
OUR_UNITS: Final = ("systemctl", "list-units", "--all", "--plain", "--no-legend", "pvenix-*")


def change(site: RealSite, host: str, words: str) -> str:
    """A commit with these words in the host's file; what runs on it before that."""
    pull(site)
    set_host(site, host, words)
    push(site, f"Change {host}: {words[:30]}")
    return site.current(host)


def slow_activation(mark: str, seconds: int = 2) -> str:
    return f'system.activationScripts.extra = "sleep {seconds} # {mark}";'


def since(site: RealSite, host: str) -> None:
    """Let what is there of attempts not count."""
    site.console(host, "mkdir", "-p", "/var/lib/pvenix/none-1")
    site.console(host, "touch", "/var/lib/pvenix/none-1")


def activating(site: RealSite, host: str) -> bool:
    return site.console(host, "sh", "-c", ACTIVATING, check=False).code == 0


def last_run(site: RealSite) -> str:
    run: str = site.ask("runs", "list", "-n", "1")["runs"][0]["run"]
    return run


def test_a_dead_man_that_was_disarmed_leaves_no_unit_and_no_failure(site: RealSite) -> None:
    old = change(site, "web-01", slow_activation("disarmed", 0))
    site.ok("rebuild", "web-01")
    assert site.current("web-01") != old
    assert site.console("web-01", *OUR_UNITS).out == ""
    assert site.console("web-01", "ls", "-A", "/run/pvenix").out == ""
    assert site.ssh("web-01", "systemctl", "is-system-running") == "running"


def test_a_dead_man_whose_pvenix_was_killed_fires_through_a_daemon_reload_and_resume_sees_it_through(
    site: RealSite,
) -> None:
    host = "web-02"
    old = change(site, host, slow_activation("killed"))
    since(site, host)
    site.killed_when(lambda: activating(site, host), "rebuild", host, *SHORT)
    killed = time.monotonic()
    until(lambda: site.current(host) != old)
    site.console(host, "systemctl", "daemon-reload")
    until(lambda: site.current(host) == old)
    assert 4 < time.monotonic() - killed < 25  # ten seconds from the arming on, then the switch back
    until(lambda: "reload" not in site.console(host, "systemctl", "list-jobs").out)
    assert (site.profile(host), site.boot_default(host)) == (old, old)
    site.ok("resume", last_run(site))
    assert site.current(host) == site.boot_default(host) == site.profile(host) != old
    assert site.console(host, *OUR_UNITS).out == ""


def test_a_killed_activation_that_is_resumed_at_once_is_confirmed_and_activated_once(site: RealSite) -> None:
    host = "web-03"
    old = change(site, host, slow_activation("resumed"))
    since(site, host)
    site.killed_when(lambda: activating(site, host), "rebuild", host)
    before = site.generations(host)
    done = site.ok("resume", last_run(site))
    assert "going on with attempt" in done.text
    assert site.current(host) == site.boot_default(host) != old
    assert len(site.generations(host)) == len(before) + 1
    logs = site.console(host, "sh", "-c", "cat $(ls -td /var/lib/pvenix/*-1 | head -1)/activate.log").out
    assert logs.count("activating the configuration...") == 1


def test_an_owner_whose_fence_was_taken_over_is_skipped_by_systemd(site: RealSite) -> None:
    host, old = "web-04", site.current("web-04")
    site.console(host, *argv.make_dir(argv.attempt_dir("stale-1")))
    site.console(host, *argv.make_dir(words.fence_of("other-1")))
    try:
        site.console(host, *words.activate("stale-1", old, "test"))
        shown = until(lambda: _condition(site, host, words.activation_unit("stale-1")))
        assert shown == "no"
        assert site.console(host, "ls", argv.attempt_dir("stale-1")).out == ""
        assert site.current(host) == old
    finally:
        site.console(host, "rm", "-r", argv.FENCE)


def _condition(site: RealSite, host: str, unit: str) -> str:
    shown = site.console(host, *argv.unit_state(unit)).out
    found = re.search(r"^ConditionResult=(\w+)$", shown, re.MULTILINE)
    return found[1] if found else ""


def test_a_second_pvenix_is_told_who_holds_the_fence_and_changes_nothing(site: RealSite) -> None:
    host = "web-05"
    old = change(site, host, slow_activation("fenced", 0))
    site.console(host, *argv.make_dir(words.fence_of("20260101-000000-abcd-00-1")))
    try:
        done = site.pvenix("rebuild", host)
        assert done.code not in (0, 6), done.text
        assert "is being activated by attempt 20260101-000000-abcd-00-1" in done.text
        assert site.current(host) == site.boot_default(host) == old
        assert site.console(host, *OUR_UNITS).out == ""
    finally:
        site.console(host, "rm", "-r", argv.FENCE)
    site.ok("rebuild", host)
    assert site.current(host) == site.boot_default(host) != old


def test_a_unit_that_fails_makes_the_switch_exit_with_4_and_the_host_goes_back(site: RealSite) -> None:
    host = "web-06"
    service = 'Type = "oneshot"; ExecStart = "/bin/false";'
    old = change(
        site,
        host,
        f'systemd.services.broken = {{ wantedBy = [ "multi-user.target" ]; serviceConfig = {{ {service} }}; }};',
    )
    done = site.ends(6, "rebuild", host)
    assert "units failed: broken.service" in done.text
    log = site.console(host, "sh", "-c", "cat $(ls -td /var/lib/pvenix/*-1 | head -1)/activate.log").out
    assert "warning: the following units failed: broken.service" in log
    assert site.current(host) == site.boot_default(host) == site.profile(host) == old
    assert site.ssh(host, "systemctl", "is-system-running") == "running"
    new = site.console(host, "sh", "-c", "readlink -f $(ls -td /var/lib/pvenix/*-1 | head -1)/new").out.strip()
    assert site.console(host, f"{new}/bin/switch-to-configuration", "test", check=False).code == 4
    site.console(host, f"{old}/bin/switch-to-configuration", "test")


def test_boot_and_test_and_a_reboot_are_what_they_say(site: RealSite) -> None:
    """The boot loader decides what runs after a reboot: `test` is lost, the profile alone boots nothing."""
    host = "web-07"
    old = change(site, host, slow_activation("booted", 0))
    site.ok("build", host)
    new = site.console(host, "sh", "-c", "readlink -f $(ls -td /var/lib/pvenix/*/new | head -1)").out.strip()
    site.console(host, f"{new}/bin/switch-to-configuration", "test")
    assert (site.current(host), site.boot_default(host)) == (new, old)
    assert reboot(site, host) == old
    site.console(host, "nix-env", "-p", argv.PROFILE, "--set", new)
    site.console(host, f"{new}/bin/switch-to-configuration", "boot")
    assert (site.current(host), site.boot_default(host)) == (old, new)
    assert reboot(site, host) == new


def test_a_power_cut_in_mid_activation_boots_the_old_system_and_is_called_rolled_back(site: RealSite) -> None:
    host = "web-01"
    old = change(site, host, slow_activation("power cut"))
    since(site, host)
    run, first = site.start("rebuild", host), site.first_process(host)
    until(lambda: activating(site, host))
    site.power(host, "reset")
    until(lambda: site.first_process(host) not in (0, first))
    done = site.finish(run)
    assert done.code == 6, done.text
    assert "rebooted into its boot default" in done.text
    assert site.current(host) == site.boot_default(host) == site.profile(host) == old
    assert site.ssh(host, "systemctl", "is-system-running") == "running"


def reboot(site: RealSite, host: str) -> str:
    """Let the guest reboot by itself; what runs afterwards."""
    before, first = site.boot_id(host), site.first_process(host)
    site.console(host, "systemctl", "reboot", "--no-block")
    until(lambda: site.first_process(host) not in (0, first))
    until(lambda: site.tried("ssh", "-F", str(site.lab / "ssh_config"), host, "true").code == 0)
    assert site.boot_id(host) != before
    return site.current(host)
