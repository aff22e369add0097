"""nixos-rebuild as the one of NixOS 25.11 (nixos-rebuild-ng): which programs it runs, in which order, with which words."""

from __future__ import annotations

import json
import time
from dataclasses import replace

from pvenix_lab.site.guest import generations
from pvenix_lab.site.guest.call import Call, Options, ProgramError, parse_options
from pvenix_lab.site.guest.store import read_system
from pvenix_lab.site.guest.streams import BytesReader, BytesWriter, UnheardWriter
from pvenix_lab.site.guest.unit import Command, Type, Unit, UnitError

ACTIONS = ("switch", "boot", "test", "build", "dry-build", "dry-run", "dry-activate", "list-generations")
_PROFILE = f"{generations.PROFILES}/system"
_UNIT = "nixos-rebuild-switch-to-configuration.service"
_FLAGS = (
    "--json", "--rollback", "--refresh", "--fast", "--no-reexec", "--sudo", "--use-remote-sudo", "--upgrade", "--upgrade-all",
    "--install-bootloader", "--use-substitutes", "--no-write-lock-file", "--impure", "-L", "--print-build-logs", "--show-trace", "-v",
    "--verbose", "--keep-going", "-k", "--diff", "--offline",
)  # fmt: skip
_VALUES = (
    "--flake",
    "-F",
    "--profile-name",
    "-p",
    "--max-jobs",
    "-j",
    "--cores",
    "--option",
    "--store-path",
    "--elevate",
)
_TABLE = {
    "generation": "Generation",
    "date": "Build-date",
    "nixosVersion": "NixOS version",
    "kernelVersion": "Kernel",
    "configurationRevision": "Configuration Revision",
    "specialisations": "Specialisation",
    "current": "Current",
}
_FAILED = "warning: error(s) occurred while switching to the new configuration"


async def nixos_rebuild(call: Call) -> int:
    """`nixos-rebuild ACTION [--flake F#NAME] [--rollback]`: exit status of what failed; 2 for wrong use."""
    options = parse_options(call, flags=_FLAGS, values=_VALUES, usage=2)
    if len(options.rest) != 1 or options.rest[0] not in ACTIONS:
        raise ProgramError(f"nixos-rebuild: error: argument action: invalid choice: '{' '.join(options.rest)}'", 2)
    action = options.rest[0]
    if action == "list-generations":
        return _list(call, options)
    if options.has("--rollback"):
        return await _roll_back(call, action)
    call.err("building the system configuration...")
    path = await _build(call, options, action)
    if action in ("build", "dry-build", "dry-run"):
        if action == "build":
            call.out(f"{path}\n")
        return 0
    if action in ("switch", "boot"):
        await _check(call, ("nix-env", "-p", _PROFILE, "--set", path))
    return await _activate(call, path, action)


def _installable(call: Call, options: Options) -> str:
    given = options.value("--flake") or options.value("-F")
    if not given and not call.tree.exists("/etc/nixos/flake.nix"):
        raise ProgramError(
            "error: file 'nixos-config' was not found in the Nix search path (add it using $NIX_PATH or -I)"
            if not call.tree.exists("/etc/nixos/configuration.nix")
            else "error: the lab's nixos-rebuild builds flakes only"
        )
    flake, _, name = (given or "/etc/nixos").partition("#")
    return f'{flake}#nixosConfigurations."{name or call.guest.hostname}".config.system.build.toplevel'


async def _build(call: Call, options: Options, action: str) -> str:
    if options.value("--store-path"):
        return options.value("--store-path")
    words = ["nix", "build", "--print-out-paths", _installable(call, options)]
    if action in ("dry-build", "dry-run"):
        words.append("--dry-run")
    elif action != "build":
        words.append("--no-link")
    out = BytesWriter()
    await _check(call, tuple(words), out=out)
    return out.text.strip()


async def _check(call: Call, words: tuple[str, ...], *, out: BytesWriter | None = None) -> None:
    """Run a program; its failure is ours, as subprocess.run(check=True) makes it."""
    inner = call.with_argv(words, stdout=out or call.stdout, stdin=BytesReader(), path="")
    status = await call.guest.shell.execute(inner)
    if status:
        raise ProgramError(f"Command '{' '.join(words)}' returned non-zero exit status {status}.", status)


async def _roll_back(call: Call, action: str) -> int:
    if action in ("switch", "boot"):
        await _check(call, ("nix-env", "--rollback", "-p", _PROFILE))
        path = call.tree.resolve(_PROFILE)
    else:
        others = [generation for generation in generations.generations(call.tree) if not generation.current]
        if not others:
            raise ProgramError("error: no profile version older than the current one exists")
        path = others[-1].path  # the last one that is not current, whichever side of it that lies on
    if action == "build":
        call.out(f"{path}\n")
        return 0
    return await _activate(call, path, action)


async def _activate(call: Call, path: str, action: str) -> int:
    """switch-to-configuration in a transient unit, which a lost connection does not stop."""
    if read_system(call.tree, path) is None or not call.tree.exists(f"{path}/nixos-version"):
        raise ProgramError(f"error: {path}/nixos-version does not exist, so this is no NixOS system")
    argv = (f"{path}/bin/switch-to-configuration", action)
    if action == "dry-activate" or call.uid != 0:
        return await call.guest.shell.execute(replace(call, argv=argv, path=""))
    heard = UnheardWriter(call.stderr)
    unit = Unit(
        name=_UNIT,
        description=" ".join(argv),
        type=Type.EXEC,
        transient=True,
        collect=True,
        main=Command(argv=argv),
        env=dict(call.env),
        pipe=(heard, heard),
    )
    try:
        call.guest.units.start_transient(unit)
    except UnitError as exc:
        raise ProgramError(f"Failed to start transient service unit: {exc}") from exc
    await unit.ended.wait()
    if unit.main_status:
        call.err(_FAILED)
        command = f"systemd-run ... {' '.join(argv)}"
        raise ProgramError(f"Command '{command}' returned non-zero exit status {unit.main_status}.", unit.main_status)
    call.stderr.write(b"Done. The new configuration is ")
    call.out(f"{path}\n")
    return 0


def _rows(call: Call) -> list[dict[str, object]]:
    """Every generation, newest first."""
    rows: list[dict[str, object]] = []
    for generation in reversed(generations.generations(call.tree)):
        system = read_system(call.tree, generation.path)
        if system is not None:
            rows.append(
                {
                    "generation": generation.number,
                    "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(generation.made_at)),
                    "nixosVersion": system.nixos_version,
                    "kernelVersion": system.kernel,
                    "configurationRevision": system.revision,
                    "specialisations": [],
                    "current": generation.current,
                }
            )
    return rows


def _list(call: Call, options: Options) -> int:
    rows = _rows(call)
    if options.has("--json"):
        call.out(json.dumps(rows, indent=2) + "\n")
        return 0
    lines = [tuple(_TABLE.values()), *(tuple(_cell(row[key]) for key in _TABLE) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_TABLE))]
    for line in lines:
        call.out("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")
    return 0


def _cell(value: object) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)
