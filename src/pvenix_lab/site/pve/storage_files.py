"""Files that come to a storage: upload and download by the node (F38; source: pve-storage 8.3 API2/Storage/Status.pm).

The node's internet is `Cluster.sections["downloads"]`: by address what is there, its size in bytes and its checksums by algorithm.
What an upload sends arrives as `tmpfilename`, a file that the face has written (`uploads`), as in the real server.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.storage_content import path_of
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.volumes import FILE_TYPES, Volume

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.cluster import Storage

_STORAGE = "/nodes/{node}/storage/{storage}"
_ILLEGAL = re.compile(r"[^-a-zA-Z0-9_.]")
_EXTENSIONS = {
    "iso": re.compile(r"[^/]+\.(?i:iso|img)"),
    "vztmpl": re.compile(r"[^/]+\.tar\.(?:gz|xz|zst|bz2)"),
    "import": re.compile(r"[-a-zA-Z0-9_.+=]+\.(?:ova|ovf|qcow2|raw|vmdk)"),
}
_WRONG = {"import": "invalid filename or wrong extension"}


def uploads(site: Site) -> Path:
    """Where a face puts the file `pveupload-<hex>` before it calls `upload` with `tmpfilename=/var/tmp/pveupload-<hex>`."""
    return site.root / "uploads"


def _name(call: Call) -> str:
    """The file's name as the storage keeps it: without directories, odd characters replaced."""
    return _ILLEGAL.sub("_", call.text("filename").replace("\\", "/").rpartition("/")[2])


def _check(call: Call, storage: Storage, wrong_type: str, wrong_content: str, forbidden: str) -> str:
    if storage.type not in FILE_TYPES:
        raise PveError(wrong_type)
    content, name = call.text("content"), _name(call)
    if content not in _EXTENSIONS:
        raise ParameterError({"content": forbidden})
    if wrong_content and content not in storage.content:
        raise PveError(wrong_content)
    if _EXTENSIONS[content].fullmatch(name) is None:
        raise ParameterError({"filename": _WRONG.get(content, "wrong file extension")})
    return name


def _put(call: Call, storage: Storage, name: str, size: int) -> Volume:
    """Enter the file, over one of the same name; raises PveError if there is no room."""
    content, node = call.text("content"), call.text("node")
    key = (volumes.place(storage, node), f"{storage.name}:{content}/{name}")
    call.cluster.volumes.entries.pop(key, None)
    if size > volumes.room(call.cluster, storage, node)["avail"]:
        raise PveError("import failed: exit code 1")
    fmt = volumes.format_of(name) if content == "import" else "raw"
    volume = Volume(
        storage=storage.name,
        name=f"{content}/{name}",
        size=size,
        content=content,
        format=fmt,
        node=key[0],
        ctime=int(call.site.wall()),
    )
    call.cluster.volumes.entries[key] = volume
    return volume


@route("POST", _STORAGE + "/upload")
async def upload(call: Call) -> str:
    """Take a file in a task; a wrong extension and a storage that cannot hold it show at once, a wrong checksum in the task."""
    storage = call.storage()
    content = call.text("content")
    name = _check(
        call,
        storage,
        f"can't upload to storage type '{storage.type}'",
        "",
        f"upload content type '{content}' not allowed",
    )
    source = _temporary(call)
    if content not in storage.content:
        raise PveError(f"storage '{storage.name}' does not support '{content}' content")

    async def worker(task: Task) -> None:
        _import(call, task, storage, source, name)

    return launch(call, "imgcopy", worker, identity="")


def _temporary(call: Call) -> Path:
    """The node's `/var/tmp` is the folder `uploads` of the site. Raises PveError if the face has put nothing there."""
    name = call.text("tmpfilename")
    if not name:
        raise PveError("missing temporary file name")
    found = uploads(call.site) / Path(name).name
    if not found.is_file():
        raise PveError(f"temporary file '{name}' does not exist")
    return found


def _import(call: Call, task: Task, storage: Storage, source: Path, name: str) -> None:
    """Check and enter the file; the temporary one goes either way."""
    task.log(f"starting file import from: {call.text('tmpfilename')}")
    try:
        _check_sum(call, task, source)
        volume = _put(call, storage, name, source.stat().st_size)
    finally:
        source.unlink(missing_ok=True)
    task.log(f"target node: {call.text('node')}\ntarget file: {path_of(call, volume)}\nfile size is: {volume.size}")
    task.log("finished file import successfully")


def _check_sum(call: Call, task: Task, source: Path) -> None:
    algorithm = call.text("checksum-algorithm")
    if not algorithm:
        return
    task.log("calculating checksum...")
    with source.open("rb") as stream:
        got = hashlib.file_digest(stream, algorithm).hexdigest()
    if got != call.text("checksum").lower():
        raise PveError(f"checksum mismatch: got '{got}' != expect '{call.text('checksum')}'")


@route("POST", _STORAGE + "/download-url")
async def download(call: Call) -> str:
    """Let the node fetch a file, in a task; what is not there and a wrong checksum show only in it."""
    storage = call.storage()
    content = call.text("content")
    name = _check(
        call,
        storage,
        f"can't upload to storage type '{storage.type}', not a file based storage!",
        f"storage '{storage.name}' is not configured for content-type '{content}'",
        f"upload content-type '{content}' is not allowed",
    )

    async def worker(task: Task) -> None:
        if "compression" in call.params and content != "iso":
            raise PveError(f"decompression not supported for {content}")
        await _fetch(call, task, storage, name)

    return launch(call, "download", worker, identity=name)


async def _fetch(call: Call, task: Task, storage: Storage, name: str) -> None:
    url = call.text("url")
    known: dict[str, Any] | None = call.cluster.sections.get("downloads", {}).get(url)
    task.log(
        f"downloading {url} to {storage.settings.get('path', '/var/lib/vz')}/template/{call.text('content')}/{name}"
    )
    await call.site.sleep(call.site.timings.clone_s)
    if known is None:
        raise PveError("download failed: exit code 8")
    algorithm, wanted = call.text("checksum-algorithm"), call.text("checksum")
    if wanted:
        task.log("calculating checksum...")
        got = str(known.get(algorithm, ""))
        if got != wanted.lower():
            raise PveError(f"checksum mismatch: got '{got}' != expect '{wanted}'")
        task.log("OK, checksum verified")
    _put(call, storage, name, int(known["size"]))
    task.log(f"download of '{url}' to '{name}' finished")
