"""Widgets; each draws lines of toned text, and none does any I/O."""
