"""Resolves pyproject.toml into requirements/*.lock, for every platform and Python 3.11 to 3.14.

`runtime.lock` holds what the wheel needs, `build.lock` what builds it, `dev.lock` both and the checks' tools, at the same
versions. The files name packages, versions, markers and hashes, and no address: they install from any index.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
UV = [
    *(str(Path(sys.executable).parent / "uv"), "pip", "compile", "--no-config", "--quiet", "--upgrade"),
    *("--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header"),
]
LOCKS = {
    "runtime": ["pyproject.toml"],
    "build": ["--group", "build"],
    "dev": ["pyproject.toml", "--group", "dev", "-c", "requirements/runtime.lock", "-c", "requirements/build.lock"],
}


def main() -> int:
    """0 when all locks are written; 1 when an address slipped into one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    for name, sources in LOCKS.items():
        lock = CHECKOUT / "requirements" / f"{name}.lock"
        subprocess.run([*UV, *sources, "--output-file", str(lock)], cwd=CHECKOUT, env=environment, check=True)
        if "://" in lock.read_text():
            print(f"lock: {lock} names an address", file=sys.stderr)
            return 1
        print(f"{lock.relative_to(CHECKOUT)}: {lock.read_text().count('==')} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
