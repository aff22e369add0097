# What every machine cloned from template 8100 is made of. Host files import this, their hardware file and their roles.
{ lib, ... }:

{
  imports = [
    ./common.nix
    ./modules/template-first-boot.nix
  ];

  # No name until a host file gives one: an empty name lets cloud-init set the one that Proxmox passes in.
  networking.hostName = lib.mkDefault "";

  # OVMF, GPT, one ESP. The limit keeps /boot from filling up; a dozen is enough to go back by.
  boot.loader.systemd-boot = {
    enable = true;
    configurationLimit = 12;
  };
  boot.loader.efi.canTouchEfiVariables = false; # systemd-boot also installs the fallback path, which OVMF always finds

  # The disk of a clone is larger than the template's.
  boot.growPartition = true;
  fileSystems."/".autoResize = true;

  # The release this fleet was first installed with; it governs data formats and is not raised with nixpkgs.
  system.stateVersion = "25.11";
}
