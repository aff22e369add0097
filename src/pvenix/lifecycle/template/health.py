"""Whether clones of a template will be what they should: read from its configuration, from the fleet and from its guests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from pvenix.engine.ports import VmConfig
from pvenix.fleet.node import Node
from pvenix.lifecycle.placement.templates import templates_of
from pvenix.lifecycle.placement.values import TemplateSeen
from pvenix.lifecycle.template import lint
from pvenix.lifecycle.template.marks import Made, locked_nixpkgs, made_in
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError, Unreachable, UsageError
from pvenix.model.findings import Finding
from pvenix.model.host import Host, Install
from pvenix.model.nearest import did_you_mean
from pvenix.model.site import Template
from pvenix.model.template import Freshness, TemplateHealth

LOCK: Final = "nix/flake.lock"
REFRESH: Final = "pvenix run playbooks/template-refresh.yaml"
_FEW: Final = 4


async def template_healths(world: World, names: Sequence[str] = ()) -> tuple[TemplateHealth, ...]:
    """The templates of these names, or all, with their replicas.

    Raises: UsageError for a name that the site does not have, Unreachable when the cluster does not answer.
    """
    known = world.fleet.site.templates
    for name in names:
        if name not in known:
            raise UsageError(
                f"the site has no template `{name[:60]}`",
                hint=did_you_mean(name, known) or "inventory/site.yaml lists them under `templates`",
            )
    wanted = await _wanted(world)
    return tuple([one for name in names or known for one in await _healths(world, known[name], wanted)])


async def template_findings(world: World, template: Template) -> tuple[Finding, ...]:
    """What makes every clone of the template wrong; neither its age nor what its guests share by now.

    Empty for a template that is not there, which others tell. Costs what placement has read already.
    Raises: Unreachable when the cluster does not answer.
    """
    try:
        seen = await templates_of(world, template)
    except Unreachable:
        raise
    except PvenixError:
        return ()
    found = [fault for one in seen for fault in lint.faults(template, await _config(world, one), one.vmid)]
    return tuple(dict.fromkeys(_placed(world, template, seen[0].vmid, fault) for fault in found if not fault.warning))


async def _wanted(world: World) -> str:
    """The nixpkgs that the main branch pins, empty when that cannot be read: the age is not known then."""
    try:
        return locked_nixpkgs(await world.repo.read(await world.expected(), LOCK) or "")
    except PvenixError:
        return ""


async def _healths(world: World, template: Template, wanted: str) -> list[TemplateHealth]:
    try:
        seen = await templates_of(world, template)
    except Unreachable:
        raise
    except PvenixError as error:
        what = f"{error.what}: {error.why}" if error.why else error.what
        finding = _at(world, template).finding(error.code, what, error.hint)
        return [TemplateHealth(name=template.name, vmid=template.vmid, wanted=wanted, findings=(finding,))]
    return [await _health(world, template, one, wanted) for one in seen]


async def _health(world: World, template: Template, seen: TemplateSeen, wanted: str) -> TemplateHealth:
    config = await _config(world, seen)
    hosts = tuple(host for host in world.fleet.hosts.values() if _is_cloned_from(host, template))
    made = made_in(config.values.get("description", ""))
    found = [*lint.faults(template, config, seen.vmid), *lint.oversize(config, hosts), *_shared(world, hosts)]
    found += _age(made, wanted)
    return TemplateHealth(
        name=template.name,
        vmid=seen.vmid,
        node=seen.node,
        made_at=made.at or _created(config),
        nixpkgs=made.nixpkgs,
        commit=made.commit,
        wanted=wanted,
        freshness=_freshness(made, wanted),
        findings=tuple(_placed(world, template, seen.vmid, one) for one in found),
    )


async def _config(world: World, seen: TemplateSeen) -> VmConfig:
    return await world.survey.config(seen.node, seen.vmid) or VmConfig(values={}, digest="")


def _placed(world: World, template: Template, vmid: int, fault: lint.Fault) -> Finding:
    """The fault where the site names the template."""
    what = f"template {vmid}: {fault.what}"
    return _at(world, template).finding(fault.code, what, fault.hint, warning=fault.warning)


def _at(world: World, template: Template) -> Node:
    return world.fleet.site_place("templates", template.name, "vmid")


def _is_cloned_from(host: Host, template: Template) -> bool:
    machine = host.machine
    return machine.state.managed and machine.install is Install.CLONE and machine.template == template.name


def _freshness(made: Made, wanted: str) -> Freshness:
    if not made.nixpkgs or not wanted:
        return Freshness.UNKNOWN
    return Freshness.FRESH if made.nixpkgs == wanted else Freshness.STALE


def _age(made: Made, wanted: str) -> Iterable[lint.Fault]:
    if _freshness(made, wanted) is Freshness.STALE:
        yield lint.Fault(
            code=lint.STALE,
            what=f"it was built from nixpkgs {made.nixpkgs[:12]}, {LOCK} pins {wanted[:12]}: "
            "a new host downloads the difference",
            hint=REFRESH,
            warning=True,
        )


def _created(config: VmConfig) -> str:
    """When the VM was made, as its `meta` says (qemu-server MetaInfo.pm); a clone takes it over from its source."""
    fields = dict(part.split("=", 1) for part in config.values.get("meta", "").split(",") if "=" in part)
    made = fields.get("ctime", "")
    return datetime.fromtimestamp(int(made), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if made.isdecimal() else ""


def _shared(world: World, hosts: tuple[Host, ...]) -> Iterable[lint.Fault]:
    """Guests with one host key or one machine id: their template carried it (F31)."""
    keys: dict[str, list[str]] = defaultdict(list)
    machine_ids: dict[str, list[str]] = defaultdict(list)
    for host in hosts:
        pin = world.trust.get(host.name)
        if pin is not None:
            keys[pin.key].append(host.name)
        if seen := world.sightings.get(host.name).machine_id:
            machine_ids[seen].append(host.name)
    for what, found in (("SSH host key", keys), ("machine id", machine_ids)):
        for names in found.values():
            if len(names) > 1:
                yield lint.Fault(
                    code=lint.IDENTITY,
                    what=f"{_listed(names)} have one {what}: the template that they were cloned from carried it",
                    hint=f"a clean template first ({REFRESH}); then make them anew: pvenix reprovision {names[1]}",
                )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_FEW])
    return shown + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")
