"""The Proxmox VE side of the site: cluster state, API handlers, tasks."""
