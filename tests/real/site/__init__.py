"""A site whose guests are containers with systemd as PID 1: everything is real but the hypervisor's API."""
