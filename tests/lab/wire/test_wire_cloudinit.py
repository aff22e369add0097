"""Cloud-init over the wire: encodings, what is generated, what is shown (measured on 8.4.5)."""

from __future__ import annotations

import hashlib
import re

import pytest

from tests.lab.wire.support import KEY, KEY_ENCODED, NODE, Client, WireLab, refused, row

WITH_SLASH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIADTFS6A8gH8puGCiYx3kntVdDJIESTaTbdrAX16NQCE a/b"


def dump(client: Client, path: str, kind: str) -> str:
    """A generated file."""
    return str(client.get(f"{path}/cloudinit/dump", type=kind))


@row("A6-01")
@pytest.mark.parametrize("value", [KEY, KEY.replace(" ", "+"), KEY_ENCODED.replace("%2B", "+"), WITH_SLASH])
def test_keys_that_are_not_encoded_inside_the_form_are_refused(lab: WireLab, operator: Client, value: str) -> None:
    answer = operator.ask("PUT", f"{lab.vm()}/config", sshkeys=value)
    assert answer.status_code == 400
    assert answer.json()["errors"]["sshkeys"].startswith("invalid format - invalid urlencoded string: ")


@row("A6-02")
def test_keys_are_read_back_as_they_were_encoded_once(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    sent = operator.ask("PUT", f"{path}/config", sshkeys=KEY_ENCODED)
    assert sent.status_code == 200
    assert "%2520" in str(sent.request.body)
    assert operator.get(f"{path}/config")["sshkeys"] == KEY_ENCODED
    assert KEY in dump(operator, path, "user")


@row("A6-03")
def test_what_is_no_key_is_refused_by_the_key_parser(lab: WireLab, operator: Client) -> None:
    answer = operator.ask("PUT", f"{lab.vm()}/config", sshkeys="ssh-ed25519%20nonsense%20me")
    assert refused(answer) == (500, "SSH public key validation error")


@row("A6-04")
def test_a_password_is_never_shown_and_hashed_in_the_drive(lab: WireLab, operator: Client) -> None:
    path = lab.vm(cipassword="secret")
    assert operator.get(f"{path}/config")["cipassword"] == "**********"
    assert "secret" not in dump(operator, path, "user")
    operator.ok("POST", f"{path}/status/start")
    drive = lab.hands(lambda site: site.cluster.vms[int(path.rpartition("/")[2])].cloudinit["user-data"])
    assert re.search(r"^password: \$5\$", drive, re.MULTILINE)


@row("A6-05")
def test_a_start_writes_the_drive_first(lab: WireLab, operator: Client) -> None:
    path = lab.vm(ciuser="ops")
    assert operator.ok("POST", f"{path}/status/start").log[0] == "generating cloud-init ISO"


@row("A6-06")
def test_a_running_guests_drive_is_compared_without_its_addresses(lab: WireLab, operator: Client) -> None:
    path = lab.running(ciuser="ops", ipconfig0="ip=10.69.13.60/24")
    operator.put(f"{path}/config", ciuser="other", ipconfig0="ip=10.69.13.61/24", nameserver="10.69.0.1")
    shown = {entry["key"]: entry for entry in operator.get(f"{path}/cloudinit")}
    assert {"ciuser", "nameserver"} <= shown.keys()
    assert not any(key.startswith("ipconfig") for key in shown)


@row("A6-07", "A6-13")
def test_the_user_data_are_the_generated_ones(lab: WireLab, operator: Client) -> None:
    path = lab.vm(ciuser="ops", cipassword="secret", sshkeys=KEY_ENCODED, searchdomain="lab.internal", ciupgrade=0)
    name = operator.get(f"{path}/config")["name"]
    user = dump(operator, path, "user")
    assert user.startswith("#cloud-config\n")
    order = [line.partition(":")[0] for line in user.splitlines()[1:] if line and not line.startswith(" ")]
    wanted = ["hostname", "manage_etc_hosts", "fqdn", "user", "password", "ssh_authorized_keys", "chpasswd", "users"]
    assert order == wanted
    assert f"hostname: {name}\n" in user
    assert f"fqdn: {name}.lab.internal\n" in user
    assert "users:\n  - default" in user
    operator.put(f"{path}/config", delete="ciupgrade")
    assert "package_upgrade: true" in dump(operator, path, "user")


@row("A6-08")
def test_any_change_is_another_instance(lab: WireLab, operator: Client) -> None:
    path = lab.vm(ciuser="ops", ipconfig0="ip=dhcp")
    instances = [dump(operator, path, "meta")]
    user, network = dump(operator, path, "user"), dump(operator, path, "network")
    assert instances[0] == f"instance-id: {hashlib.sha1((user + network).encode()).hexdigest()}\n"
    for changed in ({"ciuser": "other"}, {"ipconfig0": "ip=10.69.13.62/24"}, {"nameserver": "10.69.0.9"}):
        operator.put(f"{path}/config", **changed)
        instances.append(dump(operator, path, "meta"))
    assert len(set(instances)) == 4


@row("A6-09")
def test_windows_gets_a_config_drive_and_linux_the_local_form(lab: WireLab, operator: Client) -> None:
    linux, windows = lab.vm(ostype="l26", ciuser="ops"), lab.vm(ostype="win11", ciuser="ops")
    assert dump(operator, linux, "meta").startswith("instance-id: ")
    assert '"uuid"' in dump(operator, windows, "meta")


@row("A6-10")
def test_without_a_name_server_the_hosts_own_is_given(lab: WireLab, operator: Client) -> None:
    path = lab.vm(ipconfig0="ip=10.69.13.63/24,gw=10.69.13.1")
    without = dump(operator, path, "network")
    found = re.search(r"- type: nameserver\n\s+address:\n\s+- '([0-9.]+)'", without)
    assert found
    operator.put(f"{path}/config", nameserver="10.9.9.9")
    given = dump(operator, path, "network")
    assert "10.9.9.9" in given
    assert found[1] not in given


@row("A6-11")
def test_the_network_is_version_1_with_ethernet_names_and_macs(lab: WireLab, operator: Client) -> None:
    path = lab.vm(ipconfig0="ip=10.69.13.64/24,gw=10.69.13.1")
    mac = re.search(r"virtio=([0-9A-F:]+)", operator.get(f"{path}/config")["net0"])
    assert mac
    network = dump(operator, path, "network")
    assert network.startswith("version: 1\n")
    assert "name: eth0\n" in network
    assert f"mac_address: '{mac[1].lower()}'" in network


@row("A6-12")
def test_a_snippet_that_is_not_there_is_refused_stored_and_met_at_the_next_start(
    lab: WireLab, operator: Client
) -> None:
    path, value = lab.vm(), "user=local:snippets/x.yml"
    answer = operator.ask("PUT", f"{path}/config", cicustom=value)
    assert refused(answer) == (500, "volume 'local:snippets/x.yml' does not exist")
    assert operator.get(f"{path}/config")["cicustom"] == value
    assert "does not exist" in operator.run("POST", f"{path}/status/start").exitstatus


@row("A6-14")
def test_snippets_are_not_uploaded(root: Client) -> None:
    url = f"{root.base}{NODE}/storage/local/upload"
    answer = root.session.post(url, data={"content": "snippets"}, files={"filename": ("x.yml", b"#cloud-config\n")})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"content"}
    for content in ("iso", "import"):
        name = {"iso": "x.iso", "import": "x.qcow2"}[content]
        assert root.session.post(url, data={"content": content}, files={"filename": (name, b"x")}).status_code == 200


@row("A6-15")
def test_a_running_guest_keeps_its_drive_until_it_is_regenerated(lab: WireLab, operator: Client) -> None:
    path = lab.running(ciuser="ops")
    vmid = int(path.rpartition("/")[2])

    def drive() -> str:
        return lab.hands(lambda site: site.cluster.vms[vmid].cloudinit["user-data"])

    operator.put(f"{path}/config", ciuser="other")
    assert "user: ops\n" in drive()
    assert "user: other\n" in dump(operator, path, "user")
    operator.put(f"{path}/cloudinit")
    assert "user: other\n" in drive()
