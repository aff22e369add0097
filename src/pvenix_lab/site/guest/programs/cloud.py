"""cloud-init as it is on a NixOS guest: status, query, clean; texts and exit codes of cloud-init 24 and 25."""

from __future__ import annotations

import json
from typing import Any

from pvenix_lab.site.guest import firstboot
from pvenix_lab.site.guest.call import Call, Options, ProgramError, parse_options

_VERSION = "/run/current-system/sw/bin/cloud-init 25.2\n"
_USAGE = "usage: cloud-init [-h] [--version] [--debug] [--force] {init,modules,single,query,features,analyze,collect-logs,clean,status,schema} ..."
_STATE = "/var/lib/cloud"


async def cloud_init(call: Call) -> int:
    """`cloud-init status|query|clean …`: 1 for its own errors, 2 for wrong use."""
    if call.args == ("--version",):
        call.out(_VERSION)
        return 0
    flags = (
        "--wait",
        "-w",
        "--long",
        "-l",
        "--all",
        "-a",
        "--list-keys",
        "--logs",
        "--machine-id",
        "--reboot",
        "-r",
        "--seed",
        "-s",
    )
    options = parse_options(call, flags=flags, values=("--format", "-f"), usage=2)
    match options.rest[:1]:
        case ("status",):
            return await _status(call, options)
        case ("query",):
            return _query(call, options)
        case ("clean",):
            return _clean(call, options)
        case (word,):
            raise ProgramError(f"{_USAGE}\ncloud-init: error: argument subcommand: invalid choice: '{word}'", 2)
        case _:
            raise ProgramError(_USAGE, 1)


async def _status(call: Call, options: Options) -> int:
    if options.has("--wait", "-w"):
        await call.guest.cloud_init_done.wait()
    state = "done" if call.guest.cloud_init_done.is_set() else "running"
    answer: dict[str, Any] = {
        "status": state,
        "extended_status": state,
        "boot_status_code": "enabled-by-generator",
        "last_update": "Thu, 01 Jan 1970 00:00:00 +0000",
        "detail": "DataSourceNoCloud [seed=/dev/sr0]",
        "errors": [],
        "recoverable_errors": {},
    }
    form = options.value("--format")
    if form == "json":
        answer["datasource"] = "nocloud"
        call.out(json.dumps(answer, indent=1, sort_keys=True) + "\n")
    elif form not in ("", "tabular"):
        raise ProgramError(f"cloud-init status: error: argument --format: invalid choice: '{form}'", 2)
    elif options.has("--long", "-l"):
        call.out("".join(f"{key}: {value}\n" for key, value in answer.items()))
    else:
        call.out(f"status: {state}\n")
    return 0


def _instance_data(call: Call) -> dict[str, Any]:
    """/run/cloud-init/instance-data.json as far as a NoCloud drive fills it."""
    instance = call.tree.read_text(firstboot.INSTANCE_ID).strip()
    name = call.tree.read_text(firstboot.HOSTNAME).strip()
    v1 = {
        "cloud_id": "nocloud",
        "cloud_name": "nocloud",
        "distro": "nixos",
        "instance_id": instance,
        "kernel_release": call.guest.booted.kernel,
        "local_hostname": name,
        "machine": "x86_64",
        "platform": "nocloud",
        "subplatform": "seed-dir (/dev/sr0)",
    }
    return {**v1, "ds": {"meta_data": {"instance-id": instance, "dsmode": "net"}}, "v1": v1}


def _query(call: Call, options: Options) -> int:
    if not call.guest.cloud_init_done.is_set() and not call.tree.exists(firstboot.INSTANCE_ID):
        raise ProgramError("ERROR: Missing instance-data file: /run/cloud-init/instance-data.json")
    data: Any = _instance_data(call)
    names = options.rest[1:]
    if options.has("--all", "-a"):
        call.out(json.dumps(data, indent=1, sort_keys=True) + "\n")
        return 0
    if not names:
        if options.has("--list-keys"):
            call.out("".join(f"{key}\n" for key in sorted(data)))
            return 0
        raise ProgramError("ERROR: Expected one of the options: --all, --format, --list-keys or varname")
    for part in names[0].split("."):
        if not isinstance(data, dict) or part not in data:
            raise ProgramError(f"ERROR: Undefined instance-data key '{names[0]}'")
        data = data[part]
    call.out((data if isinstance(data, str) else json.dumps(data, indent=1, sort_keys=True)) + "\n")
    return 0


def _clean(call: Call, options: Options) -> int:
    """What a template is prepared with: the next boot is a new instance."""
    if call.uid != 0:
        raise ProgramError(f"ERROR: Could not remove {_STATE}/data: [Errno 13] Permission denied: '{_STATE}/data'")
    call.mutates()
    call.tree.remove(_STATE)
    if options.has("--machine-id"):
        call.tree.put("/etc/machine-id", "uninitialized\n")
    if options.has("--reboot", "-r"):
        call.guest.reboot()
    return 0
