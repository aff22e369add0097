"""Every program that a guest has, by name. What is not in this table does not exist on a guest (exit status 127)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.guest import shell
from pvenix_lab.site.guest.programs import (
    activation,
    cloud,
    data,
    files,
    fleet,
    gitprogs,
    gitserver,
    journalprog,
    nix,
    nixstoreprog,
    probes,
    profile,
    rebuild,
    services,
    sshprog,
    system,
    transient,
)

if TYPE_CHECKING:
    from pvenix_lab.site.guest.call import Program

PROGRAMS: dict[str, Program] = {
    "true": files.true,
    "false": files.false,
    "echo": files.echo,
    "cat": files.cat,
    "chmod": files.chmod,
    "chown": files.chown,
    "dd": data.dd,
    "df": files.df,
    "ls": files.ls,
    "mkdir": files.mkdir,
    "mv": files.mv,
    "readlink": files.readlink,
    "rm": files.rm,
    "sleep": files.sleep,
    "tail": data.tail,
    "test": files.test,
    "date": system.date,
    "hostname": system.hostname,
    "id": system.identity,
    "systemd-detect-virt": system.detect_virt,
    "uname": system.uname,
    "uptime": system.uptime,
    "whoami": system.whoami,
    "journalctl": journalprog.journalctl,
    "poweroff": services.poweroff,
    "reboot": services.reboot,
    "systemctl": services.systemctl,
    "systemd-run": transient.systemd_run,
    "curl": probes.curl,
    "getent": probes.getent,
    "nc": probes.nc,
    "cloud-init": cloud.cloud_init,
    "nixos-generate-config": cloud.nixos_generate_config,
    "git": gitprogs.run_git,
    "git-receive-pack": gitserver.serve,
    "git-shell": gitserver.git_shell,
    "git-upload-pack": gitserver.serve,
    "fleet-first-boot": fleet.fleet_first_boot,
    "fleet-git-serve": gitserver.fleet_git_serve,
    "ssh": sshprog.ssh,
    "nix": nix.nix,
    "nix-collect-garbage": nixstoreprog.nix_collect_garbage,
    "nix-copy-closure": nixstoreprog.nix_copy_closure,
    "nix-env": profile.nix_env,
    "nix-store": nixstoreprog.nix_store,
    "nixos-rebuild": rebuild.nixos_rebuild,
    "nixos-version": profile.nixos_version,
    "switch-to-configuration": activation.switch_to_configuration,
    "env": shell.env,
    "sudo": shell.sudo,
}

IN_SYSTEM_PATH = tuple(sorted(PROGRAMS.keys() - {"switch-to-configuration"}))
"""The programs found by name alone; switch-to-configuration is part of each system instead."""
