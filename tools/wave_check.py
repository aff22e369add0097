"""Ask ansible-playbook itself whether the oracle of the waves reads its documentation rightly: python tools/wave_check.py.

Every play that a seed stands for is run on local hosts by the program; who did which task, who failed and who was
stopped must be what `tests/wave_oracle.py` says.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.unit.test_wave_oracle import case  # noqa: E402 - the checkout's root comes first
from tests.wave_oracle import OraclePlay, ansible_playbook, oracle  # noqa: E402 - as above

NAMES: Final = {number: f"task {number}" for number in range(10)}


def main() -> int:
    """0 when the program agrees in every case, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first case")
    parser.add_argument("--count", type=int, default=40, help="how many cases")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("--ansible", default="ansible-playbook", help="the program")
    options = parser.parse_args()
    began, wrong = time.monotonic(), 0
    with ThreadPoolExecutor(options.jobs) as pool:
        seeds = range(options.seed, options.seed + options.count)
        for seed, said in zip(seeds, pool.map(lambda seed: asked(options.ansible, case(seed)), seeds), strict=True):
            told = oracle(case(seed))
            if said != (told.done, told.failed):
                wrong += 1
                print(f"case {seed}: {case(seed)}")
                print(f"  only the oracle: {sorted(told.done - said[0])}, only ansible: {sorted(said[0] - told.done)}")
                print(f"  failed: oracle {sorted(told.failed)}, ansible {sorted(said[1])}", flush=True)
    version = subprocess.run([options.ansible, "--version"], capture_output=True, text=True, check=True).stdout
    print(f"{version.splitlines()[0]}: {options.count} cases, {wrong} differ, {time.monotonic() - began:.0f} s")
    return int(bool(wrong))


def asked(program: str, play: OraclePlay) -> tuple[frozenset[tuple[str, int]], frozenset[str]]:
    """Who did which task, and who failed, as ansible-playbook tells it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "play.yaml").write_text(json.dumps(ansible_playbook(play, NAMES)))
        (path / "hosts").write_text("".join(f"{host} ansible_connection=local\n" for host in play.hosts))
        words = [program, "-i", str(path / "hosts"), "-f", "20", str(path / "play.yaml")]
        more = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_LOCAL_TEMP": folder, "HOME": folder}
        more |= {"ANSIBLE_STDOUT_CALLBACK": "default", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_RETRY_FILES_ENABLED": "0"}
        done = subprocess.run(words, env=os.environ | more, capture_output=True, text=True, check=False).stdout
    return read(done)


def read(text: str) -> tuple[frozenset[tuple[str, int]], frozenset[str]]:
    """The same of the program's output: a header of each task, then a line for each host."""
    done, failed, number = set(), set(), -1
    for line in text.splitlines():
        if line.startswith("TASK ["):
            number = next(number for number, name in NAMES.items() if line.startswith(f"TASK [{name}]"))
        elif line.startswith(("ok: [", "changed: [", "fatal: [", "failed: [")):
            host = line.partition("[")[2].partition("]")[0]
            done.add((host, number))
            if line.startswith(("fatal", "failed")):
                failed.add(host)
    return frozenset(done), frozenset(failed)


if __name__ == "__main__":
    sys.exit(main())
