"""What a Nix command is asked for: a store path, or an attribute of a flake here or on another host."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pvenix_lab.site.guest import flake, gc, git
from pvenix_lab.site.guest.call import Call, Options, ProgramError, parse_options
from pvenix_lab.site.guest.flake import EvalError, Evaluation, FlakeRef, FlakeTree
from pvenix_lab.site.guest.nixscan import Raw
from pvenix_lab.site.guest.programs.gitprogs import dial_of
from pvenix_lab.site.guest.store import nix_hash
from pvenix_lab.site.guest.streams import BytesReader, BytesWriter

_HOST = re.compile(r'^nixosConfigurations\."?([A-Za-z0-9_-]+)"?(?:\.config\.(.+))?$')
_TOPLEVEL = re.compile(r"^system\.build\.toplevel(?:\.(outPath|drvPath|name))?$")
_TEMPLATE = "nixosTemplate.config."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An evaluated installable; `rest` is the option path below `config`."""

    reference: FlakeRef
    tree: FlakeTree
    evaluation: Evaluation
    rest: str

    @property
    def is_system(self) -> bool:
        """True for the system itself, which alone can be built."""
        return _TOPLEVEL.match(self.rest) is not None

    def value(self) -> object:
        """What `nix eval` prints. Raises EvalError for an option that nothing sets, or whose value the lab does not work out."""
        if match := _TOPLEVEL.match(self.rest):
            names = {"drvPath": self.evaluation.derivation, "name": self.evaluation.path.partition("-")[2]}
            return names.get(match[1], self.evaluation.path)
        value = self.evaluation.options.get(self.rest, Raw(""))
        if value == Raw("") and self.rest == "system.configurationRevision":
            value = self.evaluation.system.revision or None
        if isinstance(value, Raw):
            what = "does not evaluate it" if value.text else "knows no definition of it"
            raise EvalError(f"error: attribute 'config.{self.rest}' missing: the lab {what}")
        return value


_UNRECOGNISED = ("nix", "nix-collect-garbage", "nix-copy-closure")
"""The others read the flags of their operation themselves."""
FEW = "error: more arguments are required\nTry 'nix --help' for more information."
"""What `nix` says when operands are missing."""


def default_installable(call: Call, path: str = "") -> ProgramError:
    """The refusal where neither a store path nor a flake was named: Nix looks for a flake from the directory upwards."""
    where = path or call.cwd
    return ProgramError(
        f"path '{where}' does not contain a 'flake.nix', searching up\nerror: could not find a flake.nix file"
    )


def nix_options(call: Call, *, flags: tuple[str, ...], values: tuple[str, ...]) -> Options:
    """As `parse_options`, with Nix's words for an unknown option."""
    try:
        return parse_options(call, flags=flags, values=values)
    except ProgramError as exc:
        if "requires an argument" in exc.text:
            what = (
                "exactly one argument expected"
                if "generation" in exc.text
                else f"'{call.args[-1]}' requires an argument"
            )
            raise ProgramError(f"error: {what}\nTry '{call.name} --help' for more information.") from exc
        given = next(
            (word.partition("=")[0] for word in call.args if word.startswith("-") and word not in (*flags, *values)), ""
        )
        kind = "unrecognised" if call.name in _UNRECOGNISED else "unknown"
        raise ProgramError(f"error: {kind} flag '{given}'\nTry '{call.name} --help' for more information.") from exc


async def tree_of(call: Call, text: str) -> tuple[FlakeRef, FlakeTree]:
    """The flake at a reference. Raises EvalError."""
    reference = FlakeRef.parse(text or ".", call.cwd)
    if text.startswith("/") and not call.tree.exists(text):
        call.err(f"path '{text}' does not contain a 'flake.nix', searching up")
        raise EvalError(f"error: getting status of '{text}': No such file or directory")
    if reference.remote:
        reference = await _fetch(call, reference)
    tree = await flake.load(call.tree, reference, call.guest.fabric.commits)
    if tree.dirty:
        call.err(f"warning: Git tree '{reference.path}' is dirty")
    return reference, tree


async def _fetch(call: Call, reference: FlakeRef) -> FlakeRef:
    """A remote flake in the user's cache, as Nix keeps it (nix: src/libfetchers/git.cc)."""
    home = "/root" if call.uid == 0 else f"/home/{call.user}"
    cache = f"{home}/.cache/nix/gitv3/{nix_hash(reference.remote)}"
    if not call.tree.exists(f"{cache}/HEAD"):
        call.tree.mkdir(cache)
        await git.capture(call.tree, "init", "--quiet", "--bare", cwd=cache)
    ref = f"refs/heads/{reference.ref.removeprefix('refs/heads/')}" if reference.ref else "HEAD"
    kept = "refs/heads/fetched"
    out = BytesWriter()
    words = ("fetch", "--quiet", "--force", "--no-tags", "--", reference.remote, f"{ref}:{kept}")
    extra = {key: value for key, value in call.env.items() if key == "GIT_SSH_COMMAND"}
    status = await git.stream(
        call.tree, words, (BytesReader(), out, call.stderr), cwd=cache, extra=extra, dial=dial_of(call)
    )
    if status:
        raise EvalError(
            f"error: Failed to fetch git repository {reference.remote} : git fetch exited with status {status}"
        )
    return replace(reference, path=cache, revision=reference.revision, ref=kept)


async def find(call: Call, installable: str) -> Found:
    """Evaluate `FLAKE#nixosConfigurations."HOST".config.OPTION`. Raises ProgramError with Nix's text."""
    text, _, attribute = installable.partition("#")
    try:
        reference, tree = await tree_of(call, text)
        host, rest = _asked(tree, text, attribute)
        _eval_fault(call, tree, host)
        found = flake.evaluate(tree, host) if host else flake.evaluate_template(tree)
    except EvalError as exc:
        raise ProgramError(str(exc)) from exc
    return Found(reference=reference, tree=tree, evaluation=found, rest=rest)


def _asked(tree: FlakeTree, text: str, attribute: str) -> tuple[str, str]:
    if attribute.startswith(_TEMPLATE):
        return "", attribute.removeprefix(_TEMPLATE)
    match = _HOST.match(attribute)
    if match is None or match[1] not in tree.hosts() or not match[2]:
        name = attribute or "default"
        raise EvalError(
            f"error: flake '{text}' does not provide attribute 'packages.x86_64-linux.{name}', "
            f"'legacyPackages.x86_64-linux.{name}' or '{name}'"
        )
    return match[1], match[2]


def _eval_fault(call: Call, tree: FlakeTree, host: str) -> None:
    place = tree.place(f"hosts/{host}.nix")
    if call.guest.site.faults.take("eval-fails", call.guest.name):
        raise EvalError(
            "error:\n       … while evaluating the option `system.build.toplevel':\n\n"
            f"       at {place}:1:1:\n\n"
            "       error: The option `services.notThere' does not exist. Definition values:\n"
            f"       - In `{place}': true"
        )


def valid_path(call: Call, path: str) -> str:
    """The store path that `path` leads to. Raises ProgramError when there is none."""
    resolved = gc.store_path_of(call.tree.resolve(call.full(path)))
    if not resolved or not call.tree.exists(resolved, follow_last=False):
        raise ProgramError(f"error: path '{call.tree.resolve(call.full(path))}' is not valid")
    return resolved
