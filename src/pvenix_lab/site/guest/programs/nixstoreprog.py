"""nix-store, nix-collect-garbage and nix-copy-closure; outputs and exit codes measured on Nix 2.8."""

from __future__ import annotations

from collections.abc import Callable

from pvenix_lab.site.guest import gc
from pvenix_lab.site.guest.call import Call, Options, ProgramError
from pvenix_lab.site.guest.programs import profile
from pvenix_lab.site.guest.programs.installables import nix_options, valid_path
from pvenix_lab.site.guest.programs.nixstore import collect, delete, forget_stale, nar_hash, nar_size, push
from pvenix_lab.site.guest.store import nix32

_FLAGS = (
    "-q", "--query", "-R", "--requisites", "--references", "--referrers", "--roots", "--deriver", "--size", "--gc", "--print-roots",
    "--print-live", "--print-dead", "--verify", "--check-contents", "--repair", "--delete", "-r", "--realise", "--realize", "--optimise",
    "--version", "--serve", "--write", "--indirect", "--use-output", "-u", "--hash", "--tree", "--outputs", "--verify-path", "--check-validity",
)  # fmt: skip
_NO_OPERATION = "error: no operation specified\nTry 'nix-store --help' for more information."


async def nix_store(call: Call) -> int:
    """`nix-store --gc|--verify|--delete|-r|-q …`."""
    inner = call.with_argv((call.argv[0], *_apart(call.args)))
    options = _options(inner)
    if options.has("--serve"):
        await call.stdin.read()
        return 0
    answer = next((answer for flags, answer in _ANSWERS if options.has(*flags)), None)
    if answer is None:
        raise ProgramError(_NO_OPERATION)
    return answer(call, options)


def _options(call: Call) -> Options:
    try:
        return nix_options(call, flags=_FLAGS, values=("--add-root", "--max-freed", "--option"))
    except ProgramError:
        if not any(flag in call.args for flags, _ in _ANSWERS for flag in flags):
            raise ProgramError(_NO_OPERATION) from None
        if "--gc" in call.args:
            wrong = next(word for word in call.args if word.startswith("-") and word not in _FLAGS)
            hint = "Try 'nix-store --help' for more information."
            raise ProgramError(f"error: bad sub-operation '{wrong}' in GC\n{hint}") from None
        raise


def _version(call: Call, _options: Options) -> int:
    call.out("nix-store (Nix) 2.31.2\n")
    return 0


def _optimise(call: Call, _options: Options) -> int:
    call.err("0.00 MiB freed by hard-linking 0 files")
    return 0


def _check_paths(call: Call, options: Options) -> int:
    for word in options.rest:
        valid_path(call, word)
    return 0


def _apart(words: tuple[str, ...]) -> list[str]:
    """`-qR` as two options."""
    return [
        part
        for word in words
        for part in (("-q", f"-{word[2:]}") if word.startswith("-q") and len(word) == 3 else (word,))
    ]


def _gc(call: Call, options: Options) -> int:
    if options.has("--print-roots"):
        forget_stale(call)
        for link, path in sorted(gc.roots(call.tree).items()):
            call.out(f"{link} -> {path}\n")
        return 0
    if options.has("--print-live", "--print-dead"):
        call.err("finding garbage collector roots...")
        forget_stale(call)
        call.err("determining live/dead paths...")
        live, dead = gc.live_and_dead(call.tree)
        call.out("".join(f"{path}\n" for path in (live if options.has("--print-live") else dead)))
        return 0
    return collect(call)


def _verify(call: Call, options: Options) -> int:
    call.err("reading the Nix store...\nchecking path existence...")
    if options.has("--check-contents"):
        call.err("checking link hashes...\nchecking store hashes...")
    return 0


def _realise(call: Call, options: Options) -> int:
    path = ""
    for word in options.rest:
        path = gc.store_path_of(call.tree.resolve(call.full(word)))
        if not gc.valid(call.tree, path):
            call.err(f"don't know how to build these paths:\n  {word}")
            raise ProgramError(f"error: build of '{word}' failed")
        if not options.value("--add-root"):
            call.err("warning: you did not specify '--add-root'; the result might be removed by the garbage collector")
            call.out(f"{path}\n")
    if link := options.value("--add-root"):
        full = call.full(link)
        call.tree.check_write(full, call.uid)
        call.mutates()
        gc.add_root(call.tree, full, path)
        call.out(f"{link}\n")
    return 0


def _query(call: Call, options: Options) -> int:
    paths = [valid_path(call, word) for word in options.rest]
    question = next((answer for name, answer in _QUESTIONS.items() if options.has(name)), None)
    if options.has("-R", "--requisites"):
        lines = gc.closure(call.tree, paths)
    elif question is None:
        lines = paths
    else:
        lines = [line for path in paths for line in question(call, path)]
    call.out("".join(f"{line}\n" for line in lines))
    return 0


def _referrers(call: Call, path: str) -> list[str]:
    live, dead = gc.live_and_dead(call.tree)
    return sorted(other for other in (*live, *dead) if path in gc.references(call.tree, other))


def _roots(call: Call, path: str) -> list[str]:
    found = gc.roots(call.tree)
    return [f"{link} -> {kept}" for link, kept in found.items() if path in gc.closure(call.tree, [kept])]


_QUESTIONS: dict[str, Callable[[Call, str], list[str]]] = {
    "--references": lambda call, path: sorted(gc.references(call.tree, path)),
    "--referrers": _referrers,
    "--roots": _roots,
    "--deriver": lambda call, path: [gc.deriver(call.tree, path) or "unknown-deriver"],
    "--outputs": lambda _, path: [path],
    "--size": lambda call, path: [str(nar_size(call, path))],
    "--hash": lambda _, path: [f"sha256:{nix32(nar_hash(path))}"],
}


_ANSWERS: tuple[tuple[tuple[str, ...], Callable[[Call, Options], int]], ...] = (
    (("--version",), _version),
    (("--gc",), _gc),
    (("--verify",), _verify),
    (("--verify-path", "--check-validity"), _check_paths),
    (("--delete",), lambda call, options: delete(call, options.rest)),
    (("--optimise",), _optimise),
    (("-r", "--realise", "--realize"), _realise),
    (("-q", "--query"), _query),
)
"""What each operation does, by its flags."""


async def nix_collect_garbage(call: Call) -> int:
    """`nix-collect-garbage [-d | --delete-older-than Nd] [--dry-run]`."""
    options = nix_options(call, flags=("-d", "--delete-old", "--dry-run"), values=("--delete-older-than",))
    which = ("old",) if options.has("-d", "--delete-old") else (options.value("--delete-older-than"),)
    dry_run = options.has("--dry-run")
    if which != ("",) and call.uid == 0:  # a user's own profiles only, of which the lab has none
        call.err("removing old generations of profile /nix/var/nix/profiles/system")
        if not dry_run:
            call.mutates()
        profile.delete(call, which, dry_run=dry_run)
    return 0 if dry_run else collect(call)


async def nix_copy_closure(call: Call) -> int:
    """`nix-copy-closure [--to] [USER@]HOST PATH…`."""
    options = nix_options(call, flags=("--to", "--gzip", "-s", "--use-substitutes", "-v"), values=())
    if len(options.rest) < 2:
        raise ProgramError("error: you must specify a host name and a path")
    destination, *paths = options.rest
    return await push(call, destination, tuple(paths), shown=f"ssh://{destination}")
