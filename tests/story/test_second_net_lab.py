"""The second net over real sockets, through the command line: port 22 stays closed and the dead-men are dead."""

from __future__ import annotations

from functools import partial

import pytest

from tests.story.world import StoryLab, until

pytestmark = [pytest.mark.story, pytest.mark.slow, pytest.mark.timeout(300)]
ASKED, RESET = "dns01", "docker01"
CONFIRM_S = 10


def in_guest(lab: StoryLab, host: str, *words: str) -> None:
    """Run a program in a guest through its agent, as somebody could in Proxmox."""
    pve, vm = lab.data["pve"], lab.site.vm(host)
    header = f"Authorization: PVEAPIToken={pve['token_id']}={pve['token_secret']}"
    command = [word for each in words for word in ("--data-urlencode", f"command={each}")]
    url = f"{pve['endpoint']}/api2/json/nodes/{vm['node']}/qemu/{vm['vmid']}/agent/exec"
    lab.tool("curl", "-sS", "--fail", "--cacert", pve["ca"], "-H", header, "-X", "POST", *command, url)


def armed(lab: StoryLab, host: str) -> str:
    """The attempt whose activation has begun on the host; empty until then."""
    logs = (lab.tree(host) / "var/lib/pvenix").glob("*/activate.log")
    return next((log.parent.name for log in logs), "")


def test_what_would_be_tried_is_shown_before_then_one_host_is_asked_by_its_agent_and_the_deaf_one_is_reset(
    lab: StoryLab,
) -> None:
    lab.commit("nix/common.nix", "[ pkgs.git ]", "[\n    pkgs.git\n    pkgs.htop\n  ]")
    quick = ("--set", f"update.confirm_timeout={CONFIRM_S}s")
    shown = lab.ends(3, "rebuild", ASKED, "-C", *quick).text
    assert "without contact for 70 s after the activation: looking through the guest agent" in shown
    assert "then resetting the VM: its boot default is the old system" in shown
    site = lab.site
    old = {host: site.follow(host, "/run/current-system") for host in (ASKED, RESET)}
    booted = lab.ssh(RESET, "cat", "/proc/sys/kernel/random/boot_id")
    for host in old:
        lab.fault("port-closed-by-new-system", host)
    process = lab.start("rebuild", ASKED, RESET, *quick)
    for host in old:
        attempt = until(partial(armed, lab, host))
        in_guest(lab, host, "/run/current-system/sw/bin/systemctl", "stop", f"pvenix-deadman-{attempt}-contact.service")
    lab.fault("agent-absent", RESET)
    out, err = process.communicate(timeout=200)
    told = out + err
    assert process.returncode == 6, told
    assert "no contact for 70 s; looking through the guest agent" in told
    assert "as asked through the guest agent: the old system runs, SSH answers again" in told
    assert "no contact for 70 s; resetting the VM" in told
    assert "a reset booted it: the old system runs, SSH answers again" in told
    for host, system in old.items():
        assert lab.ssh(host, "readlink", "-f", "/run/current-system") == system
        assert site.boot_default(host)[1] == system
    assert lab.ssh(RESET, "cat", "/proc/sys/kernel/random/boot_id") != booted
