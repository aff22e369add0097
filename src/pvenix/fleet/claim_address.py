"""The address in a claim: `ip` with `cidr` in any of its forms, or `dhcp: true`."""

from __future__ import annotations

import ipaddress
import re

from pvenix.fleet import codes
from pvenix.fleet.node import Node, scalar
from pvenix.model.findings import Finding


def read_address(network: Node | None, findings: list[Finding]) -> Node | None:
    """What `network.address` of the host is to be, None when the claim says nothing, or nothing that can be meant."""
    ip, dhcp, cidr = (_value(network, key) for key in ("ip", "dhcp", "cidr"))
    if dhcp is not None and not isinstance(dhcp.value, bool):
        _say(findings, dhcp, codes.VALUE, "`spec.network.dhcp` must be true or false")
    elif dhcp is not None and dhcp.value and ip is not None:
        _say(findings, ip, codes.VALUE, "`spec.network` has both `ip` and `dhcp: true`", "remove one of them")
    elif ip is not None:
        return _with_prefix(ip, cidr, findings)
    elif dhcp is not None and dhcp.value:
        return scalar("dhcp", dhcp)
    elif dhcp is not None:
        _say(findings, dhcp, codes.MISSING, "`dhcp: false` needs an `ip`", "add `ip` and `cidr`, or write `dhcp: true`")
    return None


def _with_prefix(ip: Node, cidr: Node | None, findings: list[Finding]) -> Node | None:
    """`ip` with the prefix that it has itself, or that `cidr` gives as 24, /24 or 10.0.0.0/24."""
    text = str(ip.value)
    if "/" in text:
        if cidr is not None and _prefix(cidr) != text.partition("/")[2]:
            _say(findings, cidr, codes.ADDRESS, f"`cidr` {cidr.value} and `ip` {text} differ", "remove one prefix")
        return ip
    if cidr is None:
        _say(
            findings, ip, codes.MISSING, "`spec.network.cidr` is missing", f"write `cidr: 24`, or `ip: {text[:60]}/24`"
        )
        return None
    prefix, network = _prefix(cidr), _network(cidr)
    if prefix is None:
        what = f"`spec.network.cidr`: {str(cidr.value)[:60]!r} is not a prefix"
        _say(findings, cidr, codes.VALUE, what, "write 24, or the network as 10.0.0.0/24")
        return None
    address = _ip(text)
    if network is not None and address is not None and address not in network:
        _say(findings, ip, codes.ADDRESS, f"{text} is outside {network}", f"`cidr` is at {cidr.file}:{cidr.line}")
        return None
    return scalar(f"{text}/{prefix}", ip)


def _value(network: Node | None, key: str) -> Node | None:
    node = network.get(key) if network is not None else None
    return None if node is None or node.is_null else node


def _say(findings: list[Finding], node: Node, code: str, what: str, hint: str = "") -> None:
    findings.append(node.finding(code, what, hint))


def _prefix(cidr: Node) -> str | None:
    match = re.fullmatch(r"(?:.*/)?([0-9]{1,3})", str(cidr.value))
    return match[1] if match else None


def _network(cidr: Node) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(str(cidr.value), strict=False) if "/" in str(cidr.value).strip("/") else None
    except ValueError:
        return None


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
