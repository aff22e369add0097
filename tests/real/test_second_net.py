"""sshd is gone and the dead-man dead on real systemd: one host is asked through its agent, the other one is reset."""

from __future__ import annotations

from functools import partial

import pytest

from tests.real.change import pull, push, set_host
from tests.real.reason import why_not
from tests.real.site.world import RealSite
from tests.story.world import until

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
    pytest.mark.timeout(400),
]
BY = {"web-01": "agent", "web-02": "reset"}
"""The hosts, and the only rung that each may have."""
ARMED = ("--set", "update.confirm_timeout=30s")
"""Time enough to kill both dead-men before they fire, on a busy machine too."""


def sshd_is_gone(site: RealSite, host: str) -> bool:
    return site.console(host, "systemctl", "is-active", "sshd", check=False).out.strip() != "active"


def test_a_host_without_sshd_and_dead_man_is_back_by_its_agent_or_by_a_reset(site: RealSite) -> None:
    pull(site)
    for host in BY:
        set_host(site, host, "services.openssh.enable = lib.mkForce false;")
    push(site, "No sshd")
    old = {host: site.current(host) for host in BY}
    booted = {host: site.boot_id(host) for host in BY}
    runs = {host: site.start("rebuild", host, *ARMED, "--set", f"update.second_net=[{by}]") for host, by in BY.items()}
    for host in BY:
        until(partial(sshd_is_gone, site, host))
        site.console(host, "systemctl", "stop", "pvenix-deadman-*-contact.service")
        assert site.current(host) != old[host]
    told = {host: "".join(run.communicate(timeout=300)) for host, run in runs.items()}
    assert {host: run.returncode for host, run in runs.items()} == dict.fromkeys(BY, 6), told
    assert "it went back as asked through the guest agent: the old system runs, SSH answers again" in told["web-01"]
    assert "a reset booted it: the old system runs, SSH answers again" in told["web-02"]
    for host in BY:
        assert site.ssh(host, "readlink", "-f", "/run/current-system") == old[host]
        assert (site.profile(host), site.boot_default(host)) == (old[host], old[host])
        assert site.ssh(host, "systemctl", "is-system-running") == "running"
        assert site.console(host, "systemctl", "list-units", "--all", "--plain", "--no-legend", "pvenix-*").out == ""
    assert site.boot_id("web-01") == booted["web-01"]
    assert site.boot_id("web-02") != booted["web-02"]
