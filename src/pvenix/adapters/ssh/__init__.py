"""Guests over SSH. Nothing is imported here, because asyncssh costs a sixth of a second."""
