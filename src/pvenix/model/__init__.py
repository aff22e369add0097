"""Values without I/O that every other layer speaks in."""
