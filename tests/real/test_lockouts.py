"""A new system that locks us out undoes itself on real systemd: the host is back on the old one and boots it."""

from __future__ import annotations

import re
import time
from typing import Final

import pytest

from tests.real.change import SHORT, pull, push, set_host
from tests.real.reason import why_not
from tests.real.site.world import RealSite

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not()), pytest.mark.timeout(180)]
CONFIRM_S: Final = 10
GRACE_S: Final = 60


def unit(start: str, stop: str) -> str:
    """A unit as NixOS makes one of a network setting: what it does at its start its end undoes."""
    service = f'Type = "oneshot"; RemainAfterExit = true; ExecStart = "{start}"; ExecStop = "{stop}";'
    return f'systemd.services.net = {{ wantedBy = [ "multi-user.target" ]; serviceConfig = {{ {service} }}; }};'


def sshd(line: str) -> str:
    return f'services.openssh.extraConfig = "{line}";'


def activation(line: str) -> str:
    return f'system.activationScripts.extra = "{line}";'


def shell(text: str) -> str:
    return f"/bin/sh -c '{text}'"


MOVED = "ip address flush dev eth0; ip address add 10.2.10.{}/24 dev eth0; ip route add default via 10.2.10.1"
LOCKOUTS: Final = {
    "sshd is gone": "services.openssh.enable = lib.mkForce false;",
    "sshd listens on another port": "services.openssh.ports = lib.mkForce [ 2222 ];",
    "the firewall closes port 22": "services.openssh.openFirewall = lib.mkForce false;",
    "the address is another one": unit(shell(MOVED.format(250)), shell(MOVED.format("{own}"))),
    "the network is down": unit(
        "/sbin/ip link set eth0 down", shell("ip link set eth0 up; ip route replace default via 10.2.10.1")
    ),
    "the activation hangs": activation("sleep 1000"),
    "no key is authorised": sshd("PubkeyAuthentication no"),
    "nobody may log in": sshd("AllowUsers nobody"),
    "sudo wants a password": "security.sudo.wheelNeedsPassword = lib.mkForce true;",
    "sshd does not start": sshd("NoSuchOption yes"),
    "the host key is another one": "systemd.services.sshd.serviceConfig.ExecStart = lib.mkForce "
    '"/usr/sbin/sshd -D -f /etc/ssh/sshd_config -o HostKey=/etc/ssh/other_key";'
    + activation("[ -e /etc/ssh/other_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/other_key"),
    "the way back to us is gone": unit(
        "/sbin/ip route add blackhole 10.0.0.0/24", "/sbin/ip route del blackhole 10.0.0.0/24"
    ),
    "every packet is dropped": unit("/usr/sbin/nft -f ${drop}", "/usr/sbin/nft delete table inet cut"),
    "every command is replaced": sshd("ForceCommand /bin/false"),
    "the login shell is gone": activation("usermod --shell /usr/sbin/nologin tappaas"),
    "it reboots in the activation": activation("systemctl reboot --force --force; sleep 1000"),
}
"""Each a few words of a host's NixOS file."""
WAVES: Final = [dict(list(LOCKOUTS.items())[start : start + 6]) for start in range(0, len(LOCKOUTS), 6)]

SLOW: Final = [pytest.param(wave, marks=pytest.mark.slow, id=", ".join(wave)) for wave in WAVES[1:]]


@pytest.mark.parametrize("wave", [pytest.param(WAVES[0], id=", ".join(WAVES[0])), *SLOW])
def test_a_host_that_is_locked_out_is_back_on_the_old_system_in_time(site: RealSite, wave: dict[str, str]) -> None:
    hosts = {f"web-{number:02d}": words for number, words in enumerate(wave.values(), 1)}
    pull(site)
    before = {host: site.current(host) for host in hosts}
    for host, words in hosts.items():
        set_host(site, host, words)
    push(site, ", ".join(wave))
    began = time.monotonic()
    done = site.ends(6, "rebuild", ":".join(hosts), *SHORT)
    took = time.monotonic() - began
    ended = {line.split()[0] for line in done.out.splitlines() if re.match(r"\S+ +rebuild +rolled back ", line)}
    assert ended == set(hosts), done.text
    for host, name in zip(hosts, wave, strict=True):
        assert site.ssh(host, "readlink", "-f", "/run/current-system") == before[host], name
        assert (site.profile(host), site.boot_default(host)) == (before[host], before[host]), name
        assert site.ssh(host, "systemctl", "is-system-running") == "running", name
    assert took < CONFIRM_S + GRACE_S + 30  # the builds of all, too
