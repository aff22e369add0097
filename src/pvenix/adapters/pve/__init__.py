"""Proxmox VE: typed calls over a transport. Nothing is imported here, so that only who talks to Proxmox loads requests."""
