"""cloud-init's status and nixos-generate-config."""

from __future__ import annotations

import json

from pvenix_lab.site.guest import hardware
from pvenix_lab.site.guest.call import Call, ProgramError, parse_options


async def cloud_init(call: Call) -> int:
    """`cloud-init status [--wait] [--format json]` (cloud-init 24)."""
    options = parse_options(call, flags=("--wait", "--long"), values=("--format",))
    if options.rest != ("status",):
        raise ProgramError("cloud-init: the lab knows status only", 2)
    if options.has("--wait"):
        await call.guest.cloud_init_done.wait()
    state = "done" if call.guest.cloud_init_done.is_set() else "running"
    if options.value("--format") == "json":
        answer = {
            "status": state,
            "extended_status": state,
            "boot_status_code": "enabled-by-generator",
            "datasource": "nocloud",
            "detail": "DataSourceNoCloud [seed=/dev/sr0]",
            "errors": [],
            "recoverable_errors": {},
        }
        call.out(json.dumps(answer, indent=2) + "\n")
    else:
        call.out(f"status: {state}\n")
    return 0


async def nixos_generate_config(call: Call) -> int:
    """`nixos-generate-config --show-hardware-config [--no-filesystems]`, rendered from the VM's configuration."""
    options = parse_options(call, flags=("--show-hardware-config", "--no-filesystems"))
    if not options.has("--show-hardware-config"):
        raise ProgramError("nixos-generate-config: the lab knows --show-hardware-config only")
    guest = call.guest
    text = hardware.hardware_config(guest.vm, guest.interfaces, filesystems=not options.has("--no-filesystems"))
    call.out(text)
    return 0
