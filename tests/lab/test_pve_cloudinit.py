"""The cloud-init drive (lab.md section 6, proxmox.md a6)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.cloudinit import generate
from pvenix_lab.site.pve.sha_crypt import sha256_crypt
from pvenix_lab.site.pve.vm import Vm
from pvenix_lab.site.pve.volumes import Volume
from tests.lab.pve_support import KEY, KEY_ENCODED, NODE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

    from pvenix_lab.site.pve.vm import ConfigValue

VM = f"{NODE}/qemu/250"


def files(**config: ConfigValue) -> dict[str, str]:
    """The generated files of a VM with these options."""
    vm = Vm(vmid=250, node="n", config={"name": "fix", "net0": "virtio=BC:24:11:BA:25:04,bridge=lan", **config})
    return generate(vm, resolver="10.255.255.53")


def test_the_files_are_byte_for_byte_those_of_the_real_api() -> None:
    """Recorded on 8.4.5: user-data, network-config and the instance id of one VM."""
    found = files(ciuser="ops", sshkeys=KEY_ENCODED, ipconfig0="ip=10.99.0.60/24,gw=10.99.0.1")
    assert found["user-data"] == (
        "#cloud-config\nhostname: fix\nmanage_etc_hosts: true\nfqdn: fix\nuser: ops\nssh_authorized_keys:\n"
        f"  - {KEY}\nchpasswd:\n  expire: False\nusers:\n  - default\npackage_upgrade: true\n"
    )
    assert found["network-config"] == (
        "version: 1\nconfig:\n    - type: physical\n      name: eth0\n      mac_address: 'bc:24:11:ba:25:04'\n"
        "      subnets:\n      - type: static\n        address: '10.99.0.60'\n        netmask: '255.255.255.0'\n"
        "        gateway: '10.99.0.1'\n    - type: nameserver\n      address:\n      - '10.255.255.53'\n"
    )
    assert found["meta-data"] == "instance-id: f08e05bca27fe614803b21f9124c22d1161232b2\n"
    assert found["vendor-data"] == ""


def test_any_change_is_a_new_instance() -> None:
    ids = {files(**config)["meta-data"] for config in ({}, {"ciuser": "a"}, {"ipconfig0": "ip=dhcp"}, {"name": "b"})}
    assert len(ids) == 4


def test_an_interface_without_an_ipconfig_is_left_out() -> None:
    assert "eth0" not in files()["network-config"]


def test_name_domain_and_upgrade_shape_the_user_data() -> None:
    user = files(searchdomain="example.org", ciupgrade=0, nameserver="1.1.1.1 9.9.9.9", ipconfig0="ip=dhcp,ip6=auto")
    assert "fqdn: fix.example.org\n" in user["user-data"]
    assert "package_upgrade" not in user["user-data"]
    assert "- type: dhcp4\n" in user["network-config"]
    assert "- type: ipv6_slaac\n" in user["network-config"]
    assert "      - '1.1.1.1'\n      - '9.9.9.9'\n      search:\n      - 'example.org'\n" in user["network-config"]


def test_root_is_not_disabled_and_gets_no_default_user() -> None:
    user = files(ciuser="root")["user-data"]
    assert "disable_root: False\n" in user
    assert "users:" not in user


def test_a_start_writes_the_drive_anew(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        vm = lab.site.cluster.vms[250]
        assert vm.cloudinit_files() == {}
        upid = str((await lab.ask("POST", f"{VM}/status/start")).data)
        await lab.finished(upid)
        assert (await lab.get(f"{NODE}/tasks/{upid}/log"))[0] == {"n": 1, "t": "generating cloud-init ISO"}
        first = vm.cloudinit_files()
        instance = hashlib.sha1((first["user-data"] + first["network-config"]).encode()).hexdigest()
        assert first["meta-data"] == f"instance-id: {instance}\n"

    in_lab(tmp_path, story)


def test_a_running_guest_keeps_its_drive_until_it_is_regenerated(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.done("POST", f"{VM}/status/start")
        vm = lab.site.cluster.vms[250]
        before = vm.cloudinit_files()
        await lab.ask("PUT", f"{VM}/config", ciuser="ops", ipconfig0="ip=10.0.0.5/24")
        assert vm.cloudinit_files() == before
        changes = await lab.get(f"{VM}/cloudinit")
        assert changes == [{"key": "ciuser", "value": "tappaas", "pending": "ops"}]
        await lab.ask("PUT", f"{VM}/cloudinit")
        assert "user: ops\n" in vm.cloudinit_files()["user-data"]
        assert await lab.get(f"{VM}/cloudinit") == [{"key": "ciuser", "value": "ops"}]

    in_lab(tmp_path, story)


def test_the_password_is_hashed_when_stored_and_never_shown(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", cipassword="hunter2")
        assert (await lab.get(f"{VM}/config"))["cipassword"] == "*" * 10
        assert str(lab.site.cluster.vms[250].config["cipassword"]).startswith("$5$")
        assert f"password: {'*' * 10}\n" in await lab.get(f"{VM}/cloudinit/dump", type="user")
        await lab.done("POST", f"{VM}/status/start")
        assert "password: $5$" in lab.site.cluster.vms[250].cloudinit_files()["user-data"]

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("password", "salt", "expected"),
    [("Hello world!", "saltstring", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5")],
)
def test_the_password_hash_is_the_crypt_that_openssl_prints(password: str, salt: str, expected: str) -> None:
    """`openssl passwd -5 -salt saltstring 'Hello world!'`."""
    assert sha256_crypt(password, salt) == expected


def test_a_missing_snippet_is_refused_but_stored_and_the_next_start_fails(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        response = await lab.ask("PUT", f"{VM}/config", cicustom="user=local:snippets/x.yml")
        assert (response.status, response.reason) == (500, "volume 'local:snippets/x.yml' does not exist")
        assert (await lab.get(f"{VM}/config"))["cicustom"] == "user=local:snippets/x.yml"
        assert await lab.done("POST", f"{VM}/status/start") == "volume 'local:snippets/x.yml' does not exist"

    in_lab(tmp_path, story)


def test_a_config_drive_has_an_interfaces_file_and_json_meta_data() -> None:
    found = files(citype="configdrive2", ipconfig0="ip=10.0.0.5/24,gw=10.0.0.1,ip6=auto")
    assert found["network-config"] == (
        "auto lo\niface lo inet loopback\n\n        dns_nameservers 10.255.255.53\nauto eth0\niface eth0 inet static\n"
        "        address 10.0.0.5\n        netmask 255.255.255.0\n        gateway 10.0.0.1\niface eth0 inet6 auto\n"
    )
    instance = hashlib.sha1((found["user-data"] + found["network-config"]).encode(), usedforsecurity=False).hexdigest()
    assert f'"uuid": "{instance}"' in found["meta-data"]
    assert files(ostype="win11")["meta-data"].startswith("{")


def test_a_snippet_takes_the_place_of_a_generated_file_and_changes_the_instance(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/cloudinit")
        before = lab.site.cluster.vms[250].cloudinit["meta-data"]
        text = "#cloud-config\nhostname: mine\n"
        snippet = Volume(storage="local", name="snippets/u.yml", size=1, content="snippets", node="tappaas1", text=text)
        lab.site.cluster.volumes.entries["tappaas1", snippet.volid] = snippet
        written = await lab.ask("PUT", f"{VM}/config", cicustom="user=local:snippets/u.yml")
        assert written.status == 200
        assert await lab.done("POST", f"{VM}/status/start") == "OK"
        vm = lab.site.cluster.vms[250]
        assert vm.cloudinit["user-data"] == text
        assert vm.cloudinit["meta-data"] != before
        await lab.done("POST", f"{VM}/status/stop")
        await lab.done("POST", f"{VM}/migrate", target="tappaas2")
        elsewhere = await lab.done("POST", "/nodes/tappaas2/qemu/250/status/start")
        assert elsewhere == "volume 'local:snippets/u.yml' does not exist"

    in_lab(tmp_path, story)


def test_a_start_makes_the_drive_anew_when_its_volume_is_gone(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        cluster = lab.site.cluster
        volumes.free(cluster, volumes.existing(cluster, "tappaas1", "tanka1:vm-250-cloudinit"))
        assert await lab.done("POST", f"{VM}/status/start") == "OK"
        assert volumes.find(cluster, "tappaas1", "tanka1:vm-250-cloudinit") is not None

    in_lab(tmp_path, story)


def test_an_option_that_was_deleted_shows_as_deleted_until_the_drive_is_written(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.done("POST", f"{VM}/status/start")
        await lab.ask("PUT", f"{VM}/config", delete="ciuser", ipconfig0="ip=10.0.0.9/24")
        assert await lab.get(f"{VM}/cloudinit") == [{"key": "ciuser", "delete": 1}]
        assert (await lab.ask("PUT", f"{VM}/cloudinit")).status == 200
        assert await lab.get(f"{VM}/cloudinit") == []
        assert "10.0.0.9" in await lab.get(f"{VM}/cloudinit/dump", type="network")

    in_lab(tmp_path, story)
