"""Plans in files: what `pvenix plan --out` writes and `pvenix apply FILE` reads back, nothing secret in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pvenix.model.errors import LocalResource, UsageError
from pvenix.model.fleetplan import SCHEMA, FleetPlan
from pvenix.model.secret import KNOWN

_LARGEST = 64 * 2**20
"""Bytes; a plan for ten thousand hosts is a tenth of it."""
_HINT = "make a new one: pvenix plan --out FILE"


def write_plan(path: Path, plan: FleetPlan) -> None:
    """Write a plan, whole or not at all.

    Raises: LocalResource when the file cannot be written.
    """
    text = json.dumps(KNOWN.masked(plan.to_json()), indent=1, ensure_ascii=False) + "\n"
    try:
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise LocalResource(f"the plan cannot be written to {path}", why=error.strerror or str(error)) from error


def read_plan(path: Path) -> FleetPlan:
    """The plan in a file that `write_plan` wrote.

    Raises: UsageError when there is none, it is no plan, or another version of pvenix wrote it.
    """
    try:
        data = path.read_bytes() if path.stat().st_size <= _LARGEST else b""
        document = json.loads(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error), hint=_HINT) from error
    except (ValueError, RecursionError) as error:
        raise _no_plan(path, "it is no JSON document") from error
    if not isinstance(document, dict) or not isinstance(document.get("schema"), str):
        raise _no_plan(path, "it names no schema")
    if document["schema"] != SCHEMA:
        raise UsageError(
            f"{path} is of schema {document['schema'][:60]!r}",
            why=f"this version of pvenix reads {SCHEMA}",
            hint=_HINT,
            code="PVX0567",
        )
    return _plan_in(path, document)


def _plan_in(path: Path, document: dict[str, Any]) -> FleetPlan:
    values = {key: value for key, value in document.items() if key not in ("schema", "summary")}
    try:
        plan: FleetPlan = TypeAdapter(FleetPlan).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise _no_plan(path, f"{'.'.join(map(str, first['loc'])) or 'the plan'}: {first['msg'].lower()}") from error
    if _normal(plan.to_json()) != document:  # keys that nobody reads, and counts that are not so
        raise _no_plan(path, "it was changed after it was written")
    return plan


def _normal(document: dict[str, Any]) -> Any:
    """As JSON has it: lists for tuples."""
    return json.loads(json.dumps(document))


def _no_plan(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is not a plan of pvenix", why=why, hint=_HINT, code="PVX0566")
