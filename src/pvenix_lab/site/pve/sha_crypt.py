"""SHA-256 crypt (`$5$`), the form in which Proxmox VE stores cipassword; Python 3.13 dropped its crypt module.

Source: Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.4, default of 5000 rounds.
"""

from __future__ import annotations

from hashlib import sha256

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ROUNDS = 5000
_SIZE = 32


def sha256_crypt(password: str, salt: str) -> str:
    """The crypt string of `password`; `salt` is used up to 16 characters."""
    key, seed = password.encode(), salt[:16].encode()
    alternate = sha256(key + seed + key).digest()
    first = sha256(key + seed + _fill(alternate, len(key)))
    bits = len(key)
    while bits:
        first.update(alternate if bits & 1 else key)
        bits >>= 1
    digest = first.digest()
    p = _fill(sha256(key * len(key)).digest(), len(key))
    s = _fill(sha256(seed * (16 + digest[0])).digest(), len(seed))
    for number in range(_ROUNDS):
        odd = number & 1
        text = p if odd else digest
        text += s if number % 3 else b""
        text += p if number % 7 else b""
        text += digest if odd else p
        digest = sha256(text).digest()
    return f"$5${seed.decode()}${_encode(digest)}"


def _fill(digest: bytes, length: int) -> bytes:
    return (digest * (length // _SIZE + 1))[:length]


def _encode(digest: bytes) -> str:
    order = [(i * 21 % 30, (i * 21 + 10) % 30, (i * 21 + 20) % 30) for i in range(10)]
    text = "".join(_base64(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in order)
    return text + _base64(digest[31] << 8 | digest[30], 3)


def _base64(value: int, length: int) -> str:
    return "".join(_ALPHABET[value >> (6 * position) & 63] for position in range(length))
