"""Hostile text: what a compromised guest, a rogue branch or a broken node may send. Rows T3 to T6 and R8, R9."""

from __future__ import annotations

SEQUENCES = (
    "\x1b]52;c;cm0gLXJmIC8=\x07",  # OSC 52: writes the clipboard
    "\x1b]0;owned\x07",  # OSC 0: the window's title
    "\x1b[2J\x1b[H",  # CSI: clears the screen
    "\x1bP+q544e\x1b\\",  # DCS: asks the terminal, which answers as if typed
    "\x9b31m",  # C1: an eight-bit CSI
    "\u202etxt.exe\u202c",  # bidi override
    "\x08\x08\x08OK",  # overwrites what was there
)
"""Control sequences that no output of ours may hold."""

MARKUP = "[@click=app.quit()]press[/] host[/] [bold"
"""Text that is an action, an error or both where it is taken for a label's markup."""

TERMINAL = "".join(SEQUENCES) + MARKUP
"""All of it on one line."""

NODE = "../access/users"
"""A node's name that leads elsewhere in a path joined without quoting."""

REFS = ("--upload-pack=touch-owned", "registration/;touch-owned", "registration/$(touch-owned)")
"""Names that git accepts for a branch (git 2.39, update-ref) and that a careless caller would execute."""


def yaml_bomb(levels: int = 26) -> str:
    """Merge keys that double per line: 26 lines take a safe loader more than 25 s (ruamel.yaml 0.19.1)."""
    lines = ["a0: &a0 {k0: v}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: v}}" for n in range(1, levels + 1)]
    return "\n".join(lines) + "\n"
