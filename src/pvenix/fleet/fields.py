"""The kinds of values in the fleet's files, as pydantic types: each says in one line what it wants.

A validator that raises `PydanticCustomError` with a PVX code gives its finding that code; all others are
PVX0105. Imported only when a fleet is loaded.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from pvenix.fleet import codes
from pvenix.fleet.secret_refs import secret_ref
from pvenix.model import names, units
from pvenix.model.errors import UsageError
from pvenix.model.host import PublicKey
from pvenix.model.secretref import SecretRef

STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
"""For every map: unknown keys are errors, `"4"` is not 4, and an error repeats no value."""

T = TypeVar("T")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_PUBLIC_KEY = re.compile(r"(?:ssh-[a-z0-9-]+|ecdsa-[a-z0-9-]+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]{16,}={0,3}(?: [^\n]*)?")
_TOKEN = re.compile(r"[^\s!@:=]+@[A-Za-z][A-Za-z0-9.-]*=[0-9a-f-]{36}|[^\s=]+=[0-9a-f]{8}-[0-9a-f-]{27}")


def refused(message: str) -> PydanticCustomError:
    """The error for what pvenix never accepts."""
    return PydanticCustomError(codes.REFUSED, "{message}", {"message": message})


def planned(message: str) -> PydanticCustomError:
    """The error for a part of the format that is not built yet."""
    return PydanticCustomError(codes.PLANNED, "{message}", {"message": f"{message} is planned, not built yet"})


def many(item: Any, *, unique: bool = False) -> Any:
    """A list of `item`, as a tuple; with `unique` a repeated item counts once."""
    return Annotated[list[item], AfterValidator(lambda value: tuple(dict.fromkeys(value) if unique else value))]


def build(target: Callable[..., T]) -> AfterValidator:
    """Makes the model's value out of a checked map."""
    return AfterValidator(lambda value: target(**value))


def named(target: Callable[..., Any]) -> AfterValidator:
    """Makes the model's values out of a map of checked maps, each with its key as `name`."""
    return AfterValidator(lambda value: {name: target(name=name, **item) for name, item in value.items()})


def _pattern(pattern: str, wanted: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"{value[:60]!r} is not {wanted}")
        return value

    return AfterValidator(check)


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("must not hold control or invisible characters")
    return value


def _node_name(value: str) -> str:
    try:
        return names.node_name(value)
    except UsageError as error:
        raise ValueError(f"{error}; {error.hint}") from None


def _tree_path(value: str) -> str:
    """A path or a pattern below a directory, as Git names them."""
    parts = value.rstrip("/").split("/")
    if (
        not value.isprintable()
        or value.startswith(("/", ":", "!"))
        or not all(parts)
        or {".", "..", ".git"} & set(parts)
    ):
        raise ValueError("must be a path in /etc/nixos, relative and without `..`, or a pattern such as nix/local/*")
    return value


def _notes(value: str) -> str:
    if len(value.encode()) > 8192:
        raise ValueError("is longer than 8 KiB")
    _printable(value.replace("\n", " "))
    return value


def _interface(value: str) -> str:
    """An IP address with its prefix, in its usual spelling."""
    address, slash, _ = value.partition("/")
    try:
        interface = ipaddress.ip_interface(value)
        ipaddress.ip_address(address)
    except ValueError:
        raise ValueError(f"{value[:60]!r} is not an address; write `dhcp` or IP/prefix, such as 10.0.0.5/24") from None
    if not slash:
        raise ValueError(f"{value[:60]!r} has no prefix; write for example {value}/24")
    return str(interface)


def _address(value: str) -> str:
    return value if value == "dhcp" else _interface(value)


def _ip6(value: str) -> str:
    if value in ("auto", "dhcp", "off"):
        return value
    try:
        if ":" in value and "/" in value:
            return str(ipaddress.IPv6Interface(value))
    except ValueError:
        pass
    raise ValueError(f"{value[:60]!r} is not one of auto, dhcp, off or an IPv6 address with prefix")


def _ip(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(f"{value[:60]!r} is not an IP address") from None


def _cidr(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(f"{value[:60]!r} is not a network: {error}") from None


def _mac(value: str) -> str:
    text = value.upper().replace("-", ":")
    if not re.fullmatch(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}", text):
        raise ValueError(f'{value[:60]!r} is not a MAC address; quote it: "BC:24:11:00:00:01"')
    if int(text[:2], 16) & 1:
        raise ValueError(f"{text} is a multicast address; the first byte must be even")
    return text


def _fingerprint(value: str) -> str:
    digits = value.replace(":", "").upper()
    if not re.fullmatch(r"[0-9A-F]{64}", digits):
        raise ValueError("is not a SHA-256 fingerprint: 32 bytes in hex with colons")
    return ":".join(digits[index : index + 2] for index in range(0, 64, 2))


def _domain(value: str) -> str:
    if len(value) > 253 or not all(
        re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", label) for label in value.split(".")
    ):
        raise ValueError(f"{value[:60]!r} is not a DNS name")
    return value


def _path(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or not value or _CONTROL.search(value):
        raise ValueError("must be a path")
    path = Path(value).expanduser() if value.startswith("~") else Path(value)
    root: Path = (info.context or {}).get("root", Path())
    return path if path.is_absolute() else root / path


def _file_ref(value: Any, info: ValidationInfo) -> Path:
    if isinstance(value, str) and "PRIVATE KEY" in value:
        raise refused("a private key must not stand in the fleet; put it into a file and write {file: path}")
    if not isinstance(value, dict) or set(value) != {"file"}:
        raise ValueError("must be {file: path}")
    return _path(value["file"], info)


def _secret(value: Any, info: ValidationInfo) -> SecretRef:
    if not isinstance(value, dict):
        raise refused("a secret must not stand in the fleet; write {env: NAME}, {file: path} or {command: [argv…]}")
    return secret_ref(value, lambda where: _path(where, info))


def _public_key(value: Any, info: ValidationInfo) -> PublicKey:
    if isinstance(value, str):
        if "PRIVATE KEY" in value:
            raise refused("a private key must not stand in the fleet; give the public key")
        if not _PUBLIC_KEY.fullmatch(value.strip()) or _CONTROL.search(value.strip()):
            raise ValueError('is not a public key line; write "ssh-ed25519 AAAA…" or {file: path}')
        return PublicKey(line=value.strip())
    path = _file_ref(value, info)
    if holds_private_key(path):
        raise refused(f"{path.name} holds a private key; give the public key, {path.name}.pub")
    return PublicKey(file=path)


def holds_private_key(path: Path) -> bool:
    """True when the file exists and has a private key's header."""
    try:
        with path.open("rb") as stream:
            return b"PRIVATE KEY" in stream.read(200)
    except OSError:
        return False


def _host_key(value: str) -> str:
    if not _PUBLIC_KEY.fullmatch(value.strip()):
        raise ValueError('is not a host key; write "ssh-ed25519 AAAA…", the line of ssh_host_ed25519_key.pub')
    return " ".join(value.split()[:2])


def _no_token(value: str) -> str:
    if _TOKEN.fullmatch(value):
        raise refused("the token's secret must not stand here; write user@realm!name only")
    return value


def _size(value: Any) -> int:
    return units.mib(value)


def _duration(value: Any) -> int:
    return units.seconds(value)


Text = Annotated[str, AfterValidator(_printable), Field(min_length=1, max_length=1024)]
TreePath = Annotated[str, AfterValidator(_tree_path), Field(min_length=1, max_length=255)]
Notes = Annotated[str, AfterValidator(_notes)]
Size = Annotated[int, BeforeValidator(_size)]
Duration = Annotated[int, BeforeValidator(_duration)]
Key = Annotated[str, _pattern(r"[A-Za-z][A-Za-z0-9_-]{0,62}", "a name of letters, digits, - and _")]
Module = Annotated[str, _pattern(r"[A-Za-z0-9_][A-Za-z0-9_-]*", "a file name in nix/modules, without .nix")]
NodeName = Annotated[str, AfterValidator(_node_name)]
Vmid = Annotated[int, Field(ge=100, le=999_999_999)]
Port = Annotated[int, Field(ge=1, le=65535)]
Vlan = Annotated[int, Field(ge=0, le=4094)]
Storage = Annotated[str, _pattern(r"[A-Za-z][A-Za-z0-9_.-]{0,99}", "a storage name")]
Pool = Annotated[str, _pattern(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,99}", "a pool name")]
Bridge = Annotated[str, _pattern(r"[A-Za-z][A-Za-z0-9_.-]{0,14}", "a bridge name of at most 15 characters")]
Tag = Annotated[str, _pattern(r"[a-z0-9_][a-z0-9_+.-]*", "a Proxmox tag: small letters, digits, _ + . -")]
User = Annotated[str, _pattern(r"[a-z_][a-z0-9_-]{0,31}", "a user name")]
Slot = Annotated[str, _pattern(r"(?:scsi|virtio|sata)[0-9]{1,2}", "a disk slot, such as scsi1")]
Startup = Annotated[str, _pattern(r"(?:(?:order|up|down)=[0-9]+,?)+", "a start-up order, such as order=2,up=30")]
Mapping = Annotated[str, _pattern(r"[A-Za-z][A-Za-z0-9_-]+", "the name of a resource mapping")]
Unit = Annotated[str, _pattern(r"[A-Za-z0-9:_.\\@-]{1,255}", "a systemd unit")]
Endpoint = Annotated[
    str, _pattern(r"https://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?/?", "https://host:port")
]
HttpUrl = Annotated[str, _pattern(r"https?://[^\s]+", "an http or https address")]
IsoVolume = Annotated[
    str, _pattern(r"[A-Za-z][A-Za-z0-9_.-]*:iso/[^/\s,]+\.(?:iso|img)", "a volume, such as local:iso/nixos.iso")
]
IsoUrl = Annotated[str, _pattern(r"https?://[^\s,]+/[^/\s,?#]+\.(?:iso|img)", "the https address of an .iso file")]
Sha256 = Annotated[str, _pattern(r"[0-9a-f]{64}", "a SHA-256 sum: 64 small hex digits")]
GitUrl = Annotated[str, _pattern(r"(?:ssh|https|file)://[^\s]+|/[^\s]*", "a ssh://, https:// or file:// address")]
TokenId = Annotated[
    str, AfterValidator(_no_token), _pattern(r"[^\s!@:=]+@[A-Za-z][\w.-]*![A-Za-z][\w.-]*", "user@realm!name")
]
UserId = Annotated[str, _pattern(r"[^\s!@:=]+@[A-Za-z][\w.-]*", "user@realm, such as ops@pam")]
Domain = Annotated[str, AfterValidator(_domain)]
Address = Annotated[str, AfterValidator(_address)]
Ip6 = Annotated[str, AfterValidator(_ip6)]
Ip = Annotated[str, AfterValidator(_ip)]
Cidr = Annotated[str, AfterValidator(_cidr)]
Mac = Annotated[str, AfterValidator(_mac)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
HostKey = Annotated[str, AfterValidator(_host_key)]
PathField = Annotated[Path, BeforeValidator(_path)]
FileRef = Annotated[Path, BeforeValidator(_file_ref)]
Secret = Annotated[SecretRef, BeforeValidator(_secret)]
PublicKeyField = Annotated[PublicKey, BeforeValidator(_public_key)]
