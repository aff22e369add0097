"""nix-store, nix-collect-garbage and nix-copy-closure; outputs and exit codes measured on Nix 2.8."""

from __future__ import annotations

from collections.abc import Callable

from pvenix_lab.site.guest import gc
from pvenix_lab.site.guest.call import Call, Options, ProgramError
from pvenix_lab.site.guest.programs import profile
from pvenix_lab.site.guest.programs.installables import nix_options, valid_path
from pvenix_lab.site.guest.programs.nixstore import collect, delete, nar_size, push
from pvenix_lab.site.guest.store import nix_hash

_FLAGS = (
    "-q", "--query", "-R", "--requisites", "--references", "--referrers", "--roots", "--deriver", "--size", "--gc", "--print-roots",
    "--print-live", "--print-dead", "--verify", "--check-contents", "--repair", "--delete", "-r", "--realise", "--realize", "--optimise",
    "--version", "--serve", "--write", "--indirect", "--use-output", "-u", "--hash", "--tree",
)  # fmt: skip
_NO_OPERATION = "error: no operation specified\nTry 'nix-store --help' for more information."


async def nix_store(call: Call) -> int:
    """`nix-store --gc|--verify|--delete|-r|-q …`."""
    inner = call.with_argv((call.argv[0], *_apart(call.args)))
    options = nix_options(inner, flags=_FLAGS, values=("--add-root", "--max-freed", "--option"))
    if options.has("--version"):
        call.out("nix-store (Nix) 2.31.2\n")
    elif options.has("--serve"):
        await call.stdin.read()
    elif options.has("--gc"):
        return _gc(call, options)
    elif options.has("--verify"):
        return _verify(call, contents=options.has("--check-contents"))
    elif options.has("--delete"):
        return delete(call, options.rest)
    elif options.has("--optimise"):
        call.err("0.00 MiB freed by hard-linking 0 files")
    elif options.has("-r", "--realise", "--realize"):
        return _realise(call, options)
    elif options.has("-q", "--query"):
        return _query(call, options)
    else:
        raise ProgramError(_NO_OPERATION)
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
        for link, path in sorted(gc.roots(call.tree).items()):
            call.out(f"{link} -> {path}\n")
        return 0
    if options.has("--print-live", "--print-dead"):
        call.err("finding garbage collector roots...\ndetermining live/dead paths...")
        live, dead = gc.live_and_dead(call.tree)
        call.out("".join(f"{path}\n" for path in (live if options.has("--print-live") else dead)))
        return 0
    return collect(call)


def _verify(call: Call, *, contents: bool) -> int:
    call.err("reading the Nix store...\nchecking path existence...")
    if contents:
        call.err("checking link hashes...\nchecking store hashes...")
    return 0


def _realise(call: Call, options: Options) -> int:
    path = ""
    for word in options.rest:
        path = valid_path(call, word)
        if not options.value("--add-root"):
            call.err("warning: you did not specify '--add-root'; the result might be removed by the garbage collector")
            call.out(f"{path}\n")
    if link := options.value("--add-root"):
        full = call.full(link)
        call.tree.check_write(full, call.uid)
        call.mutates()
        call.tree.symlink(path, full)
        call.tree.symlink(full, f"/nix/var/nix/gcroots/auto/{nix_hash(full)}")
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
    "--deriver": lambda *_: ["unknown-deriver"],  # as of a path that was copied in: the lab writes no .drv files
    "--size": lambda call, path: [str(nar_size(call, path))],
    "--hash": lambda _, path: [f"sha256:{nix_hash(path)}"],
}


async def nix_collect_garbage(call: Call) -> int:
    """`nix-collect-garbage [-d | --delete-older-than Nd] [--dry-run]`."""
    options = nix_options(call, flags=("-d", "--delete-old", "--dry-run"), values=("--delete-older-than",))
    which = ("old",) if options.has("-d", "--delete-old") else (options.value("--delete-older-than"),)
    if which != ("",):
        call.err("removing old generations of profile /nix/var/nix/profiles/system")
        if call.uid == 0 and not options.has("--dry-run"):
            call.mutates()
            profile.delete(call, which)
    return collect(call, dry_run=options.has("--dry-run"))


async def nix_copy_closure(call: Call) -> int:
    """`nix-copy-closure [--to] [USER@]HOST PATH…`."""
    options = nix_options(call, flags=("--to", "--gzip", "-s", "--use-substitutes", "-v"), values=())
    if len(options.rest) < 2:
        raise ProgramError("error: you must specify a host name and a path")
    destination, *paths = options.rest
    return await push(call, destination, tuple(paths), shown=f"ssh://{destination}")
