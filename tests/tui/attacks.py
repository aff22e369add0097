"""What foreign text may hold, and what of it must never reach a terminal.

Sequences of an attack use numbers that the app itself never sends, so that a sequence which got through is told from
the app's own: colours (1,2,3), the cursor on line 77 and column 777, window titles and the clipboard.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

ESC, CSI8, OSC8, DCS8, ST8 = "\x1b", "\x9b", "\x9d", "\x90", "\x9c"
ATTACKS: Final = MappingProxyType({
    "c0": "".join(map(chr, range(32))) + "\x7f",
    "escape alone": f"a{ESC}",
    "colour": f"{ESC}[38;2;1;2;3mPWN{ESC}[0m",
    "cursor": f"{ESC}[77;777HPWN{ESC}[777AX",
    "clear": f"{ESC}[2J{ESC}[3J{ESC}cPWN",
    "other screen": f"{ESC}[?1049lPWN{ESC}[?47l",
    "keyboard": f"{ESC}[?1000h{ESC}[>4;2m{ESC}[?9001h",
    "reports": f"{ESC}[6n{ESC}[c{ESC}[>0q{ESC}[21t{ESC}Z",
    "title": f"{ESC}]0;PWNED\x07{ESC}]2;PWNED{ESC}\\",
    "clipboard": f"{ESC}]52;c;UFdORUQ=\x07",
    "link": f"{ESC}]8;;http://x/\x07PWN{ESC}]8;;\x07",
    "device control": f"{ESC}P$q m{ESC}\\{ESC}_G1{ESC}\\{ESC}^x{ESC}\\{ESC}Xx{ESC}\\",
    "c1 in utf-8": f"{CSI8}38;2;1;2;3mPWN{OSC8}0;PWNED{ST8}{DCS8}x{ST8}" + "".join(map(chr, range(0x80, 0xA0))),
    "raw c1 bytes": b"\x9b38;2;1;2;3mPWN\x9d0;PWNED\x9c\x90x\x9c".decode("utf-8", "surrogateescape"),
    "split sequence": f"{ESC}[38;2\n;1;2;3mPWN\r{ESC}\r]0;PWNED",
    "sequence in a sequence": f"{ESC}[38;{ESC}[2J2;1;2;3m{ESC}{ESC}[2J",
    "bidi": "a\u202eb\u2066c\u2069d\u200fe\u061cf",
    "zero-width": "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg\u034fh\u180ei",
    "tags": "a\U000e0041\U000e007fb\ufff9c\ufffbd",
    "line ends": "a\u2028b\u2029c\x85d\x0be\x0cf\rg\nh",
    "markup": "[@click=app.exit]PWN[/] [@click=app.quit()]x[/][bold red]y[/][link=http://x]z[/][/][[",
    "rich markup": "[blink]x[/blink] :smile: \\[x] [@click=screen.dismiss]q[/]",
    "long line": "x" * 1_000_000 + f"{ESC}[2J",
    "long line without a word": "\u6f22" * 100_000,
    "many sequences": f"{ESC}[38;2;1;2;3m" * 5_000,
    "combining": "e" + "\u0301" * 10_000 + "f",
    "wide": "\u6f22\u5b57" * 300 + "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 100 + "\ufdfd" * 200,
    "surrogates": "a\ud800b\udfffc" + bytes(range(0x80, 0x100)).decode("utf-8", "surrogateescape"),
    "private use and no characters": "\ue000\U0010fffd\ufffe\uffff\ufdd0",
    "tabs": "\t" * 500 + "x",
    "nothing": "",
    "many lines": f"{ESC}[2Jx\n" * 20_000,
})  # fmt: skip
"""Each by what it tries."""
