"""What shell commands must not do, line by line: in scripts, in playbooks and in the strings of a Nix file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pvenix.lifecycle.lint.places import Text
from pvenix.model.lint import Found

_INSTALL: Final = re.compile(
    r"""(?x)(?<![\w.-])(?:
        (?:pip[0-9.]*|easy_install|(?:python[0-9.]*\s+-m\s+pip)|uv\s+pip)(?:\s+-\S+)*\s+install(?!\S) |
        pipx\s+(?:install|run)(?!\S) | uvx\s+\S | uv\s+(?:tool\s+(?:install|run)|add)(?!\S) |
        (?:npm|pnpm|bun)(?:\s+-\S+)*\s+(?:install|i|add)(?!\S) | (?:npx|bunx)\s+\S | yarn\s+(?:add|dlx|global\s+add)(?!\S) |
        gem\s+install(?!\S) | cargo\s+install(?!\S) | go\s+install\s+\S+@latest | nix-env\s+-\w*i
    )"""
)
_HASHED: Final = re.compile(r"--require-hashes|--frozen-lockfile|--locked\b")
_PIPED: Final = re.compile(
    r"""(?x)\b(?:curl|wget)\b[^\n|;]{0,500}\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:env\s+\S+\s+)?(?:ba|z|da|k)?sh\b |
        \b(?:curl|wget)\b[^\n|;]{0,500}\|\s*(?:sudo\s+)?python[0-9.]*\b |
        \b(?:ba|z)?sh\s+(?:-c\s+)?["']?(?:<\(|\$\()\s*(?:curl|wget)\b | \beval\s+["']?\$\(\s*(?:curl|wget)\b"""
)
_PLAIN: Final = re.compile(
    r"\b(?:curl|wget)\b[^\n|;]{0,500}\shttp://(?!(?:localhost|127\.|\[::1\]|169\.254\.169\.254))"
)
_UNCHECKED: Final = re.compile(
    r"""(?x)StrictHostKeyChecking["']?\s*[= ]\s*["']?(?:no|off)\b | UserKnownHostsFile["']?\s*[= ]\s*["']?/dev/null |
        \bcurl\b[^\n|;]{0,500}\s(?:-[A-Za-jl-z]*k[A-Za-z]*|--insecure)(?!\S) | \bwget\b[^\n|;]{0,500}--no-check-certificate |
        (?i:host_key_checking)\s*[=:]\s*["']?(?i:false|no|0)\b | GIT_SSL_NO_VERIFY\s*=\s*["']?(?:1|true) |
        http\.sslVerify[= ]\s*["']?false | verify_(?:ssl|tls)\s*[=:]\s*["']?(?i:false|no)\b | NODE_TLS_REJECT_UNAUTHORIZED\s*=\s*["']?0"""
)
_AGENT: Final = re.compile(r"(?i)\bForwardAgent[= ]\s*\"?yes\b|\bssh\s+(?:-\S+\s+)*-A\s")
_LISTENS: Final = re.compile(r"(?:--(?:host|bind|listen|address)[= ]|-b\s+)[\"']?(?:0\.0\.0\.0|\[?::\]?)(?![\w.])")
_RAW: Final = re.compile(
    r"(?:--|^[ \t]*[\"']?)hostpci\d*[\"']?[ =:]\s*[\"']?(?:host=)?(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}"
    r"|\bqm\s+(?:set|create)\b[^\n;]{0,500}\s--args\b",
    re.MULTILINE,
)
_SSHD: Final = (
    ("L302", re.compile(r"(?mi)^[ \t]*PermitRootLogin\s+yes\b")),
    (
        "L303",
        re.compile(r"(?mi)^[ \t]*(?:PasswordAuthentication|KbdInteractiveAuthentication|PermitEmptyPasswords)\s+yes\b"),
    ),
    ("L303", re.compile(r"(?mi)^[ \t]*ssh_pwauth\s*:\s*(?:true|yes|1)\b")),
    ("L404", _RAW),
    ("L405", _UNCHECKED),
    ("L406", _AGENT),
)
_COMMANDS: Final = (("L202", _PIPED), ("L204", _PLAIN))
_COMMENT: Final = re.compile(r"\s*(?:#|//|;)")


def commands_in(text: Text) -> Iterator[Found]:
    """What a script or a playbook does that it must not; lines that are comments do nothing."""
    for code, pattern in (*_COMMANDS, *_SSHD):
        yield from _matches(text, code, pattern)
    for match in _INSTALL.finditer(text.whole):
        line, column = text.place(match.start())
        if not _COMMENT.match(text.head(line)) and not _HASHED.search(_rest_of_line(text, match.end())):
            yield Found(line=line, column=column, code="L201", detail=" ".join(match.group().split()[:3]))


def listeners_in(text: Text) -> Iterator[Found]:
    """Options that bind to every address."""
    yield from _matches(text, "L301", _LISTENS)


def _matches(text: Text, code: str, pattern: re.Pattern[str]) -> Iterator[Found]:
    for match in pattern.finditer(text.whole):
        start = match.start() + len(match.group()) - len(match.group().lstrip())
        line, column = text.place(start)
        if not _COMMENT.match(text.head(line)):
            yield Found(line=line, column=column, code=code)


def _rest_of_line(text: Text, offset: int) -> str:
    return text.whole[offset : offset + 500].partition("\n")[0]
