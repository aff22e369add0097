"""pvenix: the cockpit for a NixOS fleet on Proxmox VE. Imports nothing, so that `pvenix --version` costs nothing."""

__version__ = "0.1.0"
