"""From merged options to the parts of a NixOS system that the lab acts on: units, ports, SSH, name, versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.guest.jobs import UPGRADE, jobs_of
from pvenix_lab.site.guest.store import System, nix_hash

if TYPE_CHECKING:
    from pvenix_lab.site.guest.options import Options

RELEASE = "25.11"
_KERNEL = "6.12"  # the default kernel series of NixOS 25.11
_UNIT_OF = {
    "openssh": ("sshd.service",),
    "qemuGuest": ("qemu-guest-agent.service",),
    "journald": (),
    "xserver": (),
}
_RESTARTED = frozenset({"sshd.service"})  # stopIfChanged is false in nixpkgs' sshd.nix
_VERSIONS = {"openssh": "10.2p1", "unbound": "1.24.1", "docker": "28.5.2", "litellm": "1.79.1", "harmonia": "2.1.0"}
"""Versions of packages by service, as in nixpkgs 25.11; others get the release's number."""


def describe(options: Options, nixpkgs: tuple[str, str], *, revision: str) -> System:
    """The system that these options make with this nixpkgs (commit, date)."""
    commit, day = nixpkgs
    ports = options.get("networking.firewall.allowedTCPPorts", [])
    tcp = {port for port in ports if isinstance(port, int)} if isinstance(ports, list) else set()
    sshd = options.is_true("services.openssh.enable")
    if sshd and options.is_true("services.openssh.openFirewall", default=True):
        tcp.add(22)
    services = [name for name in options.below("services") if options.is_true(f"services.{name}.enable")]
    for name in services:
        port = options.get(f"services.{name}.port")
        if isinstance(port, int) and options.is_true(f"services.{name}.openFirewall"):
            tcp.add(port)
    host_name = options.get("networking.hostName", "")
    modules = options.get("boot.initrd.availableKernelModules", [])
    return System(
        host_name=host_name if isinstance(host_name, str) else "",
        nixos_version=f"{RELEASE}.{day}.{commit[:7]}",
        nixpkgs_revision=commit,
        kernel=_kernel(options, day),
        revision=revision,
        units=_units(options, services, commit),
        tcp_ports=tuple(sorted(tcp)),
        firewall=options.is_true("networking.firewall.enable", default=True),
        sshd=sshd,
        keys=_keys(options),
        packages=_packages(options, services),
        jobs=jobs_of(options),
        known_hosts=_known_hosts(options),
        keeps_host_keys=options.get("services.cloud-init.settings.ssh_deletekeys") is False,
        initrd_modules=tuple(str(module) for module in modules) if isinstance(modules, list) else (),
    )


def _known_hosts(options: Options) -> dict[str, str]:
    """Host names with the key that `programs.ssh.knownHosts` gives them."""
    found: dict[str, str] = {}
    for entry in options.below("programs.ssh.knownHosts"):
        head = f"programs.ssh.knownHosts.{entry}"
        key, names = options.get(f"{head}.publicKey"), options.get(f"{head}.hostNames", [entry])
        if isinstance(key, str) and isinstance(names, list):
            found |= {name: key for name in names if isinstance(name, str)}
    return found


def _kernel(options: Options, day: str) -> str:
    """The kernel's release: the default series, or the one that `boot.kernelPackages` names."""
    asked = options.text_below("boot.kernelPackages").partition("linuxPackages_")[2].split()[:1]
    series = asked[0].replace("_", ".").rstrip(";)") if asked and asked[0][0].isdigit() else _KERNEL
    return f"{series}.{int(day) % 10000 // 7}"


def _units(options: Options, services: list[str], commit: str) -> dict[str, str]:
    """Every declared unit: the state after its start, a digest of its settings, how an activation treats it when it has changed.

    States are `running`, `exited`, `dead`, `waiting`; the treatment is `reload`, `restart`, `keep`, or nothing: stop and start.
    """
    units = {}
    for service in services:
        text = options.text_below(f"services.{service}")
        for unit in _UNIT_OF.get(service, (f"{service}.service",)):
            units[unit] = f"running {nix_hash(commit, text)}" + (" restart" if unit in _RESTARTED else "")
    if options.is_true("virtualisation.docker.enable"):
        digest = nix_hash(commit, options.text_below("virtualisation.docker"))
        units |= {"docker.service": f"running {digest}", "docker.socket": f"running {digest}"}
    if options.is_true("networking.firewall.enable", default=True):
        rules = options.text_below("networking.firewall")
        units["firewall.service"] = (
            f"exited {nix_hash(commit, rules, str(options.get('services.openssh.enable')))} reload"
        )
    if options.is_true("system.autoUpgrade.enable"):
        digest = nix_hash(commit, options.text_below("system.autoUpgrade"))
        # restartIfChanged and stopIfChanged are false: it is what runs the activation
        units |= {f"{UPGRADE}.service": f"dead {digest} keep", f"{UPGRADE}.timer": f"waiting {digest}"}
    for name in options.below("systemd.services"):
        if f"{name}.service" in units and units[f"{name}.service"].endswith(" keep"):
            continue
        head = f"systemd.services.{name}"
        oneshot = options.get(f"{head}.serviceConfig.Type") == "oneshot"
        remains = options.is_true(f"{head}.serviceConfig.RemainAfterExit")
        state = ("exited" if remains else "dead") if oneshot else "running"
        known = units.get(f"{name}.service", "")
        digest = nix_hash(commit, known, options.text_below(head))
        how = known.partition(" ")[2].partition(" ")[2] or _how(options, head)
        units[f"{name}.service"] = f"{known.partition(' ')[0] or state} {digest} {how}".rstrip()
    return units


def _how(options: Options, head: str) -> str:
    """What an activation does to the unit when it has changed; nothing said: stop it, then start it."""
    if options.get(f"{head}.restartIfChanged") is False:
        return "keep"
    if options.get(f"{head}.reloadIfChanged") is True:
        return "reload"
    return "restart" if options.get(f"{head}.stopIfChanged") is False else ""


def _keys(options: Options) -> dict[str, tuple[str, ...]]:
    keys = {}
    for user in options.below("users.users"):
        given = options.get(f"users.users.{user}.openssh.authorizedKeys.keys")
        found = tuple(key for key in given if isinstance(key, str)) if isinstance(given, list) else ()
        if found:
            keys[user] = found
    return keys


def _packages(options: Options, services: list[str]) -> dict[str, str]:
    """Packages of the closure by name, for `nix store diff-closures`."""
    names = {{"qemuGuest": "qemu-ga"}.get(name, name) for name in services}
    if options.is_true("virtualisation.docker.enable"):
        names.add("docker")
    names |= set(options.below("systemd.services"))
    listed = options.text_below("environment.systemPackages").split()
    names |= {word.removeprefix("pkgs.") for word in listed if word.startswith("pkgs.") and word != "pkgs."}
    return {name: _VERSIONS.get(name, RELEASE) for name in sorted(names)}
