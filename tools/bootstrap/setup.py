"""Makes a virtual environment hold exactly what the lock files name; needs nothing but the standard library.

`setup.py VENV LOCK...` fills VENV and installs this checkout into it, editable. With `--wheel FILE` that wheel is installed
instead. pip comes from the wheel beside this file, so the Python that runs this needs neither pip nor ensurepip. Of the
user's pip configuration only what says how the network is reached is kept: the locks' hashes say what may come over it.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
PIP_WHEEL = HERE / "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
TOOLS = {"git": "git", "ssh": "openssh-client"}
NETWORK_SETTINGS = frozenset(
    [
        *("cache-dir", "cert", "client-cert", "default-timeout", "extra-index-url", "find-links", "index-url"),
        *("keyring-provider", "no-cache-dir", "no-index", "proxy", "retries", "timeout", "trusted-host"),
    ]
)


def main() -> int:
    """0 when VENV is as the locks say, whether it was before or not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("venv", type=Path)
    parser.add_argument("locks", nargs="+", type=Path)
    parser.add_argument("--wheel", type=Path, help="install this wheel instead of the checkout")
    arguments = parser.parse_args()
    check_machine()
    venv: Path = arguments.venv.absolute()
    venv.mkdir(parents=True, exist_ok=True)
    with (venv / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once: the second finds the work done
        fill(venv, arguments.locks, arguments.wheel)
    return 0


def check_machine() -> None:
    """Exits with what to install when something that pip cannot bring is missing."""
    missing = {tool: package for tool, package in TOOLS.items() if shutil.which(tool) is None}
    if missing:
        sys.exit(
            f"setup: not found: {', '.join(missing)}\n\n"
            f"hint: install it first, on Debian with `apt-get install {' '.join(missing.values())}`"
        )


def fill(venv: Path, locks: list[Path], wheel: Path | None) -> None:
    """Brings VENV to the locks unless the stamp of each says that it is there; stamps are written last."""
    stamps = {venv / f".stamp-{lock.stem}": fingerprint(lock, wheel) for lock in locks}
    python = venv / "bin" / "python"
    if python.exists() and all(stamp.is_file() and stamp.read_text() == text for stamp, text in stamps.items()):
        return
    say(f"installing into {venv} from {', '.join(lock.name for lock in locks)} (once; a minute or two)")
    make_venv(venv, python)
    pip = [str(python), "-I", f"{checked_pip_wheel()}/pip"]
    environment = pip_environment(pip)
    requirements = [argument for lock in locks for argument in ("-r", str(lock))]
    install = [*pip, "install", "-qq", "--only-binary=:all:"]
    run([*install, "--require-hashes", *requirements], environment)
    if wheel is None:
        run([*install, "--no-build-isolation", "--no-deps", "--editable", str(CHECKOUT)], environment)
    else:
        run([*install, "--no-deps", "--force-reinstall", str(wheel)], environment)
    for stamp, text in stamps.items():
        stamp.write_text(text)


def fingerprint(lock: Path, wheel: Path | None) -> str:
    """Changes with the lock, the metadata, this script, the Python that runs it and the place of the checkout."""
    digest = hashlib.sha256()
    for path in [lock, wheel or CHECKOUT / "pyproject.toml", Path(__file__)]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    digest.update(repr((sys.version_info[:2], os.fspath(CHECKOUT))).encode())
    return digest.hexdigest()


def make_venv(venv: Path, python: Path) -> None:
    """VENV runs this Python from this place; one that does is kept with what is in it."""
    command = [str(python), "-I", "-c", "import sys; print(*sys.version_info[:2])"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout if python.exists() else ""
    settings = venv / "pyvenv.cfg"
    made_here = settings.exists() and f" {venv}\n" in settings.read_text()  # its scripts name the place
    if answer.split() != [*map(str, sys.version_info[:2])] or not made_here:
        for old in (entry for entry in venv.iterdir() if entry.name != ".setup.lock"):
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        run([sys.executable, "-I", "-m", "venv", "--without-pip", str(venv)], dict(os.environ))


def checked_pip_wheel() -> Path:
    """The wheel beside this file, once its content is known to be the one that was reviewed."""
    if hashlib.sha256(PIP_WHEEL.read_bytes()).hexdigest() != PIP_SHA256:
        sys.exit(f"setup: {PIP_WHEEL} is damaged\n\nhint: restore it with `git checkout -- {PIP_WHEEL.name}`")
    return PIP_WHEEL


def pip_environment(pip: list[str]) -> dict[str, str]:
    """The user's environment, with pip's own settings reduced to NETWORK_SETTINGS wherever they were written."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    listing = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    settings: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):  # the later one wins, as in pip
        for name, _, value in (
            line.removeprefix(section).partition("=") for line in listing.splitlines() if line.startswith(section)
        ):
            if name in NETWORK_SETTINGS:
                settings[name] = str(ast.literal_eval(value))
    environment |= {f"PIP_{name.upper().replace('-', '_')}": value for name, value in settings.items()}
    return environment | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def run(command: list[str], environment: dict[str, str]) -> None:
    """Runs COMMAND; what it prints goes to stderr, so that stdout stays the caller's. Exits when it fails."""
    finished = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if finished.returncode:
        sys.exit(
            f"setup: exit code {finished.returncode} from: {' '.join(command)}\n\n"
            "hint: the lines above say why; the package index must be reachable"
        )


def say(text: str) -> None:
    """A line for the person who waits."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
