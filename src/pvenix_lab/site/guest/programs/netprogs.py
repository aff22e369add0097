"""The name and the network of a guest as a person looks at them: hostnamectl, ip, ss, ping; texts of systemd and iproute2."""

from __future__ import annotations

import ipaddress

from pvenix_lab.site.guest.call import Call, ProgramError, parse_options
from pvenix_lab.site.guest.neighbours import find
from pvenix_lab.site.guest.network import Interface


async def hostnamectl(call: Call) -> int:
    """`hostnamectl [status|hostname]`; setting a static name is refused as on NixOS, where the configuration owns it."""
    options = parse_options(call, flags=("--static", "--transient", "--no-ask-password"), values=())
    system, guest = call.guest.current, call.guest
    if options.rest[:1] in (("hostname",), ("set-hostname",)) and len(options.rest) > 1:
        raise ProgramError("Could not set static hostname: Access denied")
    if options.flags or options.rest[:1] == ("hostname",):
        call.out(f"{guest.hostname}\n")
        return 0
    virtual = "qemu" if str(guest.vm.config.get("kvm", 1)) == "0" else "kvm"
    rows = (
        ("Static hostname" if system.host_name else "Transient hostname", guest.hostname),
        ("Icon name", "computer-vm"),
        ("Chassis", "vm 🖴"),
        ("Machine ID", call.tree.read_text("/etc/machine-id").strip()),
        ("Boot ID", guest.boot_id.replace("-", "")),
        ("Virtualization", virtual),
        ("Operating System", f"NixOS {system.nixos_version[:5]} (Xantusia)"),
        ("Kernel", f"Linux {guest.booted.kernel}"),
        ("Architecture", "x86-64"),
        ("Hardware Vendor", "QEMU"),
    )
    call.out("".join(f"{key:>18}: {value}\n" for key, value in rows))
    return 0


def _interfaces(call: Call) -> list[tuple[str, str, tuple[str, ...]]]:
    rows: list[Interface] = call.guest.interfaces
    return [("lo", "00:00:00:00:00:00", ("127.0.0.1/8", "::1/128"))] + [(i.name, i.mac, i.addresses) for i in rows]


async def ip(call: Call) -> int:
    """`ip [-br] address|link|route`."""
    options = parse_options(call, flags=("-br", "-brief", "-4", "-6", "-o", "-b", "-r"))
    what = (options.rest or ("",))[0]
    if what and "address".startswith(what):
        for index, (name, mac, addresses) in enumerate(_interfaces(call), 1):
            _address(call, (index, name, mac, addresses), brief=options.has("-br", "-brief", "-b"))
    elif what and "link".startswith(what):
        for index, (name, mac, _) in enumerate(_interfaces(call), 1):
            _address(call, (index, name, mac, ()), brief=options.has("-br", "-brief", "-b"))
    elif what and "route".startswith(what):
        for interface in call.guest.interfaces:
            _routes(call, interface)
    else:
        raise ProgramError(
            f'Object "{what}" is unknown, try "ip help".'
            if what
            else "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }",
            1,
        )
    return 0


def _address(call: Call, row: tuple[int, str, str, tuple[str, ...]], *, brief: bool) -> None:
    index, name, mac, addresses = row
    state = "UNKNOWN" if name == "lo" else "UP"
    if brief:
        call.out(f"{name:<16} {state:<14} {' '.join(addresses or (mac,))} \n")
        return
    flags = "LOOPBACK,UP,LOWER_UP" if name == "lo" else "BROADCAST,MULTICAST,UP,LOWER_UP"
    kind = "loopback" if name == "lo" else "ether"
    mtu = 65536 if name == "lo" else 1500
    call.out(f"{index}: {name}: <{flags}> mtu {mtu} qdisc fq_codel state {state} group default qlen 1000\n")
    call.out(f"    link/{kind} {mac} brd {'00:00:00:00:00:00' if name == 'lo' else 'ff:ff:ff:ff:ff:ff'}\n")
    for address in addresses:
        version = "inet6" if ":" in address else "inet"
        scope = "host" if name == "lo" else "link" if address.startswith("fe80") else "global"
        call.out(f"    {version} {address} scope {scope} {name}\n       valid_lft forever preferred_lft forever\n")


def _routes(call: Call, interface: Interface) -> None:
    network = call.guest.fabric.network(interface.bridge, interface.vlan)
    for address in (address for address in interface.addresses if ":" not in address):
        own, net = address.partition("/")[0], ipaddress.ip_interface(address).network
        call.out(f"default via {network.gateway} dev {interface.name} proto static\n")
        call.out(f"{net} dev {interface.name} proto kernel scope link src {own}\n")


async def ss(call: Call) -> int:
    """`ss -tln`: what listens."""
    parse_options(call, flags=("-t", "-l", "-n", "-u", "-p", "-4", "-6", "-a", "-H"))
    guest = call.guest
    ports = [22] if guest.ssh_ready else []
    ports += [port for port in guest.current.tcp_ports if port != 22 and guest.service_listens(port)]
    call.out("State  Recv-Q Send-Q Local Address:Port Peer Address:Port\n")
    for port in sorted(ports):
        call.out(f"LISTEN 0      128          0.0.0.0:{port:<4}      0.0.0.0:*\n")
    return 0


async def ping(call: Call) -> int:
    """`ping [-c N] [-W S] HOST`: 0 when a running guest has this name or address, 1 when nobody answers, 2 for an unknown name."""
    options = parse_options(call, flags=("-4", "-6", "-q", "-n"), values=("-c", "-W", "-w", "-i"), usage=2)
    if len(options.rest) != 1:
        raise ProgramError("ping: usage error: Destination address required", 2)
    name = options.rest[0]
    target = find(call.guest.site, name)
    if target is None and not name.replace(".", "").isdigit():
        raise ProgramError(f"ping: {name}: Name or service not known", 2)
    count = int(options.value("-c", "1"))
    answered = count if target is not None or name == "127.0.0.1" else 0
    call.out(f"PING {name} 56(84) bytes of data.\n")
    for number in range(1, answered + 1):
        call.out(f"64 bytes from {name}: icmp_seq={number} ttl=64 time=0.200 ms\n")
    lost = 100 - 100 * answered // max(count, 1)
    call.out(
        f"\n--- {name} ping statistics ---\n{count} packets transmitted, {answered} received, {lost}% packet loss, time 0ms\n"
    )
    return 0 if answered else 1
