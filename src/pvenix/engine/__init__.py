"""Runs: waves, steps, journal, locks; knows no Proxmox, no SSH and no Git."""
