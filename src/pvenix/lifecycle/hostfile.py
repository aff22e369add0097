"""The NixOS configuration of a new host, written from its roles."""

from __future__ import annotations

from pvenix.model.host import Host
from pvenix.model.site import Site

_ESCAPES = (("\\", "\\\\"), ('"', '\\"'), ("${", "\\${"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))


def nix_string(text: str) -> str:
    """`text` as a Nix string literal that evaluates to `text`: no antiquotation survives."""
    for raw, written in _ESCAPES:
        text = text.replace(raw, written)
    return f'"{text}"'


def host_file_text(host: Host, site: Site) -> str:
    """The text of `nix/hosts/<host>.nix`: hardware, one module for each role, and the name."""
    modules = dict.fromkeys(module for role in host.roles for module in site.roles[role].modules)
    imports = [
        "../configuration.nix",
        f"../hardware/{host.name}-hw.nix",
        *(f"../modules/{name}.nix" for name in modules),
    ]
    lines = ["{", "  imports = [", *(f"    {path}" for path in imports), "  ];", ""]
    lines += [f"  networking.hostName = {nix_string(host.name)};", "}"]
    return "\n".join(lines) + "\n"
