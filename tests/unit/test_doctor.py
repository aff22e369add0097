"""What a fleet needs on a cluster, what of it a login has, and the pveum lines between the two."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.lifecycle.doctor import contacts_seen, offline_lines
from pvenix.model import pveum
from pvenix.model.doctor import Contact, Verdict
from pvenix.model.host import Backup, Ha, Host, Install, Iso, Machine, Network, Pci, Proxmox, State
from pvenix.model.privileges import Level, Uses, effective, missing, needs, uses
from pvenix.model.secretref import SecretRef
from pvenix.model.site import Auth, Cluster, Site, Template, Tls, Zone
from pvenix.model.update import Update

CLUSTER = Cluster(
    name="lab",
    endpoints=("https://n1:8006",),
    tls=Tls(system=True),
    auth=Auth(token_id="a@pve!b", token_secret=SecretRef(env="T")),
    storage={"default": "tank"},
)
SITE = Site(
    name="home",
    clusters={"lab": CLUSTER},
    templates={"nixos": Template(name="nixos", cluster="lab", vmid=8100, storage="tank", replicas={"n2": 8101})},
    zones={"lan": Zone(name="lan", bridge="vmbr0", vlan=7)},
)


def host(**fields: object) -> Host:
    return Host(name="a", groups=(), machine=Machine(**fields))  # type: ignore[arg-type]  # as the inventory gives them


def asked(*hosts: Host, level: Level = Level.PROVISIONER, release: int = 9, cluster: Cluster = CLUSTER) -> set[str]:
    """What the hosts need, as `privilege path`."""
    return {f"{need.privilege} {need.path}" for need in needs(uses(SITE, cluster, hosts), level, release)}


def test_a_plain_host_needs_its_template_its_storage_and_its_bridge() -> None:
    found = asked(host(network=Network(zone="lan")))
    assert {
        "VM.Clone /vms/8100",
        "VM.Clone /vms/8101",
        "Datastore.AllocateSpace /storage/tank",
        "SDN.Use /sdn/zones/localnetwork/vmbr0/7",
        "VM.Allocate /vms",
        "Sys.Audit /",
    } <= found
    assert not {
        need for need in found if re.match(r"Sys\.(Modify|Console|AccessNetwork)|VM\.Config\.HWType|Mapping", need)
    }


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"proxmox": Proxmox(startup="order=2")}, "Sys.Modify /"),
        ({"backup": Backup(job="nightly")}, "Sys.Modify /"),
        ({"backup": Backup(storage="pbs")}, "VM.Backup /vms"),
        ({"backup": Backup(storage="pbs")}, "Datastore.AllocateSpace /storage/pbs"),
        ({"proxmox": Proxmox(ha=Ha())}, "Sys.Console /"),
        ({"proxmox": Proxmox(pci=(Pci(mapping="gpu0"),))}, "Mapping.Use /mapping/pci/gpu0"),
        ({"proxmox": Proxmox(pci=(Pci(mapping="gpu0"),))}, "VM.Config.HWType /vms"),
        ({"proxmox": Proxmox(storage="fast")}, "Datastore.AllocateSpace /storage/fast"),
        ({"nics": (Network(bridge="dmz", trunks=(3, 4)),)}, "SDN.Use /sdn/zones/localnetwork/dmz/4"),
        ({"install": Install.ISO, "iso": Iso(volume="isos:iso/n.iso")}, "Datastore.Audit /storage/isos"),
        (
            {"install": Install.ISO, "iso": Iso(url="https://x/n.iso", storage="isos")},
            "Datastore.AllocateTemplate /storage/isos",
        ),
        ({"install": Install.ISO, "iso": Iso(url="https://x/n.iso", storage="isos")}, "Sys.AccessNetwork /nodes"),
        ({"install": Install.ISO, "iso": Iso(volume="isos:iso/n.iso")}, "VM.Config.CDROM /vms"),
        ({"proxmox": Proxmox(pool="web")}, "VM.Allocate /pool/web"),
    ],
)
def test_what_only_some_hosts_declare_is_asked_for_only_then(more: dict[str, object], wanted: str) -> None:
    assert wanted in asked(host(**more))
    assert wanted not in asked(host())


def test_a_fleet_that_lives_in_pools_only_sees_what_is_outside_of_them() -> None:
    pooled = host(proxmox=Proxmox(pool="web"))
    assert {need for need in asked(pooled) if need.endswith(" /vms")} == {"VM.Audit /vms"}
    assert "VM.Allocate /vms" in asked(pooled, host())


def test_hosts_that_are_not_managed_or_live_elsewhere_need_nothing() -> None:
    gone = host(state=State.ABSENT, proxmox=Proxmox(storage="old"))
    elsewhere = host(cluster="other", proxmox=Proxmox(storage="far"))
    assert not {need for need in asked(gone, elsewhere, host()) if need.endswith(("old", "far"))}


def test_a_host_that_becomes_a_template_needs_its_clones_to_be_cloned() -> None:
    canary = host(state=State.ARCHIVED, update=Update(canary=True))
    assert "VM.Clone /vms" in asked(canary, host())
    assert "VM.Clone /vms" not in asked(host())


def test_the_guest_agent_has_one_privilege_in_8_and_its_own_set_in_9() -> None:
    old, new = asked(host(), release=8), asked(host(), release=9)
    assert old - new == {"VM.Monitor /vms"}
    assert new - old == {
        f"VM.GuestAgent.{what} /vms" for what in ("Audit", "FileRead", "FileSystemMgmt", "Unrestricted")
    }


@pytest.mark.parametrize("release", [8, 9])
def test_each_level_asks_for_more_than_the_one_before(release: int) -> None:
    viewer, operator, provisioner = (asked(host(), level=level, release=release) for level in Level)
    assert viewer < operator < provisioner
    assert not {need for need in viewer if "Audit" not in need}


def test_an_entry_takes_the_place_of_those_above_it() -> None:
    given_ = {"/": {"Sys.Audit": 1, "VM.Audit": 1}, "/vms": {"VM.Audit": 0}, "/vms/8100": {"VM.Clone": 1}}
    assert effective(given_, "/nodes/n1") == {"Sys.Audit", "VM.Audit"}
    assert effective(given_, "/vms") == {"VM.Audit"}
    assert effective(given_, "/vms/200") == frozenset()
    assert effective(given_, "/vms/8100") == {"VM.Clone"}
    assert effective({}, "/vms") == frozenset()


NAMES = st.sampled_from(["a", "b", "c2"])
FLEETS = st.builds(
    Uses,
    pools=st.frozensets(NAMES, max_size=2),
    outside_pools=st.booleans(),
    templates=st.frozensets(st.integers(8100, 8103), min_size=1, max_size=3),
    storages=st.frozensets(NAMES, max_size=3),
    backups=st.frozensets(NAMES, max_size=2),
    images=st.frozensets(NAMES, max_size=2),
    downloads=st.frozensets(NAMES, max_size=2),
    networks=st.frozensets(st.tuples(NAMES, st.integers(0, 3)), max_size=4),
    mappings=st.frozensets(NAMES, max_size=2),
    hardware=st.booleans(),
    startup=st.booleans(),
    jobs=st.booleans(),
    ha=st.booleans(),
    empty=st.booleans(),
    new_templates=st.booleans(),
)


@given(FLEETS, st.sampled_from(list(Level)), st.sampled_from([8, 9]))
def test_what_the_lines_give_is_what_is_needed_and_each_of_it_is(found: Uses, level: Level, release: int) -> None:
    wanted = needs(found, level, release)
    given_ = pveum.grants(wanted, level, "home")
    shown = {grant.path: dict.fromkeys(grant.privileges, int(grant.below)) for grant in given_}
    assert missing(wanted, shown) == ()
    for grant in given_:
        for name in grant.privileges:
            poorer = {**shown, grant.path: {one: 1 for one in shown[grant.path] if one != name}}
            gone = missing(wanted, poorer)
            assert gone
            assert {need.path for need in gone} == {grant.path}
    assert len({grant.path for grant in given_}) == len(given_)
    assert not {grant for grant in given_ if release == 8 and any("GuestAgent" in name for name in grant.privileges)}


@pytest.mark.parametrize("site", ["pvenix", "PVE home", "home lab!"])
def test_a_role_has_a_name_that_proxmox_takes(site: str) -> None:
    for grant in pveum.grants(needs(Uses(), Level.VIEWER, 9), Level.VIEWER, site):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", grant.role)
        assert not grant.role.upper().startswith("PVE")


def test_a_user_who_logs_in_gets_lines_without_a_token() -> None:
    person = replace(CLUSTER, auth=Auth(username="ops@pve"))
    lines = offline_lines(SITE, person, uses(SITE, person, [host()]), Level.OPERATOR, 9)
    assert lines[:2] == ("pveum user add ops@pve", "pveum passwd ops@pve")
    assert not [line for line in lines if "--tokens" in line or "token add" in line]


def contact(**fields: object) -> Contact:
    base = {"endpoint": "https://n1:8006", "fingerprint": "AA", "expires_at": "2027-01-01T00:00:00Z", "days_left": 400}
    return Contact(**{**base, **fields})  # type: ignore[arg-type]  # as above


def test_a_certificate_that_ends_soon_or_has_ended_is_told_in_time() -> None:
    verdicts = [contacts_seen([contact(days_left=days)], CLUSTER)[0] for days in (31, 29, -1)]
    assert [check.verdict for check in verdicts] == [Verdict.OK, Verdict.PROBLEM, Verdict.PROBLEM]
    assert "expired" in verdicts[2].found
    assert "pvecm updatecerts" in verdicts[1].advice[0]


def test_nodes_with_certificates_of_their_own_are_told_to_pin_their_authority() -> None:
    both = [
        contact(distrust="unknown CA"),
        contact(endpoint="https://n2:8006", fingerprint="BB", distrust="unknown CA"),
    ]
    one, two = (check.advice for check in contacts_seen(both, CLUSTER)), contacts_seen(both[:1], CLUSTER)[0].advice
    assert all(any("pve-root-ca.pem" in line for line in advice) for advice in one)
    assert any('tls: {fingerprint: "AA"}' in line for line in two)


def test_an_endpoint_that_does_not_answer_is_told_apart_from_one_that_is_not_trusted() -> None:
    silent, liar = contacts_seen([contact(problem="refused"), contact(distrust="unknown CA")], CLUSTER)
    assert (silent.code.name, liar.code.name) == ("UNREACHABLE", "REFUSED")
