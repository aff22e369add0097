"""Configuration that is stored, listed, changed and removed, each kind in the same way (source: pve-common SectionConfig.pm).

What the site does with a kind, if anything, is elsewhere: here it is only kept in `Cluster.sections`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.formats import split_list

if TYPE_CHECKING:
    from pvenix_lab.site.pve.cluster import Section

_NOT_STORED = frozenset({"append", "delete", "digest", "force", "keep"})


def _everybody(_call: Call, _name: str) -> bool:
    return True


def _nothing_more(_call: Call, _name: str, _entry: dict[str, Any]) -> None:
    return


def _as_it_is(name: str) -> str:
    return name


def _unnoticed(_call: Call, _name: str) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of entry. `missing` and `taken` are texts with `{}` for the id.

    `visible` filters the list, `complete` adds to a new entry what the backend adds and may refuse it, `changed` is told of every
    new and changed entry.
    """

    path: str
    section: str
    key: str
    missing: str
    taken: str
    visible: Callable[[Call, str], bool] = _everybody
    complete: Callable[[Call, str, dict[str, Any]], None] = _nothing_more
    changed: Callable[[Call, str], None] = _unnoticed
    new_id: Callable[[Call], str] | None = None
    spelt: Callable[[str], str] = _as_it_is
    """The id of the path as it is kept, as where a short form is taken too."""

    def all(self, call: Call) -> Section:
        """The entries by id."""
        return call.cluster.sections.setdefault(self.section, {})

    def named(self, call: Call) -> tuple[str, dict[str, Any]]:
        """The entry of the path. Raises PveError if there is none."""
        name = self.spelt(call.text(self.key))
        entry = self.all(call).get(name)
        if entry is None:
            raise PveError(self.missing.format(name))
        return name, entry

    def digest(self, call: Call) -> str:
        """SHA-1 of the section."""
        return hashlib.sha1(json.dumps(self.all(call), sort_keys=True).encode()).hexdigest()  # noqa: S324  as the backend


def register(kind: Kind) -> None:
    """Answer GET and POST of the kind's path, and GET, PUT and DELETE of one entry."""
    _register_list(kind)
    _register_one(kind, f"{kind.path}/{{{kind.key}}}")


def _register_list(kind: Kind) -> None:
    @route("GET", kind.path)
    async def entries(call: Call) -> list[dict[str, Any]]:
        digest = kind.digest(call)
        found = [{kind.key: name, **entry} for name, entry in kind.all(call).items() if kind.visible(call, name)]
        if "type" in call.params:
            found = [entry for entry in found if entry.get("type", call.text("type")) == call.text("type")]
        return [entry | {"digest": digest} for entry in found]

    @route("POST", kind.path)
    async def create(call: Call) -> None:
        name = kind.spelt(call.text(kind.key)) or (kind.new_id(call) if kind.new_id else "")
        if name in kind.all(call):
            raise PveError(kind.taken.format(name))
        entry = _stored(call, kind)
        kind.complete(call, name, entry)
        kind.all(call)[name] = entry
        kind.changed(call, name)


def _register_one(kind: Kind, one: str) -> None:
    @route("GET", one)
    async def read(call: Call) -> dict[str, Any]:
        name, entry = kind.named(call)
        return {kind.key: name, **entry, "digest": kind.digest(call)}

    @route("PUT", one)
    async def update(call: Call) -> None:
        name, entry = kind.named(call)
        if "digest" in call.params and call.text("digest") != kind.digest(call):
            raise PveError("detected modified configuration - file changed by other user? Try again.")
        for option in split_list(call.text("delete")):
            if option not in call.properties:
                raise ParameterError({"delete": f"unknown option '{option}'"})
            entry.pop(option, None)
        entry.update(_stored(call, kind))
        kind.changed(call, name)

    @route("DELETE", one)
    async def delete(call: Call) -> None:
        name, _ = kind.named(call)
        del kind.all(call)[name]


def _stored(call: Call, kind: Kind) -> dict[str, Any]:
    return {name: value for name, value in call.params.items() if name not in _NOT_STORED and name != kind.key}
