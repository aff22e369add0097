"""What a run looks like: each renderer reads the one stream of events."""
