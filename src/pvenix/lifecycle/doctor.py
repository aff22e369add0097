"""Is the site such that the fleet can be worked on? Looks at everything, changes nothing, and says what to type."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pvenix.engine.ports import Target
from pvenix.lifecycle.world import World
from pvenix.model import privileges, pveum
from pvenix.model.doctor import Check, Contact, Lacking, Report, Verdict
from pvenix.model.errors import ExitCode, PvenixError, Refused
from pvenix.model.names import Vmid
from pvenix.model.privileges import Level, Need, Uses
from pvenix.model.site import Cluster, Site

RELEASES: Final = (8, 9)
"""The major releases whose privileges are known."""
_SOON_DAYS: Final = 30
_CARD: Final = re.compile(r"net[0-9]+")


def ok(subject: str, found: str) -> Check:
    """A check that found nothing wrong."""
    return Check(subject=subject, verdict=Verdict.OK, found=found)


def problem(subject: str, found: str, *advice: str, code: ExitCode = ExitCode.FAILED) -> Check:
    """A check that found something to be done."""
    return Check(subject=subject, verdict=Verdict.PROBLEM, found=found, advice=advice, code=code)


def failed(subject: str, error: PvenixError) -> Check:
    """A check that could not be done, or whose answer was a refusal."""
    return problem(subject, str(error), *([error.hint] if error.hint else []), code=error.exit_code)


def contacts_seen(contacts: Sequence[Contact], cluster: Cluster) -> list[Check]:
    """Endpoints and certificates."""
    many = len({contact.fingerprint for contact in contacts if contact.fingerprint}) > 1
    return [_contact(contact, cluster, many=many) for contact in contacts]


def _contact(contact: Contact, cluster: Cluster, *, many: bool) -> Check:
    subject = f"endpoint {contact.endpoint}"
    if contact.problem:
        advice = "is the node up, and 8006 open from here? else correct clusters.*.endpoints in inventory/site.yaml"
        return problem(subject, f"does not answer: {contact.problem}", advice, code=ExitCode.UNREACHABLE)
    if contact.distrust:
        return problem(
            subject,
            f"certificate not accepted: {contact.distrust}",
            *_trust(contact, cluster, many),
            code=ExitCode.REFUSED,
        )
    if contact.days_left < 0 or contact.days_left < _SOON_DAYS:
        left = f"{contact.days_left} days left" if contact.days_left >= 0 else "expired"
        return problem(
            subject,
            f"the certificate ends on {contact.expires_at[:10]}: {left}",
            "on the node: pvecm updatecerts --force && systemctl reload pveproxy",
        )
    return ok(subject, f"certificate accepted, good until {contact.expires_at[:10]}, SHA-256 {contact.fingerprint}")


def _trust(contact: Contact, cluster: Cluster, many: bool) -> tuple[str, ...]:  # noqa: FBT001 - private, one caller
    """What to compare before anything is believed, and what to write then."""
    changed = cluster.tls.fingerprint
    lines = [
        f"it shows SHA-256 {contact.fingerprint}",
        *([f"the site pins   {changed}"] if changed else []),
        "compare on the node itself, at its console: pvenode cert info",
    ]
    if changed:
        lines.append("if nobody renewed the certificate, somebody is in between: stop here and change nothing")
    if many:
        lines.append("the nodes' certificates differ: better pin what signed them, /etc/pve/pve-root-ca.pem of a node")
        lines.append("inventory/site.yaml, clusters." + cluster.name + ": tls: {ca: inventory/trust/pve-root-ca.pem}")
    else:
        lines.append(
            f'the same? inventory/site.yaml, clusters.{cluster.name}: tls: {{fingerprint: "{contact.fingerprint}"}}'
        )
    return tuple(lines)


def offline_lines(site: Site, cluster: Cluster, uses: Uses, level: Level, release: int) -> tuple[str, ...]:
    """The lines that make user, token, roles and entries from nothing.

    What the template itself is connected to is not known yet: the bridges without a VLAN are taken for it.
    """
    untagged = frozenset((bridge, 0) for bridge, _ in uses.networks)
    wanted = privileges.needs(replace(uses, networks=uses.networks | untagged), level, release)
    return pveum.lines(pveum.grants(wanted, level, site.name), cluster.auth.id, account=True)


@dataclass(slots=True)
class Examination:
    """One look at a site that can be reached."""

    world: World
    cluster: Cluster
    level: Level
    checks: list[Check] = field(default_factory=list)

    async def report(self) -> Report:
        """Every check, whatever the earlier ones found."""
        version = await self._version()
        lacking: tuple[Need, ...] = ()
        lines: tuple[str, ...] = ()
        if version:
            lacking, lines = await self._privileges(_release(version))
            await self._quorum()
            await self._sees_template(lacking)
        else:
            self.checks.append(
                Check(subject="privileges", verdict=Verdict.SKIPPED, found="the login has to work first")
            )
            lines = self._from_nothing()
        await self._repository()
        await self._jump()
        return Report(
            cluster=self.cluster.name,
            level=self.level,
            version=version,
            checks=tuple(self.checks),
            missing=tuple(Lacking(path=one.path, privilege=one.privilege, reason=one.reason) for one in lacking),
            pveum=lines,
        )

    def _from_nothing(self) -> tuple[str, ...]:
        fleet = self.world.fleet
        uses = privileges.uses(fleet.site, self.cluster, fleet.hosts.values())
        return offline_lines(fleet.site, self.cluster, uses, self.level, RELEASES[-1])

    async def _version(self) -> str:
        """The release, empty when the login is not accepted."""
        who = f"login {self.cluster.auth.id}"
        try:
            version = await self.world.pve.version()
        except PvenixError as error:
            self.checks.append(failed(who, error))
            return ""
        self.checks.append(ok(who, "accepted"))
        if _release(version) in RELEASES:
            self.checks.append(ok("version", f"Proxmox VE {version}"))
        else:
            self.checks.append(
                problem("version", f"Proxmox VE {version} is not known", "what follows holds for 8 and 9 only")
            )
        return version

    async def _privileges(self, release: int) -> tuple[tuple[Need, ...], tuple[str, ...]]:
        """What is missing, and the lines that make it right."""
        fleet = self.world.fleet
        try:
            uses = privileges.uses(fleet.site, self.cluster, fleet.hosts.values())
            uses = replace(uses, networks=uses.networks | await self._template_networks(uses))
            wanted = privileges.needs(uses, self.level, release)
            granted = await self._granted(wanted)
        except PvenixError as error:
            self.checks.append(failed("privileges", error))
            return (), ()
        lacking = privileges.missing(wanted, granted)
        self.checks += _by_path(wanted, lacking, granted)
        if not lacking:
            return (), ()
        given = pveum.grants(wanted, self.level, fleet.site.name)
        paths = {need.path for need in lacking}
        return lacking, pveum.lines(
            [grant for grant in given if grant.path in paths], self.cluster.auth.id, account=False
        )

    async def _granted(self, wanted: Sequence[Need]) -> Mapping[str, Mapping[str, int]]:
        """The login's privileges; a path that the list leaves out may have an entry that takes everything away."""
        granted = dict(await self.world.pve.permissions())
        if granted:
            for path in {need.path for need in wanted} - granted.keys():
                granted |= await self.world.pve.permissions(path)
        return granted

    async def _template_networks(self, uses: Uses) -> frozenset[tuple[str, int]]:
        """The cards of the templates: a clone has them too, and needs the right to before it is given its own."""
        found: set[tuple[str, int]] = set()
        for vm in await self.world.survey.vms():
            if vm.vmid in uses.templates and vm.template:
                config = await self.world.pve.config(vm.node, Vmid(vm.vmid))
                found |= _cards(config.values if config else {})
        return frozenset(found)

    async def _quorum(self) -> None:
        try:
            seen = await self.world.pve.quorum()
        except Refused:
            self.checks.append(
                Check(subject="quorum", verdict=Verdict.SKIPPED, found="cannot be read without Sys.Audit on /")
            )
            return
        except PvenixError as error:
            self.checks.append(failed("quorum", error))
            return
        text = f"{seen.online} of {seen.nodes} nodes online"
        if seen.quorate:
            self.checks.append(ok("quorum", text))
        else:
            self.checks.append(
                problem("quorum", f"none: {text}; nothing can be written", "pvecm status, on a node that runs")
            )

    async def _sees_template(self, lacking: Sequence[Need]) -> None:
        """An empty list is an answer only for who would see what is there."""
        site = self.world.fleet.site
        seen = {vm.vmid for vm in await self.world.survey.vms() if vm.template}
        hidden = {need.path for need in lacking if need.privilege == "VM.Audit"}
        for template in (one for one in site.templates.values() if one.cluster == self.cluster.name):
            subject = f"template {template.vmid}"
            if template.vmid in seen:
                self.checks.append(ok(subject, f"is there ({template.name})"))
            elif f"/vms/{template.vmid}" in hidden:
                self.checks.append(
                    Check(subject=subject, verdict=Verdict.SKIPPED, found="cannot be seen without VM.Audit")
                )
            else:
                self.checks.append(problem(subject, "does not exist", "docs/from-zero.md says how to make one"))

    async def _repository(self) -> None:
        repository = self.world.fleet.site.repository
        if repository is None:
            return
        subject = f"repository {repository.url}"
        try:
            tip = await self.world.repo.fetch()
        except PvenixError as error:
            self.checks.append(failed(subject, error))
        else:
            self.checks.append(ok(subject, f"{repository.branch} is at {tip[:10]}"))

    async def _jump(self) -> None:
        access = self.world.fleet.site.access
        if access.jump is None or access.key is None:
            return
        jump = access.jump
        target = Target(
            host="jump", address=jump.host, port=jump.port, user=jump.user, host_key=jump.host_key,
            pinned_in="access.jump.host_key in inventory/site.yaml", key_file=str(access.key),
        )  # fmt: skip
        subject = f"jump host {jump.user}@{jump.host}:{jump.port}"
        try:
            await self.world.guest.session(target)
        except PvenixError as error:
            self.checks.append(failed(subject, error))
        else:
            self.checks.append(ok(subject, "its key is the pinned one, and it accepts ours"))


def _by_path(wanted: Sequence[Need], lacking: Sequence[Need], granted: Mapping[str, Mapping[str, int]]) -> list[Check]:
    """One check for everything that is there, and one for each path at which something is missing."""
    if not granted:
        empty = "none at all: a token has nothing until it is given something itself"
        return [problem("privileges", empty, "paste the lines below on a node", code=ExitCode.REFUSED)]
    found = [ok("privileges", f"{len(wanted) - len(lacking)} of {len(wanted)} needed are there")] if not lacking else []
    for path in dict.fromkeys(need.path for need in lacking):
        here = [need for need in lacking if need.path == path]
        text = "; ".join(f"{name}: {_reasons(here, name)}" for name in dict.fromkeys(need.privilege for need in here))
        found.append(problem(f"privileges on {path}", f"missing {text}", code=ExitCode.REFUSED))
    return found


def _reasons(here: Sequence[Need], privilege: str) -> str:
    return ", ".join(dict.fromkeys(need.reason for need in here if need.privilege == privilege))


def _cards(values: Mapping[str, str]) -> set[tuple[str, int]]:
    found = set()
    for key, value in values.items():
        if _CARD.fullmatch(key):
            parts = dict(part.partition("=")[::2] for part in value.split(","))
            if parts.get("bridge"):
                found.add((parts["bridge"], int(parts.get("tag", "0") or 0)))
    return found


def _release(version: str) -> int:
    """The major release of `8.4.5`."""
    major = version.partition(".")[0]
    return int(major) if major.isdigit() else 0
