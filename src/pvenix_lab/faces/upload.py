"""Files in a multipart form, as the API takes them (source: pve-http-server AnyEvent.pm, file_upload_multipart)."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from pvenix_lab.faces.http1 import DroppedError, Params, Request

_PATH = re.compile(r"/api2/json/nodes/[^/]+/storage/[^/]+/upload")
_BOUNDARY = re.compile(r"multipart/form-data\s*;.*?boundary=\"?([^\";]+)\"?", re.IGNORECASE)
_NAME = re.compile(r"\bname=\"([^\"]*)\"")
_FILENAME = re.compile(r"\bfilename=\"([^\"]*)\"")
_TEMPORARY = "/var/tmp/pveupload-"  # noqa: S108  the name that the API's schema wants; the file lies below the site


def is_upload(method: str, path: str) -> bool:
    """True for the one call whose body is a file."""
    return method == "POST" and _PATH.fullmatch(path) is not None


def upload_params(request: Request, folder: Path) -> Params:
    """The form's fields; the file lies in `folder` under the last part of `tmpfilename`.

    Raises:
        DroppedError: not a multipart form, or one without a file; the real server drops the connection (measured on 8.4.5).
    """
    found = _BOUNDARY.match(request.headers.get("content-type", ""))
    if found is None:
        raise DroppedError
    params: Params = {}
    for part in request.body.split(b"--" + found[1].encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        text, content = head.decode("utf-8", "replace"), content.removesuffix(b"\r\n")
        name, filename = _NAME.search(text), _FILENAME.search(text)
        if name is None:
            continue
        if filename is None:
            params[name[1]] = content.decode("utf-8", "replace")
            continue
        key = secrets.token_hex(16)  # of the length of the MD5 sum that the real server makes
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"pveupload-{key}").write_bytes(content)
        params |= {"filename": filename[1], "tmpfilename": _TEMPORARY + key}
    if "tmpfilename" not in params:
        raise DroppedError
    return params
