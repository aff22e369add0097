"""Secrets in clear, in any text: by their own shape, or by the name that stands before them.

Every pattern is bounded, so that no text takes more than time in proportion to its length. The one detector of `pvenix lint` and of the review of a registration branch. It never repeats what it found.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from pvenix.lifecycle.lint.places import Text
from pvenix.model.lint import Found

_SHAPES: Final = (
    ("L101", "", r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"),
    ("L102", "", r"AGE-SECRET-KEY-(?:1|PQ-1)[0-9A-Z]{20,}"),
    ("L103", "", r"[\w.-]{1,64}@[\w.-]{1,64}![\w.-]{1,64}=[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ("L104", "GitHub", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})"),
    ("L104", "GitLab", r"\bgl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,}"),
    ("L104", "AWS", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("L104", "Slack", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,}"),
    ("L104", "Google", r"\bAIza[A-Za-z0-9_-]{35}\b"),
    ("L104", "Stripe", r"\b[rs]k_live_[A-Za-z0-9]{20,}"),
    ("L104", "Hugging Face", r"\bhf_[A-Za-z0-9]{30,}"),
    ("L104", "an inference service", r"\bsk-(?:proj-|ant-[a-z0-9]+-)?[A-Za-z0-9_-]{32,}"),
    ("L104", "npm", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("L104", "PyPI", r"\bpypi-AgEI[A-Za-z0-9_-]{50,}"),
    ("L104", "Vault", r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
    ("L104", "Tailscale", r"\btskey-[a-z]+-[A-Za-z0-9-]{16,}"),
    ("L104", "Docker Hub", r"\bdckr_pat_[A-Za-z0-9_-]{20,}"),
    ("L107", "", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"$<{]{0,64}:(?!\$|\{|<|%)[^\s/@'\"$<{]{3,200}@[A-Za-z0-9\[]"),
)  # fmt: skip
_ANY_SHAPE: Final = re.compile("|".join(f"(?P<s{number}>{shape})" for number, (_, _, shape) in enumerate(_SHAPES)))

_ASSIGNMENT: Final = re.compile(
    r"""(?<![A-Za-z0-9_.-])(?P<name>[A-Za-z_][A-Za-z0-9_.-]{0,80})["']?\s{0,40}(?:=|:(?!:)|=>)\s{0,40}"""
    r"""(?:"(?P<double>[^"\n]{0,400})"|'{1,2}(?P<single>[^'\n]{0,400})'{1,2}|(?P<bare>[^\s"'#;,{}\[\]()|&]{1,400})(?=[ \t]{0,40}(?:$|[#;,}|&)])))""",
    re.MULTILINE,
)
_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])")
_SECRET_NAMES: Final = frozenset(
    {"password", "passwd", "passphrase", "secret", "token", "apikey", "credential", "cipassword", "pw", "pat"}
)
_SECRET_KEYS: Final = frozenset(
    {"api", "private", "access", "secret", "master", "signing", "auth", "encryption", "license", "shared", "session"}
)
_MAYBE: Final = frozenset({"key", "auth", "credentials", "cookie", "bearer", "psk", "seed", "pin", "authorization"})
_NEVER: Final = frozenset(
    {"public", "host", "ssh", "authorized", "known", "sort", "primary", "foreign", "map", "short"}
)
_PLACEHOLDER: Final = re.compile(
    r"(?i)(?:dummy|changeme|change[-_ ]me|changeit|password\d*|passw0rd|secret|test|admin|default|letmein|example|"
    r"foo|bar|12345\d*|sk-(?:dummy|1234|none|test|fake|xxx+)|x{3,}|your[-_ ].*|none-needed|not-?needed)"
)
_REFERENCE: Final = re.compile(
    r"""(?x) \$ | % | ^[/~<.{\[(*&!|>] | ^(?:os\.environ|env|ENC\[|file|vault|sops|age1|ssh-|ecdsa-|sk-ssh-|keyring|"""
    r"""path|config\.|cfg\.|pkgs\.|lib\.|self\.|site\.|secrets?\.|builtins\.)|…|\.\.\.|\.(?:age|env|txt|yaml|json|pem|key)$"""
)
_WORTHLESS: Final = frozenset(
    {"", "true", "false", "yes", "no", "null", "none", "~", "required", "optional", "auto", "n/a"}
)
_LEAST: Final = 4


def secrets_in(text: Text, *, names: bool = True) -> Iterator[Found]:
    """Every secret in clear, each place once; without `names` only what has a shape of its own, as in a program's source."""
    seen: set[int] = set()
    for match in _ANY_SHAPE.finditer(text.whole):
        code, service, _ = _SHAPES[int(str(match.lastgroup)[1:])]
        line, column = text.place(match.start())
        seen.add(line)
        yield Found(line=line, column=column, code=code, detail=service)
    for match in _ASSIGNMENT.finditer(text.whole) if names else ():
        line, column = text.place(match.start("name"))
        name = match["name"].rpartition(".")[2]
        code = judged(name, match["double"] or match["single"] or match["bare"] or "", bare=match["bare"] is not None)
        if code and line not in seen:
            yield Found(line=line, column=column, code=code, detail=name)


def judged(name: str, value: str, *, bare: bool = False) -> str:
    """The code of the rule that a text under this name breaks, empty for none."""
    value = value.strip()
    sure, maybe = _kind_of(name)
    if not (sure or maybe) or value.lower() in _WORTHLESS or _REFERENCE.search(value):
        return ""
    if sure and _PLACEHOLDER.fullmatch(value):
        return "L108"
    if bare and not any(character.isdigit() for character in value):
        return ""  # a variable, a unit of prose: a secret without a digit is written in quotes
    if sure and len(value) >= _LEAST and " " not in value:
        return "L105"
    return "L106" if maybe and _random(value) else ""


def _kind_of(name: str) -> tuple[bool, bool]:
    """Whether the name is a secret's for sure, or may be one's."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or (_NEVER & set(words)):
        return False, False
    sure = words[-1] in _SECRET_NAMES or (words[-1] == "key" and words[-2:-1] and words[-2] in _SECRET_KEYS)
    return bool(sure), words[-1] in _MAYBE


def _random(value: str) -> bool:
    """True for a text that no person chose: long, and no two characters of it belong together."""
    if len(value) < 20 or not re.fullmatch(r"[A-Za-z0-9+/=_-]+", value):
        return False
    counts = Counter(value)
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return entropy >= (3.0 if re.fullmatch(r"[0-9a-fA-F-]+", value) else 3.8) and any(map(str.isdigit, value))
