"""The state machine of the site: no sockets, no threads, time from the running event loop."""
