"""The `nix` command: its subcommands, their options, and the texts for what it does not know (measured on Nix 2.8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pvenix_lab.site.guest.call import Call, Options, ProgramError
from pvenix_lab.site.guest.programs import nixbuild, nixflake, nixstore
from pvenix_lab.site.guest.programs.installables import nix_options

_FLAGS = (
    "--json", "--no-link", "--dry-run", "--raw", "-L", "--print-build-logs", "--no-write-lock-file", "--print-out-paths", "--offline",
    "-S", "-r", "-s", "-h", "--closure-size", "--recursive", "--size", "--human-readable", "--refresh", "--keep-going", "-k",
    "--no-check-sigs", "--substitute-on-destination", "--commit-lock-file", "--impure", "--no-update-lock-file", "--quiet", "-v",
    "--accept-flake-config", "--no-build", "--all-systems", "--fallback", "--show-trace",
)  # fmt: skip
_VALUES = (
    "--out-link", "-o", "--extra-experimental-features", "--experimental-features", "--log-format", "--apply", "--to", "--from",
    "--update-input", "--max-jobs", "-j", "--cores", "--builders",
)  # fmt: skip
_VERSION = "nix (Nix) 2.31.2\n"
"""The Nix of nixpkgs 25.11."""
_HELP = "\nTry 'nix --help' for more information."
Command = Callable[[Call, Options], Awaitable[int]]

_COMMANDS: dict[tuple[str, ...], Command] = {
    ("build",): nixbuild.build,
    ("copy",): nixstore.copy,
    ("eval",): nixflake.eval_,
    ("path-info",): nixstore.path_info,
    ("why-depends",): nixstore.why_depends,
    ("flake", "check"): nixflake.check,
    ("flake", "info"): nixflake.metadata,
    ("flake", "lock"): nixflake.lock,
    ("flake", "metadata"): nixflake.metadata,
    ("flake", "show"): nixflake.show,
    ("flake", "update"): nixflake.lock,
    ("store", "delete"): nixstore.store_delete,
    ("store", "diff-closures"): nixstore.diff_closures,
    ("store", "gc"): nixstore.store_gc,
    ("store", "info"): nixstore.store_info,
    ("store", "ls"): nixstore.store_ls,
    ("store", "ping"): nixstore.store_info,
    ("store", "verify"): nixstore.store_verify,
}


async def nix(call: Call) -> int:
    """`nix COMMAND …` for the commands of the table."""
    words = [word for word in call.args if word not in ("--extra-experimental-features", "nix-command flakes")]
    if words[:1] == ["--version"]:
        call.out(_VERSION)
        return 0
    for head, command in _COMMANDS.items():
        if tuple(words[: len(head)]) == head:
            options = nix_options(call.with_argv((call.argv[0], *words[len(head) :])), flags=_FLAGS, values=_VALUES)
            inner = call.with_argv((head[-1], *words[len(head) :]))
            return await command(inner, options)
    if words in (["flake"], ["store"]):
        raise ProgramError(f"error: 'nix {words[0]}' requires a sub-command.{_HELP}")
    if not words:
        raise ProgramError(f"error: no subcommand specified{_HELP}")
    unknown = words[1] if words[0] in ("flake", "store") else words[0]
    kind = f"unrecognised flag '{unknown}'" if unknown.startswith("-") else f"'{unknown}' is not a recognised command"
    raise ProgramError(f"error: {kind}{_HELP}")
