"""nixos-generate-config with all its options, rendered from the VM's configuration (recorded in a VM with Proxmox's q35 layout)."""

from __future__ import annotations

from pvenix_lab.site.guest import hardware
from pvenix_lab.site.guest.call import Call, ProgramError

_CONFIGURATION = """\
# Edit this configuration file to define what should be installed on
# your system. Help is available in the configuration.nix(5) man page, on
# https://search.nixos.org/options and in the NixOS manual (`nixos-help`).

{ config, lib, pkgs, ... }:

{
  imports =
    [ # Include the results of the hardware scan.
      ./hardware-configuration.nix
    ];

  # Use the systemd-boot EFI boot loader.
  boot.loader.systemd-boot.enable = true;
  boot.loader.efi.canTouchEfiVariables = true;

  # networking.hostName = "nixos"; # Define your hostname.

  # List services that you want to enable:

  # Enable the OpenSSH daemon.
  # services.openssh.enable = true;

  # This option defines the first version of NixOS you have installed on this particular machine.
  system.stateVersion = "25.11"; # Did you read the comment?

}

"""
"""The options of the generated file; its longer comments are left out."""
_DIED = 255  # perl's die


async def nixos_generate_config(call: Call) -> int:
    """`nixos-generate-config [--show-hardware-config] [--root DIR] [--dir DIR] [--force] [--no-filesystems]`."""
    root, folder, given = "", "/etc/nixos", set[str]()
    words = list(call.args)
    while words:
        word = words.pop(0)
        if word in ("--root", "--dir"):
            if not words:
                raise ProgramError(f"{call.name}: ‘{word}’ requires an argument", _DIED)  # noqa: RUF001 - its own quotes
            value = call.full(words.pop(0)).rstrip("/")
            root, folder = (value, folder) if word == "--root" else (root, value)
        elif word in ("--force", "--no-filesystems", "--show-hardware-config", "--flake"):
            given.add(word)
        else:
            raise ProgramError(f"{call.name}: unrecognized argument ‘{word}’", _DIED)  # noqa: RUF001 - its own quotes
    guest = call.guest
    text = hardware.hardware_config(guest.vm, guest.interfaces, filesystems="--no-filesystems" not in given)
    if "--show-hardware-config" in given:
        call.out(text)
        return 0
    _write(call, f"{root}{folder}", text, force="--force" in given)
    return 0


def _write(call: Call, folder: str, text: str, *, force: bool) -> None:
    """hardware-configuration.nix always, configuration.nix only where there is none."""
    try:
        call.tree.check_write(f"{folder}/hardware-configuration.nix", call.uid)
    except OSError as exc:
        raise ProgramError(f"{call.name}: cannot write to {folder}: Permission denied", 13) from exc
    call.mutates()
    call.err(f"writing {folder}/hardware-configuration.nix...")
    call.tree.put(f"{folder}/hardware-configuration.nix", text)
    path = f"{folder}/configuration.nix"
    if call.tree.exists(path) and not force:
        call.err(f"warning: not overwriting existing {path}")
        return
    call.err(f"writing {path}...")
    call.tree.put(path, _CONFIGURATION)
    call.err("For more hardware-specific settings, see https://github.com/NixOS/nixos-hardware.")
