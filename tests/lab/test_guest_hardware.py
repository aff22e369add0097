"""nixos-generate-config: the output for Proxmox's q35 layout as the starter fleet holds it, and that it follows the VM."""

from __future__ import annotations

import re

from pvenix_lab.site.guest.guest import Guest
from tests.lab.guest_support import FLEET, root

_IDENTIFIER = re.compile(r"by-uuid/[0-9A-Fa-f-]+")


async def shown(guest: Guest, *flags: str) -> str:
    """What the program prints."""
    ran = await root(guest, "nixos-generate-config", "--show-hardware-config", *flags)
    assert (ran.status, ran.err) == (0, "")
    return ran.out


async def test_a_q35_guest_prints_what_the_fleet_holds_for_one(guest: Guest) -> None:
    held = (FLEET / "nix/hardware/dns01-hw.nix").read_text()
    assert _IDENTIFIER.sub("by-uuid/X", await shown(guest)) == _IDENTIFIER.sub("by-uuid/X", held)


async def test_two_machines_differ_in_their_file_systems_only(guest: Guest) -> None:
    before = await shown(guest)
    bare = await shown(guest, "--no-filesystems")
    guest.vm.config["smbios1"] = "uuid=99999999-2222-4333-8444-555555555555"
    after = await shown(guest)
    assert before != after
    assert [line for line in before.splitlines() if "by-uuid" not in line] == [
        line for line in after.splitlines() if "by-uuid" not in line
    ]
    assert await shown(guest, "--no-filesystems") == bare
    assert "by-uuid" not in bare


async def test_another_controller_machine_or_processor_changes_the_modules(guest: Guest) -> None:
    guest.vm.config["machine"] = "pc-i440fx-9.2"
    assert '[ "ata_piix" "uhci_hcd" "virtio_pci" "virtio_scsi" "sd_mod" "sr_mod" ]' in await shown(guest)
    guest.vm.config |= {"scsi0": "none", "virtio0": "tanka1:vm-200-disk-1,size=32G", "scsihw": "lsi"}
    del guest.vm.config["scsi0"]
    assert '"virtio_pci" "sr_mod" "virtio_blk"' in await shown(guest)
    guest.vm.config["cpu"] = "x86-64-v2-AES"
    assert "boot.kernelModules = [ ];" in await shown(guest)
