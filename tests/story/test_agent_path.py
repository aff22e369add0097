"""A newcomer whose port 22 is closed, over real sockets: identity, hardware and Git key come through the guest agent.

Then the ways to its console, and what is left of its rights when it goes.
"""

from __future__ import annotations

import shlex

import pytest

from tests.story.world import Done, StoryLab

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

NEW = "tappaas-litellm"
BRANCH = f"registration/{NEW}"
QUICK = ("--set", "bootstrap.ssh_timeout=4s")


def pushed_by(lab: StoryLab, host: str, refspec: str) -> Done:
    """A push with the Git key of a guest, as the guest itself would do it."""
    key = lab.site.tree(host) / "var/lib/fleet/id_ed25519"
    jump = lab.data["ssh"]["jump"]
    known = lab.folder / "known-jump"
    known.write_text(f"[{jump['host']}]:{jump['port']} {jump['host_key']}\n")
    ssh = f"ssh -F none -i {key} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes"
    return lab.tried(
        "git", "push", lab.data["git"]["url"], refspec, env={"GIT_SSH_COMMAND": f"{ssh} -o UserKnownHostsFile={known}"}
    )


def test_port_22_is_closed_and_the_host_is_registered_all_the_same(lab: StoryLab) -> None:
    lab.ok("clone", NEW)
    lab.ok("cloudinit", NEW)
    lab.fault("ssh-refused", NEW)
    assert "answers through its guest agent only, SSH does not" in lab.ok("boot", NEW, *QUICK).out
    done = lab.ok("run", "playbooks/onboard.yaml", "-l", NEW, "--tags", "register", *QUICK)
    assert "reading through the guest agent" in done.text
    pin = lab.site.git("show", f"{BRANCH}:inventory/trust/{NEW}").split()
    assert pin[:2] == (lab.site.tree(NEW) / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
    assert "fileSystems" in lab.site.git("show", f"{BRANCH}:nix/hardware/{NEW}-hw.nix")


def test_its_own_key_opens_its_own_branch_and_nothing_else(lab: StoryLab) -> None:
    lab.git("fetch", "--quiet", "origin")
    lab.git("checkout", "--quiet", "--detach", f"origin/{BRANCH}")
    lab.git("commit", "--quiet", "--allow-empty", "--message", "From the guest")
    mine = lab.git("rev-parse", "HEAD")
    lab.git("checkout", "--quiet", "main")
    assert pushed_by(lab, NEW, f"{mine}:refs/heads/{BRANCH}").code == 0
    for branch in ("main", "registration/dns01"):
        refused = pushed_by(lab, NEW, f"{mine}:refs/heads/{branch}")
        assert (refused.code, f"{BRANCH} only" in refused.text) == (1, True), refused.text


def test_the_console_s_command_reaches_the_very_guest_and_the_serial_port_needs_no_network(lab: StoryLab) -> None:
    shown = lab.ask("console", "dns01")
    ways = {way["kind"]: way for way in shown["ways"]}
    assert shown["power"] == "running"
    assert lab.tool(*ways["ssh"]["argv"], "hostname") == "dns01"
    vm = lab.site.vm("dns01")
    assert ways["serial"]["argv"] == ["ssh", "-t", f"root@{vm['node']}", "qm", "terminal", str(vm["vmid"])]
    assert ways["web"]["url"].startswith(f"{lab.data['pve']['endpoint']}/?console=kvm&novnc=1&vmid={vm['vmid']}&")
    assert shlex.join(ways["ssh"]["argv"]) in lab.ok("console", "dns01").out


def test_a_console_of_a_host_that_is_down_says_what_does_not_work_and_what_does(lab: StoryLab) -> None:
    lab.switch_off("docker01")
    shown = lab.ends(0, "console", "docker01").out
    assert "docker01  VM 210 on tappaas2, stopped" in shown
    assert "not now: the VM is stopped" in shown
    assert "/?console=kvm" in shown
    refused = lab.ends(1, "console", "docker01", "--open")
    assert "PVX0595" in refused.err
    assert "/?console=kvm" in refused.err
    assert lab.pvenix("console", "nobody").code == 2


def test_a_console_with_another_host_key_is_not_entered(lab: StoryLab) -> None:
    ways = {way["kind"]: way for way in lab.ask("console", "nix-cache01")["ways"]}
    lab.fault("host-key-changed", "nix-cache01")
    done = lab.tried(*ways["ssh"]["argv"], "hostname")
    assert (done.code, "Host key verification failed" in done.err) == (255, True), done.text
    lab.ok("lab", "clear", str(lab.lab))


def test_a_host_that_is_retired_can_push_no_more(lab: StoryLab) -> None:
    key = lab.site.tree(NEW) / "var/lib/fleet/id_ed25519.pub"
    public = key.read_text().split()[1]
    keys = ("sudo", "-n", "cat", "/srv/git/.ssh/authorized_keys")
    before = lab.ssh("tappaas-cicd", *keys).splitlines()
    lab.ok("retire", NEW, "--confirm", NEW)
    after = lab.ssh("tappaas-cicd", *keys).splitlines()
    assert [line for line in before if line not in after] == [line for line in before if public in line]
    assert len(after) == len(before) - 1


def test_each_command_finds_the_host_where_it_answers_and_shows_why(lab: StoryLab) -> None:
    """The inventory's address leads nowhere from here, then it is right again: the memory never stands in the way."""

    def reached() -> tuple[str, str]:
        [status] = lab.ask("status", "nix-cache01")["status"]
        return status["address"], status["address_why"]

    lab.ok("host", "edit", "nix-cache01", "network.address=10.69.13.99/24")
    assert reached() == ("10.69.13.15", "guest agent")
    assert "last reached at 10.69.13.15 (guest agent, " in lab.ok("host", "show", "nix-cache01").out
    assert "10.69.13.15 (guest agent, " in lab.ok("status", "nix-cache01").out
    lab.ok("host", "edit", "nix-cache01", "network.address=10.69.13.15/24")
    assert reached() == ("10.69.13.15", "inventory")
    assert lab.ask("host", "show", "nix-cache01")["reached"]["address"] == "10.69.13.15"
