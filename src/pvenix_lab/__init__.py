"""The simulated site: speaks Proxmox, SSH and Git to any client, and imports nothing of pvenix."""
