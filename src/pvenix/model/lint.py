"""What `pvenix lint` finds in a fleet's files: the rules by their codes, and findings of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Severity(StrEnum):
    """How sure it is that something must be changed."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that does not belong into a fleet."""

    code: str
    """Stable: an allow comment names it."""
    severity: Severity
    what: str
    why: str
    hint: str


def _error(code: str, what: str, why: str, hint: str) -> Rule:
    return Rule(code=code, severity=Severity.ERROR, what=what, why=why, hint=hint)


def _warning(code: str, what: str, why: str, hint: str) -> Rule:
    return Rule(code=code, severity=Severity.WARNING, what=what, why=why, hint=hint)


_HISTORY: Final = "whoever reads the repository, or a copy of it, has the secret for ever: Git keeps what was deleted"
_REPLACE: Final = (
    "replace the secret where it is used, for this one is known; then name it by {file: …} or another reference"
)
_STORE: Final = "on a guest it ends in /nix/store, which every user and every binary cache can read"
_START: Final = (
    "what is fetched when a service starts is what the index holds that day: litellm 1.82.7 stole SSH keys so"
)
_IMPURE: Final = "what is built is no longer what the commit says: the same commit gives another system tomorrow"

_RULES: Final = (
    _error("L101", "a private key", _HISTORY, _REPLACE),
    _error("L102", "the identity of an age key", _HISTORY, _REPLACE),
    _error("L103", "a Proxmox API token with its secret", _HISTORY, _REPLACE),
    _error("L104", "a token of a known service", _HISTORY, _REPLACE),
    _error("L105", "a password or token in clear", f"{_HISTORY}; {_STORE}",
           "let the service read a file outside of the store (passwordFile, EnvironmentFile, LoadCredential)"),
    _warning("L106", "a random text under a name that may be a secret's", _HISTORY,
             "if it is a secret, replace it and name it by a reference; if not, allow it with a comment"),
    _error("L107", "a password in a URL", _HISTORY, "leave it out of the URL and give it by a file or a credential helper"),
    _error("L108", "a placeholder for a secret", "a service that accepts `dummy` lets everybody in who reads its manual",
           "make a secret on the guest, as nix/modules/role-litellm.nix does, and read it from a file"),
    _error("L201", "packages are installed without hashes when something starts", _START,
           "take the package from the pinned nixpkgs, or install with --require-hashes"),
    _error("L202", "a download goes straight into a shell", _START,
           "fetch it with a hash at build time (pkgs.fetchurl), look at it, and run the file"),
    _error("L203", "a fetch without a hash", _IMPURE, "give the hash (sha256, hash, narHash), or make it an input of the flake"),
    _warning("L204", "a download over plain http", "anybody on the way can put something else in its place",
             "use https, and compare a hash"),
    _error("L205", "an absolute path in Nix", f"{_IMPURE}; on another machine the file is another one or none",
           "put the file into the fleet and name it by a relative path"),
    _error("L301", "it listens on every address and no firewall is spoken of", "every network that the guest is in reaches it, "
           "and in this file nothing says that this is meant", "bind to 127.0.0.1, or say which ports are open: "
           "networking.firewall.allowedTCPPorts, openFirewall"),
    _error("L302", "root may log in with a password", "one password that is guessed is the whole machine",
           'PermitRootLogin = "no"; administration goes through a user with sudo'),
    _error("L303", "SSH accepts passwords", "every address that reaches port 22 may guess",
           "PasswordAuthentication = false and KbdInteractiveAuthentication = false; keys come by cloud-init"),
    _error("L304", "the firewall is switched off", "every port of every service is open, also of those to come",
           "networking.firewall.enable = true, and open what is needed"),
    _warning("L305", "OpenSSH is on and nothing says that passwords are refused", "NixOS accepts passwords unless told otherwise",
             "services.openssh.settings.PasswordAuthentication = false"),
    _error("L401", "somebody else than root is a trusted user of Nix", "a trusted user is root: the store accepts what they "
           "send without a signature", "leave trusted-users at root, and sign what is copied"),
    _error("L402", "Nix accepts paths without a signature", "whoever can offer a closure decides what runs as root",
           "leave require-sigs on, and put the builder's key into trusted-public-keys"),
    _error("L403", "builds run without a sandbox", "a build can read this machine's files and change its network",
           "leave nix.settings.sandbox on"),
    _error("L404", "raw hardware or QEMU arguments go to a guest", "Proxmox gives them to root alone: they reach into the node",
           "make a resource mapping in Proxmox and name that (hardware.pci: [{mapping: …}])"),
    _error("L405", "the identity of the far side is not checked", "whoever answers is believed: passwords and configurations go to them",
           "pin the host key or the CA"),
    _warning("L406", "the SSH agent is forwarded", "root on the far side logs in everywhere with your keys",
             "ForwardAgent no; use ProxyJump"),
    _error("L501", "drift.ignore leaves the whole configuration alone", "whatever somebody edits on the host is no drift, no review "
           "sees it, and no rebuild puts it aside", "name the file or the directory that may differ, such as nix/local"),
    _warning("L502", "a pattern of drift.ignore that changes nothing", "whoever wrote it believes that it ignores something",
             "`*`, `?` and `[abc]` are all that a pattern has, and a directory stands for all below it"),
    _warning("L901", "an allow comment that allows nothing", "a reason and a known code are what the next reader goes by",
             "# pvenix-lint: allow CODE reason, on the line itself or alone on the one above"),
    _error("L902", "a Nix file that cannot be read", "its structure is unknown, so nothing of it was looked at but its text",
           "correct its syntax"),
    _error("L903", "a file that was not looked at", "whatever is in it was not found",
           "name texts of a sensible size that you may read, in UTF-8; data that needs no look does not belong into the fleet"),
)  # fmt: skip
RULES: Final = MappingProxyType({rule.code: rule for rule in _RULES})
"""Every rule by its code, in the order of the documentation."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Found:
    """A rule that a place in a text breaks."""

    line: int
    """1-based."""
    column: int
    """1-based."""
    code: str
    detail: str = ""
    """What exactly; never the secret itself."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LintFinding:
    """A finding in a file of the fleet."""

    file: str
    """Relative to the fleet's root."""
    found: Found

    @property
    def rule(self) -> Rule:
        """The rule that is broken."""
        return RULES[self.found.code]

    @property
    def place(self) -> str:
        """`file:line:column`."""
        return f"{self.file}:{self.found.line}:{self.found.column}"

    @property
    def what(self) -> str:
        """The rule in words, with what exactly was found."""
        return f"{self.rule.what}: {self.found.detail}" if self.found.detail else self.rule.what
