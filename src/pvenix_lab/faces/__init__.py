"""The faces of the site: real sockets before the state machine."""
