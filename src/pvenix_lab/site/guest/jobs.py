"""What the declared units of a system run: services with a command of their own, and `system.autoUpgrade` with its timer."""

from __future__ import annotations

import re
import shlex

from pvenix_lab.site.guest.nixscan import Raw
from pvenix_lab.site.guest.options import Options
from pvenix_lab.site.guest.unit import Job

_SPAN = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_EVERY = {"minutely": 60.0, "hourly": 3600.0, "weekly": 7 * 86400.0, "monthly": 30 * 86400.0}
_GET_EXE = re.compile(r"getExe'?\s+(?:[\w.]+\.)([\w-]+)(?:\s+\"([\w.-]+)\")?")
_UPGRADE_AT = "04:40"  # the default of system.autoUpgrade.dates in nixpkgs
UPGRADE = "nixos-upgrade"


def jobs_of(options: Options) -> dict[str, Job]:
    """Every unit that has a command or a time, by its name."""
    found = {f"{name}.service": job for name in options.below("systemd.services") if (job := _service(options, name))}
    if options.is_true("system.autoUpgrade.enable"):
        found |= _upgrade(options)
    return found


def _service(options: Options, name: str) -> Job | None:
    head = f"systemd.services.{name}"
    text = options.template(f"{head}.serviceConfig.ExecStart")
    words = _words(text)
    if not words:
        return None
    condition = options.get(f"{head}.unitConfig.ConditionPathExists")
    restart = options.get(f"{head}.serviceConfig.Restart")
    return Job(
        argv=(_program(words[0], name), *words[1:]),
        oneshot=options.get(f"{head}.serviceConfig.Type") == "oneshot",
        condition=condition if isinstance(condition, str) else "",
        restart_s=_seconds(options.get(f"{head}.serviceConfig.RestartSec"))
        if restart in ("on-failure", "always")
        else None,
        env=_environment(options, head),
    )


def _words(text: str) -> list[str]:
    """The words of a command; what is left of an interpolation counts as one."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match.group())
        return f"\0{len(kept) - 1}\0"

    try:
        words = shlex.split(re.sub(r"\$\{[^}]*\}", keep, text))
    except ValueError:
        return []
    return [re.sub(r"\0(\d+)\0", lambda match: kept[int(match[1])], word) for word in words]


def _program(word: str, name: str) -> str:
    """The program's own name: the last part of its path or of its package; the unit's where only Nix knows it."""
    if "/" in word and not word.endswith("}"):
        return word.rpartition("/")[2]
    match = _GET_EXE.search(word)
    return (match[2] or match[1]) if match else name


def _environment(options: Options, head: str) -> dict[str, str]:
    names = options.below(f"{head}.environment")
    return {name: options.template(f"{head}.environment.{name}") for name in names}


def _seconds(value: object) -> float:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    match = re.fullmatch(r"(\d+)\s*([a-z]*)", value) if isinstance(value, str) else None
    return int(match[1]) * _SPAN.get(match[2], 1.0) if match else 0.1  # systemd's default RestartSec is 100 ms


def _upgrade(options: Options) -> dict[str, Job]:
    head = "system.autoUpgrade"
    operation = options.get(f"{head}.operation", "switch")
    flake = options.template(f"{head}.flake")
    flags = options.get(f"{head}.flags", [])
    extra = [flag for flag in flags if isinstance(flag, str)] if isinstance(flags, list) else []
    words = ["nixos-rebuild", str(operation), *(["--refresh", "--flake", flake] if flake else []), *extra]
    dates = options.get(f"{head}.dates", _UPGRADE_AT)
    env = _environment(options, f"systemd.services.{UPGRADE}")
    return {
        f"{UPGRADE}.service": Job(argv=tuple(words), env=env),
        f"{UPGRADE}.timer": _timer(_UPGRADE_AT if isinstance(dates, Raw) else str(dates)),
    }


def _timer(dates: str) -> Job:
    """The part of systemd.time(7) that hosts use: a time of day, a step of minutes, and the names."""
    if match := re.fullmatch(r"(\d\d):(\d\d)(?::00)?", dates):
        return Job(at=int(match[1]) * 3600 + int(match[2]) * 60)
    if match := re.fullmatch(r"\*:0?0?/(\d+)", dates):
        return Job(every_s=int(match[1]) * 60.0)
    return Job(at=0) if dates == "daily" else Job(every_s=_EVERY.get(dates, 86400.0))
