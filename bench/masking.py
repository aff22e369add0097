"""How fast output passes the filter for secrets: megabytes a second by how many are known and how the text comes.

Run: python bench/masking.py
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from pvenix.model.secret import Redactor

LINE = (
    "dns01 copying path '/nix/store/abcdefghijklmnopqrstuvwxyz012345-glibc-2.40-66' from 'https://cache.nixos.org'...\n"
)
CHUNK = LINE * 600
SECONDS = 0.5


def measured(filtered: Callable[[str], object], text: str) -> float:
    """Megabytes a second."""
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        filtered(text)
        done += len(text)
    return done / (time.perf_counter() - began) / 1e6


def main() -> None:
    """Print the table."""
    drawn = random.Random(1)  # the same secrets each time
    print("secrets known | forms | chunks of 64 KiB | line by line")
    for count in (1, 2, 5, 20):
        redactor = Redactor()
        for _ in range(count):
            redactor.add("".join(drawn.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP0123456789-_", k=36)))
        stream = redactor.stream()
        chunks, lines = measured(stream.feed, CHUNK), measured(stream.feed, LINE)
        print(f"{count:13} | {redactor.size:5} | {chunks:11.0f} MB/s | {lines:7.0f} MB/s")


if __name__ == "__main__":
    main()
