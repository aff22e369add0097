"""One file per verb: how a host is brought from a line in the inventory to a running system, and back."""
